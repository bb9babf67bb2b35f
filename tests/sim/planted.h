// The defects of base/mutant.h by name. A program that links this plants the one named in the variable WORMHOLE_MUTANT.
#pragma once

#include <span>
#include <string_view>

#include "base/mutant.h"

namespace wh::sim {

struct Planted {
  const char* name;
  const char* hazard;
  Mutant mutant;
  bool simulated;  // the simulator drives the code that it is in
};
// Those first that the simulator drives.
std::span<const Planted> all_mutants();

// False: none has that name.
bool plant(std::string_view name);

}  // namespace wh::sim
