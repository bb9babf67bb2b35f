#include "config/error.h"

#include <algorithm>
#include <cstdint>

#include "base/log.h"
#include "config/option_table.h"
#include "config/option_values.h"

namespace wh::config {

std::string ConfigError::to_string() const {
  std::string out = "*** FATAL CONFIG FILE ERROR ***\n" + printable(source);
  if (line != 0) out += ":" + std::to_string(line);
  if (!text.empty()) out += ": '" + text + "'";
  return out + "\n" + expected;
}

std::string shown_line(std::string_view line) {
  constexpr size_t kShown = 200;
  line = trim_blanks(line);
  // Looks at every word, not only the first: two directives joined on one line may hide a secret in the middle.
  size_t end = 0;
  for (bool first = true; end < line.size(); first = false) {
    size_t begin = end;
    while (begin < line.size() && (!is_name_character(line[begin]) || line[begin] == '-')) ++begin;
    end = begin;
    while (end < line.size() && is_name_character(line[end])) ++end;
    const std::string_view word = line.substr(begin, end - begin);
    const bool hides = first ? hides_value(word) : find_option(word) != nullptr && hides_value(word);
    if (hides && end < line.size()) return printable(line.substr(0, std::min(end, kShown))) + " ***";
  }
  if (line.size() <= kShown) return printable(line);
  size_t cut = kShown;
  while (cut > kShown - 4 && (static_cast<uint8_t>(line[cut]) & 0xc0U) == 0x80) --cut;  // do not cut within a character
  return printable(line.substr(0, cut)) + "...";
}

}  // namespace wh::config
