// Base64 (RFC 4648, section 4), with its padding. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace wh {

// Appends the text of `bytes`.
void append_base64(std::string& out, std::string_view bytes);
// Nothing for text that append_base64() does not write: another alphabet, blanks, a missing `=`.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace wh
