// A client's own name for its request: a repeated request gets the first answer (CONTRACT, Asking again).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace wh::machine {

inline constexpr size_t kMaxIdempotencyKeyBytes = 255;

// Tells different requests under the same idempotency key apart.
using Fingerprint = std::array<uint8_t, 16>;

struct IdempotencyKey {
  std::string_view key;  // 1 to kMaxIdempotencyKeyBytes
  Fingerprint fingerprint{};
  friend bool operator==(const IdempotencyKey&, const IdempotencyKey&) = default;
};

}  // namespace wh::machine
