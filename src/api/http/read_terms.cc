#include "api/http/read_terms.h"

#include <string>
#include <utility>

#include "base/duration.h"
#include "config/option_values.h"

namespace wh::api {

OrRefusal<CallOptions> read_params(const http::Params& query, config::ReadConsistency standard) {
  CallOptions params{.read = {.stale = standard == config::ReadConsistency::stale}};
  if (const std::string* wanted = http::find_param(query, "consistency")) {
    if (*wanted != "linearizable" && *wanted != "stale") return malformed("consistency is linearizable or stale");
    params.read.stale = *wanted == "stale";
  }
  if (const std::string* wanted = http::find_param(query, "min_index")) {
    const std::optional<uint64_t> index = config::parse_unsigned(*wanted);
    if (!index) return malformed("min_index is a number: the Wormhole-Index of an answer");
    params.read.min_index = raft::Index{*index};
  }
  if (const std::string* wanted = http::find_param(query, "max_staleness")) {
    params.max_staleness = parse_duration(*wanted);
    if (!params.max_staleness) return malformed("max_staleness is a number and ms, s, m, h or d, such as 500ms or 2s");
  }
  return params;
}

void add_last_contact(http::Response& response, const node::Node& node, Millis now) {
  if (const std::optional<Millis> contact = node.last_contact(now))
    response.headers.add("Wormhole-Last-Contact", *contact);
}

}  // namespace wh::api
