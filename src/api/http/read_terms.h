// What a read asks for in its query, besides what it reads: how fresh the state must be, and as of which index. Reads
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

namespace wh::api {

// The parameters that every read takes.
inline constexpr std::string_view kReadParams = "consistency min_index max_staleness";

// `standard`: the consistency when the query names none. Refuses a value that it does not understand.
OrRefusal<CallOptions> read_params(const http::Params& query, config::ReadConsistency standard);

// Adds Wormhole-Last-Contact to the answer of a stale read, if this node ever heard the leader.
http::Response with_last_contact(http::Response response, const node::Node& node, Millis now);

}  // namespace wh::api
