// Faults by the names that a user would say, for `wormhole-server --simulate --faults`.
#pragma once

#include <string>
#include <string_view>

#include "sim/options.h"

namespace wh::sim {

// "crashes, partitions, ...": all names, with commas between.
std::string fault_group_names();

// The group that a fault, flaw or aimed fault belongs to; empty for another option.
std::string_view fault_group(std::string_view option);

// Leaves only faults of the groups in `list` ("crashes,partitions"; "none"; "all" leaves all as drawn). A group of
// which the seed drew nothing gets its most usual fault. Empty, or what is wrong with the list.
std::string choose_faults(Options& options, std::string_view list);

}  // namespace wh::sim
