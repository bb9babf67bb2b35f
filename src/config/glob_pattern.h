// Glob patterns as Redis has them, for CONFIG GET and KEYS. Pure text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wh::config {

// Whether all of `text` matches `pattern`: `*`, `?`, `[abc]`, `[a-z]`, `[^a]`, and `\` before a character to take
// literally. Takes at most |pattern| * |text| steps, whatever the pattern.
enum class Letters : uint8_t { either_case, as_they_are };
bool glob_matches(std::string_view pattern, std::string_view text, Letters letters = Letters::either_case);
// What each text that it matches begins with.
std::string glob_prefix(std::string_view pattern);

}  // namespace wh::config
