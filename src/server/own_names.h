// The names and addresses by which the `join` of another node, or its own, may mean this node: where its raft port
// listens, what it announces, its own name and its machine's. Asks the system for its addresses, never a name server.
#pragma once

#include <string>
#include <vector>

#include "config/options.h"
#include "node/seeking.h"

namespace wh::server {

// `bound`: the addresses that the raft port listens on, ip:port.
node::OwnNames own_names(const config::Options& options, const std::vector<std::string>& bound,
                         const std::string& machine);

}  // namespace wh::server
