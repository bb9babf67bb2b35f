// wormhole-cli(1), made from the table. Pure. Called by main; `make install` writes it to its place.
#pragma once

#include <string>
#include <string_view>

namespace wh::cli {

// In roff with the macros of man(7). `date` is that of the release, as in 2027-01-31; may be empty.
std::string man_page(std::string_view date);

}  // namespace wh::cli
