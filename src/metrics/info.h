// INFO: what this node reports of itself, in Redis's form, section by section; made from the table of figures.
#pragma once

#include <span>
#include <string>

#include "metrics/figures.h"

namespace wh::metrics {

// The named sections, in any case of letters. No names, or "default": the sections that Redis would show; "all" or
// "everything": also those that are otherwise shown by name only. An unknown name adds nothing.
std::string info_text(const Sources& sources, std::span<const std::string> sections);

}  // namespace wh::metrics
