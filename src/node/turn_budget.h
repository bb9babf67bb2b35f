// The time that one turn of the node may take. Bounds of entries, items and bytes do not bound it: the same work takes
// ten times as long where memory is new, or cold. So the parts of a turn that may be long ask between their pieces, of
// some microseconds each, whether the time is spent, and leave the rest to the next turn. Each does at least one piece,
// and those that must not fall behind, applying and freeing, have a part of the time for themselves.
// Owned by Context; drain() begins it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace wh::node {

class TurnBudget {
 public:
  // In microseconds, monotonic. Null: there is always time, as in the simulator, in which work takes none.
  using Clock = uint64_t (*)();

  TurnBudget(Clock clock, uint64_t limit_us) : clock_(clock), limit_us_(limit_us) {}
  void begin() {
    if (clock_ != nullptr) ends_at_ = clock_() + limit_us_;
  }
  // From here on one `share`th of the limit is left, however much was used before.
  void begin_part(uint64_t share) {
    if (clock_ != nullptr) ends_at_ = std::max(ends_at_, clock_() + limit_us_ / share);
  }
  // Reads the clock.
  [[nodiscard]] bool spent() const { return clock_ != nullptr && clock_() >= ends_at_; }

  // Calls `some(n)` for pieces of up to `units` units in all, for as long as it returns true, "there is more", and
  // there is time. Returns whether there is more.
  template <typename Some>
  bool use(size_t units, const Some& some) const {
    constexpr size_t kPiece = 64;
    for (size_t done = 0; done < units; done += kPiece) {
      if (!some(std::min(kPiece, units - done))) return false;
      if (spent()) break;
    }
    return true;
  }

 private:
  Clock clock_;
  uint64_t limit_us_;
  uint64_t ends_at_ = 0;
};

}  // namespace wh::node
