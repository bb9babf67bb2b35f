// Options: every directive of the config file as a typed field, with its default (the contract's table, word for word).
// Plain values: option_table.h reads and writes them by name, option_checks.h checks their combinations. The folders
// that know config/ may hold them; others get the fields they need.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/log.h"

namespace wh::config {

// The values of each enum are in the order of the choices in the option table.
enum class TlsAuthClients { no, yes, optional };
enum class Supervised { no, systemd, automatic };
enum class AppendFsync { always, everysec, no };
enum class FollowerWrites { automatic, forward, redirect };
enum class ReadConsistency { linearizable, stale };
enum class LogFormat { plain, logfmt };
enum class GetWrites { loopback, yes, no };

struct Options {
  // Network. `bind` holds IP literals, `*` (every IPv4 address) or `::*` (every IPv6 address). A `-` before one means:
  // no error where that address is not available.
  std::vector<std::string> bind = {"127.0.0.1", "-::1"};
  std::string bind_interface;  // empty: `bind` counts
  uint16_t port = 8080;        // 0: off
  uint16_t raft_port = 1112;   // never 0
  uint16_t debug_port = 1113;  // 0: off
  uint64_t tcp_backlog = 511;
  uint64_t tcp_keepalive_s = 300;  // 0: off
  uint64_t timeout_s = 0;          // idle clients are closed after this; 0: never

  // TLS.
  uint16_t tls_port = 0;        // HTTPS; 0: off
  uint16_t tls_debug_port = 0;  // the debug protocol; 0: off
  std::string tls_cert_file;
  std::string tls_key_file;
  std::string tls_key_file_pass;
  std::string tls_ca_cert_file;
  TlsAuthClients tls_auth_clients = TlsAuthClients::no;
  bool tls_cluster = false;
  // Whether clients may connect over TLS.
  [[nodiscard]] bool tls_for_clients() const { return tls_port != 0 || tls_debug_port != 0; }

  // General.
  std::string dir = "./";
  LogLevel loglevel = LogLevel::notice;
  LogFormat log_format = LogFormat::plain;
  std::string logfile;  // empty: standard output
  std::string pidfile;  // empty: none, or Pidfile::kDefault in the background
  bool daemonize = false;
  Supervised supervised = Supervised::no;

  // Cluster. A port of 0 means: announce the port that the node listens on.
  std::string node_id;            // empty: default_node_id()
  std::vector<std::string> join;  // each host:raft-port; parse_host_port() splits them
  uint64_t bootstrap_expect = 0;  // how many nodes found a cluster; 0: those of `join` and this one
  uint64_t version_limit = 0;     // the highest cluster version this node offers; 0: all that this program supports
  std::string announce_address;   // empty: from `bind`
  uint16_t announce_port = 0;
  uint16_t announce_tls_port = 0;
  uint16_t announce_raft_port = 0;

  // Raft and durability.
  uint64_t raft_heartbeat_interval_ms = 50;
  uint64_t raft_election_timeout_ms = 500;
  uint64_t raft_snapshot_entries = 100000;
  uint64_t raft_snapshot_bytes = uint64_t{256} << 20;
  uint64_t raft_snapshot_rate = uint64_t{64} << 20;
  uint64_t raft_log_cache_bytes = uint64_t{16} << 20;
  uint64_t raft_max_uncommitted_bytes = uint64_t{64} << 20;
  AppendFsync appendfsync = AppendFsync::always;

  // Clients and limits.
  FollowerWrites follower_writes = FollowerWrites::automatic;
  ReadConsistency read_consistency = ReadConsistency::linearizable;
  uint64_t request_timeout_ms = 5000;
  uint64_t http_max_body_bytes = uint64_t{1} << 20;
  uint64_t maxclients = 10000;
  uint64_t max_waiting = 10000;
  uint64_t watch_history_bytes = uint64_t{64} << 20;
  uint64_t client_buffer_limit_bytes = uint64_t{256} << 20;  // 0: no limit
  int64_t slowlog_slower_than_us = 10000;                    // 0: logs every command as slow; -1: logs none
  uint64_t slowlog_max_len = 128;
  uint64_t maxmemory_bytes = 0;                       // 0: no limit
  uint64_t min_free_disk_bytes = uint64_t{64} << 20;  // 0: no limit

  // Security. Without a password or names, see the contract's `protected-mode` and `allowed-hosts`.
  std::string requirepass;
  std::string cluster_secret;
  bool protected_mode = true;
  std::vector<std::string> allowed_hosts;
  GetWrites get_writes = GetWrites::loopback;
};

}  // namespace wh::config
