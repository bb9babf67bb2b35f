// What a read asks for in its query, beside what it reads: how fresh it must be, and as of which index. One reading of
// these parameters for all routes that read. Pure; called by HttpFront.
#pragma once

#include <string_view>

#include "api/calls.h"
#include "api/refusal.h"
#include "base/clock.h"
#include "config/options.h"
#include "http/response.h"
#include "http/url.h"
#include "node/node.h"

namespace wh {

// The parameters that every read takes.
inline constexpr std::string_view kReadParams = "consistency min_index max_staleness";

// `standard`: what counts where the query does not say. Refused is a value that cannot be understood.
OrRefusal<CallOptions> read_params(const http::Params& query, ReadConsistency standard);

// Adds Wormhole-Last-Contact to the answer of a stale read, where the leader was ever heard.
http::Response with_last_contact(http::Response response, const node::Node& node, Millis now);

}  // namespace wh
