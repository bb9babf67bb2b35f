// The values of parameters that several routes take: numbers within a range, durations, points in time. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/refusal.h"
#include "base/clock.h"
#include "http/url.h"

namespace wh::api {

// `standard` when the query does not name it.
OrRefusal<uint64_t> number_param(const http::Params& query, std::string_view name, uint64_t least, uint64_t most,
                                 uint64_t standard);
// Nothing when the query does not name it.
OrRefusal<std::optional<Millis>> duration_param(const http::Params& query, std::string_view name, Millis least,
                                                Millis most);

// The same of a value that stands elsewhere; `what` names it.
OrRefusal<Millis> duration_in(std::string_view what, std::string_view text, Millis least, Millis most);
OrRefusal<Millis> timestamp_in(std::string_view what, std::string_view text);

}  // namespace wh::api
