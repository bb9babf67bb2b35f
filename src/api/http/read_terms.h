// What a read asks for in its query, besides what it reads: how fresh the state must be, and as of which index. Reads
// these parameters for all routes that read. Pure; called by HttpFront.
#pragma once

#include "api/calls.h"
#include "api/http/parameter.h"
#include "api/refusal.h"
#include "base/clock.h"
#include "config/options.h"
#include "http/response.h"
#include "http/url.h"
#include "node/node.h"

namespace wh::api {

// The parameters that every read takes; a stream the first two.
inline constexpr Parameter kConsistency{
    .name = "consistency",
    .text =
        "Whether the answer shows every write that was answered before, or this node's own state, which may be "
        "older. Where none is given, the directive read-consistency counts.",
    .choices = {"linearizable", "stale"}};
inline constexpr Parameter kMinIndex{
    .name = "min_index",
    .text =
        "Waits until this node has applied this index, the Wormhole-Index of an earlier answer; 503 after "
        "request-timeout.",
    .type = ParameterType::number};
inline constexpr Parameter kMaxStaleness{.name = "max_staleness",
                                         .text = "Refuses (503) a stale answer whose state may be older than this.",
                                         .type = ParameterType::duration,
                                         .example = "10m"};
inline constexpr Parameters kReadParams{&kConsistency, &kMinIndex, &kMaxStaleness};
inline constexpr Parameters kStreamParams{&kConsistency, &kMinIndex};

// `standard`: the consistency when the query names none. Refuses a value that it does not understand.
OrRefusal<CallOptions> read_params(const http::Params& query, config::ReadConsistency standard);

// Adds Wormhole-Last-Contact to the answer of a stale read, if this node ever heard the leader.
void add_last_contact(http::Response& response, const node::Node& node, Millis now);

}  // namespace wh::api
