// What a node is told when it is made: who it is, whom it joins, and every bound. By value, from the config file or
// from the simulator; a few change at run time (Node's setters).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/cluster_version.h"
#include "node/ports.h"
#include "node/seeking.h"

namespace wh::node {

struct NodeOptions {
  std::string name;          // node-id
  std::string raft_address;  // announced, host:port; the host may be empty with a wildcard bind
  std::string http_address;  // announced, empty when the port is off
  std::string https_address;
  ClusterVersion version = kLatestVersion;  // the highest that this node takes part in (directive version-limit)
  std::vector<std::string> join;            // host:port; empty: a new directory founds a cluster of one
  OwnNames own;                             // by what this node may stand in a list
  uint32_t bootstrap_expect = 0;            // how many nodes found a cluster; 0: those of `join`, with this one
  // By cluster-secret or certificate: who meets a member by being asked something may believe that it is one.
  bool members_prove_themselves = false;
  ClusterId fresh_cluster{};  // random: used when this node founds a cluster
  uint64_t seed = 0;          // of every random choice
  uint32_t heartbeat_interval_ms = 50;
  uint32_t election_timeout_ms = 500;
  uint32_t request_timeout_ms = 5000;
  uint64_t snapshot_entries = 100'000;
  uint64_t snapshot_bytes = 256 << 20;
  uint64_t log_cache_bytes = 16 << 20;
  uint64_t max_uncommitted_bytes = 64 << 20;
  uint64_t max_append_bytes = 1 << 20;  // of entries, in one message to a follower
  size_t max_in_flight_messages = 64;   // with entries, under way to one follower
  uint64_t max_in_flight_bytes = 8 << 20;
  uint64_t trailing_entries = 10'000;
  uint64_t maxmemory_bytes = 0;               // of the data; 0: no limit
  uint64_t min_free_disk_bytes = 0;           // 0: no limit
  size_t max_pending = 100'000;               // client requests in progress; beyond it `overloaded`
  size_t max_waiting = 10'000;                // requests in `Waits`; beyond it `overloaded`
  uint64_t snapshot_slice_bytes = 64 << 10;   // of one turn
  uint64_t snapshot_chunk_bytes = 256 << 10;  // of one read when a snapshot is loaded
  uint64_t max_chunk_bytes = 1 << 20;         // of one message of a snapshot to a follower
  uint64_t snapshot_rate = 0;                 // bytes a second of such messages; 0: no limit
};

}  // namespace wh::node
