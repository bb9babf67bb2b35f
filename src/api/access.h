// The one place that says whether a principal may have an operation carried out: after a protocol decoded it, before
// anything is submitted. Judges values; keeps nothing. Called by Calls.
#pragma once

#include <optional>

#include "api/operations.h"
#include "api/refusal.h"
#include "security/principal.h"

namespace wh {

// `forbidden`, saying what he may not do and to which key or queue; nothing: he may.
[[nodiscard]] std::optional<Refusal> check_access(const Principal& principal, const Operation& operation);

}  // namespace wh
