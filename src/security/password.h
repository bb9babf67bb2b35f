// Compares passwords in a time that does not depend on how much of them is right (HAZARDS H21).
#pragma once

#include <string_view>

namespace wh::security {

// Compares the SHA-256 of both in constant time.
bool same_secret(std::string_view given, std::string_view wanted);

// Whether an Authorization field carries the password: `Bearer PASSWORD`, or `Basic` with it as password (any user).
bool authorization_has(std::string_view field, std::string_view wanted);

}  // namespace wh::security
