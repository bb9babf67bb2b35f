// The one place that decides whether a principal may carry out an operation: after a protocol decoded it, before
// anything is submitted. Keeps no state. Called by Calls.
#pragma once

#include <optional>

#include "api/operations.h"
#include "api/refusal.h"
#include "security/principal.h"

namespace wh::api {

// `forbidden`, saying what the principal may not do and to which key or queue; nothing: it may.
[[nodiscard]] std::optional<Refusal> check_access(const security::Principal& principal, const Operation& operation);

}  // namespace wh::api
