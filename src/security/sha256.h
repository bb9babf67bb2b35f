// SHA-256 of bytes, for values that nobody may make collide. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace wh::security {

// Hashes all parts, each after its length, so that the division into parts counts too.
std::array<uint8_t, 32> sha256(std::span<const std::string_view> parts);

}  // namespace wh::security
