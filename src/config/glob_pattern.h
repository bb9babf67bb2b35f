// Glob patterns as Redis has them, for CONFIG GET. Pure text.
#pragma once

#include <string_view>

namespace wh::config {

// Whether all of `text` matches `pattern`: `*`, `?`, `[abc]`, `[a-z]`, `[^a]`, and `\` before a character to take
// literally. Letters match in either case. Takes at most |pattern| * |text| steps, whatever the pattern.
bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace wh::config
