// What single values cannot tell: whether the options make sense together, and what an operator should be told about
// them. Pure. Called when a config was loaded and by CONFIG SET.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/options.h"

namespace wh {

struct OptionProblem {
  std::vector<std::string_view> directives;  // those it is about, the one to blame first
  std::string message;
};

// Every contradiction among the options; none: the server may start with them.
std::vector<OptionProblem> check_options(const Options& options);

// What is allowed but should be said in the log at the start: durability traded away, an open door.
std::vector<std::string> option_notices(const Options& options);

// The name of a node whose config has no `node-id`: "hostname:raft-port", always one that check_node_id accepts.
std::string default_node_id(std::string_view hostname, uint16_t raft_port);

}  // namespace wh
