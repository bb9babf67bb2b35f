// What the node is told of the options: all of them at its beginning, and again those that may change at run time. A
// directive of the node's has its line here and no other in server/.
#pragma once

#include <string>
#include <vector>

#include "config/options.h"
#include "node/node.h"

namespace wh {

// What a node needs besides the options.
struct NodeBeginnings {
  std::vector<std::string> listening;  // addresses of the raft port
  std::string machine_name;
  node::ClusterId fresh_cluster{};  // random
  uint64_t seed = 0;
};

// The highest version of the cluster that a node of these takes part in.
ClusterVersion version_limit(const Options& options);

// `options.node_id` is the name that the disk holds on to.
node::NodeOptions node_options(const Options& options, const NodeBeginnings& beginnings);

// Hands over what may change at run time (OptionPart::node).
void reconfigure(node::Node& node, const Options& options);

}  // namespace wh
