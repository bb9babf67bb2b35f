// SHA-256 of bytes, for what must not be made to collide. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace wh {

// Of all parts, each behind its length: how the bytes are cut counts too.
std::array<uint8_t, 32> sha256(std::span<const std::string_view> parts);

}  // namespace wh
