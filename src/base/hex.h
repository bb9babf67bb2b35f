// Bytes and numbers as hexadecimal digits, in lower case. Reading them: escapes.h.
#pragma once

#include <cstdint>
#include <string>

namespace wh {

inline void append_hex(std::string& out, uint8_t byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

// All sixteen digits.
inline std::string to_hex(uint64_t value) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) append_hex(out, static_cast<uint8_t>(value >> shift));
  return out;
}

}  // namespace wh
