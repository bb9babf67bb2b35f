#include "planted.h"

#include <cstdio>
#include <cstdlib>

namespace wh {
namespace {

constexpr sim::Planted kAll[] = {
#define WH_MUTANT_ROW(name, hazard) {#name, #hazard, Mutant::name, true},
    WH_MUTANT_LIST(WH_MUTANT_ROW)
#undef WH_MUTANT_ROW
#define WH_MUTANT_ROW(name, hazard) {#name, #hazard, Mutant::name, false},
        WH_STORAGE_MUTANT_LIST(WH_MUTANT_ROW)
#undef WH_MUTANT_ROW
#define WH_MUTANT_ROW(name, hazard) {#name, #hazard, Mutant::name, true},
            WH_QUEUE_MUTANT_LIST(WH_MUTANT_ROW) WH_STORE_MUTANT_LIST(WH_MUTANT_ROW)
#undef WH_MUTANT_ROW
};

Mutant named(std::string_view name) {
  for (const sim::Planted& planted : kAll)
    if (planted.name == name) return planted.mutant;
  return Mutant::none;
}

Mutant of_environment() {
  const char* name = std::getenv("WORMHOLE_MUTANT");
  if (name == nullptr || *name == 0) return Mutant::none;
  const Mutant mutant = named(name);
  if (mutant == Mutant::none) {
    std::fprintf(stderr, "no such mutant: %s\n", name);
    std::exit(2);
  }
  return mutant;
}

}  // namespace

Mutant planted_mutant = of_environment();

std::span<const sim::Planted> sim::all_mutants() { return kAll; }

bool sim::plant(std::string_view name) {
  planted_mutant = named(name);
  return planted_mutant != Mutant::none;
}

}  // namespace wh
