// Guesses a connection's protocol from its first bytes, so that a log line about a client of the wrong port can say
// what it speaks. For people only: the program decides nothing by it. Called by the ports' owners.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wh {

// This many bytes from a connection's beginning are enough; more are not looked at.
inline constexpr size_t kGuessBytes = 15;

// "TLS", "HTTP", "Redis's protocol", ...; "an unknown protocol (it begins with \x00\x01)" when none matches.
std::string protocol_guess(std::string_view first_bytes);

}  // namespace wh
