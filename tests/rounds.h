// How often a randomized test goes round: its count, or the part of it that WORMHOLE_TEST_SCALE (per cent) leaves.
#pragma once

#include <algorithm>
#include <cstdlib>

namespace wh::testing {

inline unsigned rounds(unsigned count) {
  const char* text = std::getenv("WORMHOLE_TEST_SCALE");
  return text == nullptr ? count : std::max(1u, static_cast<unsigned>(count * std::atof(text) / 100));
}

}  // namespace wh::testing
