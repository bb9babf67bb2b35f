// Time as a value. The core and the node are told the time; only net/ and the simulator have a clock.
#pragma once

#include <cstdint>

namespace wh {
// Milliseconds of a monotonic clock with an arbitrary start.
using Millis = uint64_t;
inline constexpr Millis kNever = UINT64_MAX;
}  // namespace wh
