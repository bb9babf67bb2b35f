// Whether heavy tests run at full length: WORMHOLE_SOAK=1, as `make test-soak` has it. Without it they do a part of it that
// takes seconds.
#pragma once

#include <cstdlib>
#include <string_view>

namespace wh::testing {

inline bool soak() {
  const char* text = std::getenv("WORMHOLE_SOAK");
  return text != nullptr && std::string_view(text) == "1";
}

}  // namespace wh::testing
