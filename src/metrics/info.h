// INFO: what this node says of itself, in Redis's form, section by section; made from the table of figures.
#pragma once

#include <span>
#include <string>

#include "metrics/figures.h"

namespace wh {

// The sections named, whatever the case of the names; none, "default": those that Redis would show; "all",
// "everything": these too that are shown by name only. One that is not known gives nothing.
std::string info_text(const Sources& sources, std::span<const std::string> sections);

}  // namespace wh
