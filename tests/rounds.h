// How many rounds a randomized test runs: its own count, scaled by WORMHOLE_TEST_SCALE (per cent).
#pragma once

#include <algorithm>
#include <cstdlib>

namespace wh::testing {

inline unsigned rounds(unsigned count) {
  const char* text = std::getenv("WORMHOLE_TEST_SCALE");
  const double percent = text == nullptr ? 100 : std::clamp(std::atof(text), 0.0, 10'000.0);
  return static_cast<unsigned>(std::clamp(count * percent / 100, 1.0, 4e9));
}

}  // namespace wh::testing
