// By what this node may stand in the `join` of another, or in its own: where its raft port listens, what it announces,
// what it and its machine are called. Asks the system for its addresses, never a name server.
#pragma once

#include <string>
#include <vector>

#include "config/options.h"
#include "node/seeking.h"

namespace wh {

// `bound`: the addresses that the raft port listens on, ip:port.
node::OwnNames own_names(const Options& options, const std::vector<std::string>& bound, const std::string& machine);

}  // namespace wh
