// Searches for the first seed that catches a planted defect. Seeds run in separate processes, since a defect may end in
// an assertion or never end.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "sim/options.h"

namespace wh::sim {

using OptionsOf = std::function<Options(uint64_t seed)>;

struct Catch {
  uint64_t seed;
  std::string how;  // what the failing check or assertion says
};

// The first of `count` seeds from `from` on that fails with what is planted now.
std::optional<Catch> hunt(uint64_t from, uint64_t count, const OptionsOf& options_of);

// The same for one defect, printed. 0: it was caught.
int hunt_one(const char* mutant, uint64_t from, uint64_t count, const OptionsOf& options_of);

}  // namespace wh::sim
