// Decodes what follows a backslash or a percent sign: hexadecimal digits, and the letters that have a meaning in C and
// Redis.
#pragma once

#include <optional>
#include <string_view>

namespace wh {

// 0 to 15; -1 for any other character.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that the first two characters encode; nothing when they are not two digits.
constexpr std::optional<char> hex_byte(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const int high = hex_digit(text[0]);
  const int low = hex_digit(text[1]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

// What a character after a backslash in double quotes means: a control character or itself (Redis's sdssplitargs).
constexpr char unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

}  // namespace wh
