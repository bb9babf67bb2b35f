#include "api/http/read_terms.h"

#include <string>
#include <utility>

#include "base/duration.h"
#include "config/option_values.h"

namespace wh {

std::variant<ReadParams, http::Response> read_params(const http::Params& query, ReadConsistency standard) {
  ReadParams params{.terms = {.stale = standard == ReadConsistency::stale}, .max_staleness = std::nullopt};
  if (const std::string* wanted = http::find_param(query, "consistency")) {
    if (*wanted != "linearizable" && *wanted != "stale")
      return http::error_response(400, "consistency is linearizable or stale");
    params.terms.stale = *wanted == "stale";
  }
  if (const std::string* wanted = http::find_param(query, "min_index")) {
    const std::optional<uint64_t> index = parse_unsigned(*wanted);
    if (!index) return http::error_response(400, "min_index is a number: the Wormhole-Index of an answer");
    params.terms.min_index = raft::Index{*index};
  }
  if (const std::string* wanted = http::find_param(query, "max_staleness")) {
    params.max_staleness = parse_duration(*wanted);
    if (!params.max_staleness)
      return http::error_response(400, "max_staleness is a number and ms, s, m, h or d, such as 500ms or 2s");
  }
  return params;
}

std::optional<http::Response> refuse_stale(const ReadParams& params, const node::Node& node, Millis now) {
  if (!params.terms.stale || !params.max_staleness) return std::nullopt;
  const std::optional<Millis> age = node.staleness(now);
  if (age && *age <= *params.max_staleness) return std::nullopt;
  const std::string why = age ? "this node's state may be " + std::to_string(*age) + " ms old"
                              : "this node does not know how old its state is: it has not caught up with a leader yet";
  return http::error_response(503, why + "; max_staleness allows " + std::to_string(*params.max_staleness) + " ms");
}

http::Response with_last_contact(http::Response response, const node::Node& node, Millis now) {
  if (const std::optional<Millis> contact = node.last_contact(now))
    response.headers.push_back({"Wormhole-Last-Contact", std::to_string(*contact)});
  return response;
}

}  // namespace wh
