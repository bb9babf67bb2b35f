#include "server/node_options.h"

#include "base/endpoint.h"
#include "net/loop.h"
#include "server/own_addresses.h"
#include "server/own_names.h"

namespace wh::server {

ClusterVersion version_limit(const config::Options& options) {
  return options.version_limit == 0 ? kLatestVersion : static_cast<ClusterVersion>(options.version_limit);
}

node::NodeOptions node_options(const config::Options& options, const NodeBeginnings& beginnings) {
  const std::string host = announced_host(options, beginnings.listening);
  const auto announced = [&](uint16_t announce, uint16_t port) {
    return port == 0 ? std::string() : endpoint_text(host, announce != 0 ? announce : port);
  };
  return {
      .name = options.node_id,
      .raft_address = announced(options.announce_raft_port, options.raft_port),
      .http_address = announced(options.announce_port, options.port),
      .https_address = announced(options.announce_tls_port, options.tls_port),
      .version = version_limit(options),
      .join = options.join,
      .own = own_names(options, beginnings.listening, beginnings.machine_name),
      .bootstrap_expect = static_cast<uint32_t>(options.bootstrap_expect),
      .members_prove_themselves = !options.cluster_secret.empty() || options.tls_cluster,
      .fresh_cluster = beginnings.fresh_cluster,
      .seed = beginnings.seed,
      .heartbeat_interval_ms = static_cast<uint32_t>(options.raft_heartbeat_interval_ms),
      .election_timeout_ms = static_cast<uint32_t>(options.raft_election_timeout_ms),
      .request_timeout_ms = static_cast<uint32_t>(options.request_timeout_ms),
      .snapshot_entries = options.raft_snapshot_entries,
      .snapshot_bytes = options.raft_snapshot_bytes,
      .log_cache_bytes = options.raft_log_cache_bytes,
      .max_uncommitted_bytes = options.raft_max_uncommitted_bytes,
      .clock_us = net::Loop::micros,
      .maxmemory_bytes = options.maxmemory_bytes,
      .min_free_disk_bytes = options.min_free_disk_bytes,
      .max_waiting = options.max_waiting,
      .watch_history_bytes = options.watch_history_bytes,
      .snapshot_rate = options.raft_snapshot_rate,
  };
}

void reconfigure(node::Node& node, const config::Options& options) {
  node.set_request_timeout(static_cast<uint32_t>(options.request_timeout_ms));
  node.set_snapshot_limits(options.raft_snapshot_entries, options.raft_snapshot_bytes, options.raft_snapshot_rate);
  node.set_max_uncommitted(options.raft_max_uncommitted_bytes);
  node.set_max_waiting(options.max_waiting);
  node.set_watch_history(options.watch_history_bytes);
  node.set_room(options.maxmemory_bytes, options.min_free_disk_bytes);
}

}  // namespace wh::server
