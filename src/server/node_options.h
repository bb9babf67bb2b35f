// Translates the options for the node: all of them at its beginning, and again those that may change at run time. The
// only place in server/ that names the node's directives.
#pragma once

#include <string>
#include <vector>

#include "config/options.h"
#include "node/node.h"

namespace wh::server {

// What a node needs besides the options.
struct NodeBeginnings {
  std::vector<std::string> listening;  // addresses of the raft port
  std::string machine_name;
  node::ClusterId fresh_cluster{};  // random
  uint64_t seed = 0;
};

// The highest version of the cluster that a node with these options takes part in.
ClusterVersion version_limit(const config::Options& options);

// `options.node_id` is the name that the disk holds.
node::NodeOptions node_options(const config::Options& options, const NodeBeginnings& beginnings);

// Hands over what may change at run time (OptionPart::node).
void reconfigure(node::Node& node, const config::Options& options);

}  // namespace wh::server
