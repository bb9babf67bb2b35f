// UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <string_view>

namespace wh {

// The length of the well-formed sequence at the start of `text`, 1 to 4; 0 when there is none.
size_t utf8_sequence(std::string_view text);

bool is_utf8(std::string_view text);

// Whether UTF-8 text has a control character of C0 or C1, or a noncharacter (Unicode 23.7).
bool has_control_or_noncharacter(std::string_view text);

// UTF-8 without control characters.
bool is_plain_text(std::string_view text);

}  // namespace wh
