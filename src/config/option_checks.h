// Checks of the options together: whether they contradict each other, and what the operator should be told. Pure.
// Called after a config was loaded and by CONFIG SET.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/options.h"

namespace wh::config {

struct OptionProblem {
  std::vector<std::string_view> directives;  // the directives it is about, the first is the one to blame
  std::string message;
};

// Every contradiction among the options; empty: the server may start with them.
std::vector<OptionProblem> check_options(const Options& options);

// Warnings for the log about allowed settings: durability traded away, an unprotected port.
std::vector<std::string> option_notices(const Options& options);

// The name of a node whose config has no `node-id`: "hostname:raft-port". check_node_id always accepts it.
std::string default_node_id(std::string_view hostname, uint16_t raft_port);

}  // namespace wh::config
