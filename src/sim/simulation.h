// One seed's run: how the cluster comes to be, chaos, then a majority healed for good, which must make progress within
// a bound of virtual time (TigerBeetle's liveness mode), and the verdict.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "sim/options.h"
#include "sim/situations.h"

namespace wh::sim {

struct RunResult {
  std::string failure;  // empty: nothing failed
  uint64_t digest = 0;  // of everything that happened
  uint64_t events = 0;
  uint64_t virtual_ms = 0;
  uint64_t operations = 0;
  Situations seen;
  std::map<std::string, uint64_t> outcomes;
};

// Runs with these options, usually draw_options(seed). `tracing`: prints everything that happens.
RunResult run(uint64_t seed, const Options& options, bool tracing);

}  // namespace wh::sim
