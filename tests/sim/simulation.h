// One seed's run: how the cluster comes to be, chaos, then a majority healed for good, which must make progress within
// a bound of virtual time (TigerBeetle's liveness mode), and the verdict.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace wh::sim {

struct RunResult {
  std::string failure;  // empty: all held
  uint64_t digest = 0;  // of all that happened
  uint64_t events = 0;
  uint64_t virtual_ms = 0;
  uint64_t operations = 0;
  std::map<std::string, uint64_t> sometimes;
  std::map<std::string, uint64_t> outcomes;
};

RunResult run_seed(uint64_t seed, bool tracing);

}  // namespace wh::sim
