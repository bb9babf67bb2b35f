// A discarded state. Freeing 10^6 items at once would hold up the loop for a quarter of a second; this frees them a few
// at a time. Destroying it frees the rest.
#pragma once

#include <cstddef>
#include <utility>

#include "machine/state.h"

namespace wh::machine {

class Discarded {
 public:
  explicit Discarded(State state) : state_(std::move(state)) {}
  // Frees about `units` more: an item is one unit, plus one for each 16 KiB of it. Returns true while there are more.
  bool free_some(size_t units);

 private:
  State state_;
};

}  // namespace wh::machine
