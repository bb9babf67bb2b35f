// Planted defects for testing the tests: `WH_MUTANT(name)` is the constant false in every build but the simulator's,
// which compiles the same sources with WH_MUTANTS and plants one defect at a time (tests/sim).
#pragma once

#ifdef WH_MUTANTS

#include <cstdint>

namespace wh {
enum class Mutant : uint8_t {
  none,
  vote_not_persisted,
  acknowledge_before_sync,
  commit_older_term_by_counting,
  count_votes_not_voters,
  truncate_unconditionally,
  commit_to_own_last,
  read_confirmed_by_any_reply,
  read_without_noop,
  forward_not_deduplicated,
  snapshot_forgets_sessions,
};
extern Mutant planted_mutant;
}  // namespace wh
#define WH_MUTANT(name) (::wh::planted_mutant == ::wh::Mutant::name)

#else

#define WH_MUTANT(name) false

#endif
