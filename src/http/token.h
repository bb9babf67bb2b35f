// Which bytes a token may hold (RFC 9110 5.6.2): a method, the name of a header field. A table, as the readers of
// requests ask for every byte.
#pragma once

#include <array>
#include <string_view>

namespace wh::http {

inline constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> is{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    is[static_cast<unsigned char>(c)] = true;
  return is;
}();

[[nodiscard]] constexpr bool is_token_byte(unsigned char c) { return kTokenBytes[c]; }

}  // namespace wh::http
