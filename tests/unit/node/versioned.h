// A member of three, whose other members say which version they support; for the tests of versions and cluster time.
#pragma once

#include <doctest/doctest.h>

#include "member.h"

namespace wh::node {

inline NodeOptions newer() {
  NodeOptions options = bench_options();
  options.version = kLatestVersion;
  return options;
}

struct Versioned : Member {
  explicit Versioned(NodeOptions options = newer()) : Member(std::move(options)) {}

  void says(raft::NodeId who, ClusterVersion highest) {
    Identity identity{.cluster = kCluster, .instance = who, .name = "said", .raft_address = "a:9"};
    identity.versions.highest = highest;
    node.peer_identity(who, identity);
  }
  // An answer to heartbeats, with the time that its sender's clock shows.
  void answers(raft::NodeId who, Millis clock_ms) {
    raft::AppendEntriesReply reply{.term = node.raft()->current_term(), .success = true, .match_index = last()};
    reply.clock_ms = clock_ms;
    node.receive(who, reply, now);
    persist();
    collect();
  }
  [[nodiscard]] raft::EntryKind last_kind() { return node.raft()->log().at(last()).kind; }
  // Lets everybody hold the log, until nothing comes any more.
  void settle() {
    for (int i = 0; i < 6; ++i) {
      holds(kOther, last());
      holds(kThird, last());
    }
  }
};

inline std::string keyed() {
  return machine::encode_command(machine::Set{{{"k", "v"}}}, machine::IdempotencyKey{"key", {}});
}

}  // namespace wh::node
