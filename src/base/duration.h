// Durations as people write them in requests: a whole number and a unit. The only parser of them, for paths, headers
// and settings. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace wh {

// "250ms", "30s", "10m", "12h", "7d"; a bare number counts seconds. Nothing for any other text, and above
// kLongestDuration.
inline constexpr Millis kLongestDuration = Millis{1000} * 60 * 60 * 24 * 36500;  // a hundred years
std::optional<Millis> parse_duration(std::string_view text);

// The shortest such text that means exactly `ms`: "10m", "1500ms".
std::string format_duration(Millis ms);

}  // namespace wh
