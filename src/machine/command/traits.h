// What is said of a command kind once, in its struct, as `static constexpr CommandTraits kTraits`: its number in the
// log, the cluster version that it came with, and what the node must know without running it.
#pragma once

#include <cstdint>

#include "base/cluster_version.h"

namespace wh::machine {

struct CommandTraits {
  uint8_t kind;  // stored in the log: never renumbered, never given twice
  ClusterVersion since;
  bool adds_data = false;    // may make the state larger: refused when there is no room
  bool leaders_own = false;  // proposed by a leader of its own accord: no client can ask for it
};

}  // namespace wh::machine
