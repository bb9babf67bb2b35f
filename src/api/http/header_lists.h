// Header fields that hold lists: their parts, and the media ranges of Accept (RFC 9110 12.5.1). Pure.
#pragma once

#include <string_view>
#include <vector>

namespace wh::api {

// The parts of a list, without blanks around them; views into `text`.
std::vector<std::string_view> split_list(std::string_view text, char separator);

struct MediaRange {
  std::string_view type;  // as it is written, without parameters
  int weight = 1'000;     // thousandths; 0: not wanted
};
// The ranges of Accept in their order; views into `accept`.
std::vector<MediaRange> media_ranges(std::string_view accept);

}  // namespace wh::api
