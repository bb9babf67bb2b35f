#include "machine/queue/filter.h"

#include "machine/command/event_headers.h"

namespace wh::machine {

// Two pointers: after a mismatch only the last `*` takes one character more (HAZARDS Q39).
bool pattern_matches(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t taken = 0;  // where the text after that star's characters begins
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool filter_fits(const Filter& filter, std::string_view packed) {
  for (const auto& [attribute, pattern] : filter) {
    const auto value = attribute_in(packed, attribute);
    if (!value || !pattern_matches(pattern, *value)) return false;
  }
  return true;
}

}  // namespace wh::machine
