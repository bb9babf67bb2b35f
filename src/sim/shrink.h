// Makes a failing run smaller by itself: drops faults, then nodes, clients and settings, then takes the seed that fails
// soonest; a step counts only if the run still fails in the same way. The result is one command and a readable trace.
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
  uint64_t runs = 0;  // that shrinking took
};

// Identifies a failure: its text without numbers and nodes' names.
std::string kind_of_failure(const std::string& failure);

// `failing` failed with this seed; `run` runs once, in its own process. At most `max_runs` runs. If the failure does
// not recur, the result's failure is empty.
Shrunk shrink(uint64_t seed, const Options& failing, uint64_t max_runs,
              const std::function<Apart(uint64_t, const Options&)>& run);

}  // namespace wh::sim
