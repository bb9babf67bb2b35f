// The members as this node sees them, for /cluster, CLUSTER, INFO and the service manager.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/node.h"

namespace wh::api {

struct MemberView {
  std::string name;
  std::string raft_address;
  std::string http_address;  // empty: that port is off
  std::string https_address;
  bool voter = false;
  std::string status;  // "alive", "failed"; empty: not known here (only the leader knows)
  std::optional<uint64_t> match_index;
  std::optional<ClusterVersion> version;  // the highest that it supports, as it told this node
};

std::vector<MemberView> member_views(const node::Node& node);

// The address as a client can use it that reached this node at `local_address`: that address replaces the host of a
// wildcard, and of a member on this machine that is known by loopback.
std::string as_seen_from(const std::string& local_address, const std::string& address);

// "leader", "follower", "candidate" or "learner".
const char* role_name(const node::Node& node);

// How a node is doing, in one line: `leader of 3 members, term 7`, `waiting: ...`.
std::string status_line(const node::Node& node);

}  // namespace wh::api
