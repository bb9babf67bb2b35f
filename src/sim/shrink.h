// Makes a failing run smaller, by itself: faults are left out, then nodes, clients and settings, then the seed is
// exchanged for the one that fails soonest; each step counts only while the run still fails in the same way. What is
// left is one command and a trace that can be read.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/campaign.h"

namespace wh::sim {

struct Shrunk {
  uint64_t seed = 0;
  Options options;
  Apart result;       // of that run
  uint64_t runs = 0;  // that it took
};

// How a failure is told from another: its text without numbers and nodes' names.
std::string kind_of_failure(const std::string& failure);

// `failing` ran into a failure with this seed; `run` runs once, apart. At most `max_runs` runs. When the failure does
// not come again, the result's failure is empty.
Shrunk shrink(uint64_t seed, const Options& failing, uint64_t max_runs,
              const std::function<Apart(uint64_t, const Options&)>& run);

}  // namespace wh::sim
