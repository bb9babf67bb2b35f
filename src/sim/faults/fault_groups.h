// Faults by names that users know, for `wormhole-server --simulate --faults`.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "sim/options.h"

namespace wh::sim {

// "crashes, partitions, ...": all names, separated by commas.
std::string fault_group_names();

// The group of a fault, flaw or aimed fault; empty for another option.
std::string_view fault_group(std::string_view option);

// Keeps only faults of the groups in `list` ("crashes,partitions"; "none"; "all" keeps everything as drawn). A group
// without a drawn fault gets its most usual one. An error says what is wrong with the list.
Status choose_faults(Options& options, std::string_view list);

}  // namespace wh::sim
