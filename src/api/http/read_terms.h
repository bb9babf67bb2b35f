// What a read asks for in its query, beside what it reads: how fresh it must be, and as of which index. One reading of
// these parameters for all routes that read. Pure; called by HttpFront.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "config/options.h"
#include "http/response.h"
#include "http/url.h"
#include "node/node.h"

namespace wh {

// The parameters that every read takes.
inline constexpr std::string_view kReadParams = "consistency min_index max_staleness";

struct ReadParams {
  node::ReadTerms terms;
  std::optional<Millis> max_staleness;  // of a stale read; one that is linearizable is as fresh as can be
};

// `standard`: what counts where the query does not say. 400 for a value that cannot be understood.
std::variant<ReadParams, http::Response> read_params(const http::Params& query, ReadConsistency standard);

// 503 when the state is older than `params` allows, or nothing is known of its age.
std::optional<http::Response> refuse_stale(const ReadParams& params, const node::Node& node, Millis now);

// Adds Wormhole-Last-Contact to the answer of a stale read, where the leader was ever heard.
http::Response with_last_contact(http::Response response, const node::Node& node, Millis now);

}  // namespace wh
