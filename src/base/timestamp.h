// Points in time as people write them: RFC 3339. The only parser and the only writer of them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace wh {

// Milliseconds since 1970 of a date and time with its offset ("2026-11-30T18:05:00.25+01:00"): digits beyond
// milliseconds are cut off, a leap second counts as the second after it, and what is before 1970 is 0. Nothing for any
// other text.
std::optional<Millis> parse_timestamp(std::string_view text);

// In UTC with milliseconds: "2026-11-30T17:05:00.250Z". Up to the year 9999.
std::string format_timestamp(Millis since_1970);

}  // namespace wh
