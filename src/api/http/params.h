// The values of parameters that several routes take: numbers within a range, durations, points in time. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/http/parameter.h"
#include "api/queue_operations.h"
#include "api/refusal.h"
#include "base/clock.h"
#include "http/url.h"

namespace wh::api {

// The items that one answer lists.
inline constexpr Parameter kLimit{.name = "limit",
                                  .text = "How many items one answer shows at most.",
                                  .type = ParameterType::number,
                                  .least = 1,
                                  .most = kMaxListed,
                                  .standard = kStandardListed};
inline constexpr Parameter kPrefix{.name = "prefix", .text = "Only what begins with this.", .example = "app/"};

// A number; its standard value, or 0, when the query does not name it.
OrRefusal<uint64_t> number_param(const http::Params& query, const Parameter& parameter);
// A duration; nothing when the query does not name it.
OrRefusal<std::optional<Millis>> duration_param(const http::Params& query, const Parameter& parameter);

// The same of a value that stands elsewhere; `what` names it.
OrRefusal<Millis> duration_in(std::string_view what, std::string_view text, Millis least, Millis most);
OrRefusal<Millis> timestamp_in(std::string_view what, std::string_view text);

}  // namespace wh::api
