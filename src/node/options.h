// The options of a node: who it is, which nodes it joins, and every bound. Plain values from the config file or the
// simulator; some change at run time (the setters of Node).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/cluster_version.h"
#include "machine/store/history.h"
#include "node/ports.h"
#include "node/seeking.h"
#include "node/turn_budget.h"

namespace wh::node {

struct NodeOptions {
  std::string name;          // node-id
  std::string raft_address;  // announced, host:port; with a wildcard bind the host may be empty
  std::string http_address;  // announced; empty when the port is off
  std::string https_address;
  ClusterVersion version = kLatestVersion;  // the highest version that this node supports (directive version-limit)
  std::vector<std::string> join;            // host:port; empty: a new directory founds a cluster of one
  OwnNames own;                             // the names and addresses by which a `join` may mean this node
  uint32_t bootstrap_expect = 0;            // how many nodes found a cluster; 0: those of `join` and this node
  // Members prove themselves by cluster-secret or certificate: a node that is called by a member may believe that the
  // caller is one.
  bool members_prove_themselves = false;
  ClusterId fresh_cluster{};  // random; the id of a cluster that this node founds
  uint64_t seed = 0;          // for every random choice
  uint32_t heartbeat_interval_ms = 50;
  uint32_t election_timeout_ms = 500;
  uint32_t request_timeout_ms = 5000;
  uint64_t snapshot_entries = 100'000;
  uint64_t snapshot_bytes = 256 << 20;
  uint64_t log_cache_bytes = 16 << 20;
  uint32_t log_cache_ms = 2'000;  // see raft::Options
  uint64_t max_uncommitted_bytes = 64 << 20;
  uint64_t max_append_bytes = 256 << 10;  // bytes of entries in one message to a follower
  size_t max_in_flight_messages = 64;     // messages with entries in flight to one follower
  uint64_t max_in_flight_bytes = 8 << 20;
  uint64_t trailing_entries = 10'000;
  // Of entries and what they make, and entries and what they change, each some 2 us: a turn applies no further, and no
  // longer than `turn_us` by this clock (turn_budget.h).
  uint64_t apply_bytes_per_turn = 8 << 20;
  uint64_t apply_steps_per_turn = 1'000;
  uint64_t turn_us = 2'000;
  TurnBudget::Clock clock_us = nullptr;
  uint64_t maxmemory_bytes = 0;                                  // limit of the data; 0: none
  uint64_t min_free_disk_bytes = 0;                              // 0: none
  size_t max_pending = 100'000;                                  // client requests in progress; more are `overloaded`
  size_t max_waiting = 10'000;                                   // requests in `Waits`; more are `overloaded`
  size_t watch_history_bytes = machine::History::kDefaultLimit;  // of the last changes of keys
  uint64_t snapshot_slice_bytes = 64 << 10;                      // bytes written in one turn
  uint64_t snapshot_chunk_bytes = 256 << 10;                     // bytes of one read while a snapshot is loaded
  uint64_t max_chunk_bytes = 1 << 20;                            // bytes of a snapshot in one message to a follower
  uint32_t overview_interval_ms = 1'000;  // how often the leader tells what it sees of the members; 0: never
  uint64_t snapshot_rate = 0;             // bytes of snapshots a second, to followers; 0: no limit
};

}  // namespace wh::node
