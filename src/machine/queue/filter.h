// The filter of a topic's binding: attributes and patterns. Pure.
#pragma once

#include <string_view>

#include "machine/queue/queues.h"

namespace wh::machine {

// Whether all of `text` matches: `*` stands for any characters, `?` for one. At most |pattern| * |text| steps.
bool pattern_matches(std::string_view pattern, std::string_view text);

// Whether each attribute of the filter is there and matches. `packed`: pack_headers().
bool filter_fits(const Filter& filter, std::string_view packed);

}  // namespace wh::machine
