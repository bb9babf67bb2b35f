// Guesses from the first bytes of a connection what protocol they are of, so that a log line about one that came to the
// wrong port can say what it looks like. For people only: nothing is decided by it. Called by the ports' owners.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wh {

// Some bytes from a connection's beginning are enough; more are not looked at.
inline constexpr size_t kGuessBytes = 15;

// "TLS", "HTTP", "Redis's protocol", ...; "an unknown protocol (it begins with \x00\x01)" when it is like none of them.
std::string protocol_guess(std::string_view first_bytes);

}  // namespace wh
