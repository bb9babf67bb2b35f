// Splits the text of a config file into lines of words (Redis's format). Opens no file and does not know what
// directives mean. Called by the config loader.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/error.h"

namespace wh::config {

constexpr size_t kMaxFileSize = size_t{1} << 20;
constexpr size_t kMaxLineSize = 8192;

struct Line {
  size_t number = 0;               // from 1
  std::string text;                // as it stands in the file, without blanks around it
  std::vector<std::string> words;  // at least one
};

// The lines that hold a directive. Lines end in LF or CRLF; a byte order mark at the start is skipped. Errors: NUL, a
// carriage return elsewhere, a line or text that is too long, unbalanced quotes. `source` is used only in the error.
std::variant<std::vector<Line>, ConfigError> parse(std::string_view source, std::string_view text);

// Splits at blanks. In "...", \n \r \t \b \a \xHH have their usual meanings and `\` before another character means that
// character; in '...' only \' is an escape. A blank must follow a closing quote.
Result<std::vector<std::string>> split_words(std::string_view line);

}  // namespace wh::config
