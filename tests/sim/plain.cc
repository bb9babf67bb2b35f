// The simulator with the product's own objects, in which no defect is planted: `make coverage` counts these.
//
//   sim_plain FROM COUNT
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "sim/options.h"
#include "sim/simulation.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "sim_plain FROM COUNT\n");
    return 2;
  }
  const uint64_t from = std::strtoull(argv[1], nullptr, 10);
  const uint64_t count = std::strtoull(argv[2], nullptr, 10);
  wh::set_log_level(wh::LogLevel::warning);
  wh::set_log_sink([](wh::LogLevel, std::string_view) {});
  for (uint64_t seed = from; seed < from + count; ++seed) {
    const wh::sim::RunResult result = wh::sim::run(seed, wh::sim::draw_options(seed), false);
    if (result.failure.empty()) continue;
    std::printf("seed %lu FAILED: %s\n", seed, result.failure.c_str());
    return 1;
  }
  return 0;
}
