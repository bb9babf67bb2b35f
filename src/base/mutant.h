// Planted defects for testing the tests: `WH_MUTANT(name)` is the constant false in every build but the simulator's of
// the tests, which compiles the same sources with WH_MUTANTS and plants one defect at a time (tests/sim).
#pragma once

// X(name, hazard): each names the row of tests/HAZARDS.md whose defence it takes out.
#define WH_MUTANT_LIST(X)              \
  X(vote_not_persisted, A1)            \
  X(count_votes_not_voters, A3)        \
  X(commit_older_term_by_counting, B1) \
  X(truncate_unconditionally, B2)      \
  X(commit_to_own_last, B3)            \
  X(acknowledge_before_sync, C1)       \
  X(read_without_noop, E2)             \
  X(read_confirmed_by_any_reply, E4)   \
  X(forward_not_deduplicated, E9)      \
  X(snapshot_forgets_sessions, E11)

#ifdef WH_MUTANTS

#include <cstdint>

namespace wh {
enum class Mutant : uint8_t {
  none,
#define WH_MUTANT_NAME(name, hazard) name,
  WH_MUTANT_LIST(WH_MUTANT_NAME)
#undef WH_MUTANT_NAME
};
extern Mutant planted_mutant;
}  // namespace wh
#define WH_MUTANT(name) (::wh::planted_mutant == ::wh::Mutant::name)

#else

#define WH_MUTANT(name) false

#endif
