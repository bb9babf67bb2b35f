// Whether heavy tests run at full length: with WORMHOLE_SOAK=1, which `make test-soak` sets. Otherwise they run a part
// that takes seconds.
#pragma once

#include <cstdlib>
#include <string_view>

namespace wh::testing {

inline bool soak() {
  const char* text = std::getenv("WORMHOLE_SOAK");
  return text != nullptr && std::string_view(text) == "1";
}

}  // namespace wh::testing
