#include "config/glob_pattern.h"

#include <cstddef>

namespace wh::config {
namespace {

// The form in which a letter is compared.
char lower(char c, Letters letters) {
  return letters == Letters::either_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// One element of a pattern that stands for one character: its length, and whether it matches the character.
struct Element {
  size_t length;
  bool matches;
};

// `[...]`: as in Redis, a class that is never closed reaches to the end of the pattern.
Element match_class(std::string_view pattern, char c, Letters letters) {
  size_t i = 1;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  bool found = false;
  while (i < pattern.size() && pattern[i] != ']') {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      found = found || lower(pattern[i + 1], letters) == c;
      i += 2;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      char low = lower(pattern[i], letters);
      char high = lower(pattern[i + 2], letters);
      if (low > high) {
        const char swapped = low;
        low = high;
        high = swapped;
      }
      found = found || (c >= low && c <= high);
      i += 3;
    } else {
      found = found || lower(pattern[i], letters) == c;
      ++i;
    }
  }
  return {i < pattern.size() ? i + 1 : i, found != negated};
}

Element match_one(std::string_view pattern, char c, Letters letters) {
  c = lower(c, letters);
  if (pattern[0] == '?') return {1, true};
  if (pattern[0] == '[') return match_class(pattern, c, letters);
  if (pattern[0] == '\\' && pattern.size() > 1) return {2, lower(pattern[1], letters) == c};
  return {1, lower(pattern[0], letters) == c};
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text, Letters letters) {
  size_t p = 0;
  size_t t = 0;
  // Only the last star needs another try with more text: the text that earlier stars took can stay.
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_text = t;
      continue;
    }
    if (p < pattern.size()) {
      const Element element = match_one(pattern.substr(p), text[t], letters);
      if (element.matches) {
        p += element.length;
        ++t;
        continue;
      }
    }
    if (star == std::string_view::npos) return false;
    p = star;
    t = ++star_text;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string glob_prefix(std::string_view pattern) {
  std::string prefix;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '*' || pattern[i] == '?' || pattern[i] == '[') break;
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    prefix += pattern[i];
  }
  return prefix;
}

}  // namespace wh::config
