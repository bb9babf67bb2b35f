#include "api/http/header_lists.h"

#include <algorithm>

#include "config/option_values.h"

namespace wh::api {
namespace {

// A weight as thousandths (RFC 9110 12.4.2); 1000 where none is written.
int weight_of(const std::vector<std::string_view>& range) {
  for (size_t i = 1; i < range.size(); ++i) {
    if (!range[i].starts_with("q=") && !range[i].starts_with("Q=")) continue;
    const std::string_view text = range[i].substr(2);
    if (text.starts_with('1')) return 1'000;
    int weight = 0;
    for (size_t k = 2; k < 5; ++k) weight = weight * 10 + (k < text.size() && text[k] >= '0' ? text[k] - '0' : 0);
    return std::min(weight, 1'000);
  }
  return 1'000;
}

}  // namespace

std::vector<std::string_view> split_list(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    parts.push_back(config::trim_blanks(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::vector<MediaRange> media_ranges(std::string_view accept) {
  std::vector<MediaRange> ranges;
  for (const std::string_view range : split_list(accept, ','))
    if (const auto parts = split_list(range, ';'); !parts.empty()) ranges.push_back({parts[0], weight_of(parts)});
  return ranges;
}

}  // namespace wh::api
