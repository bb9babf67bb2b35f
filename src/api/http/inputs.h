// What a request carries besides its path and its body's bytes: parameters, form fields, members of a JSON object,
// preconditions. Whatever its route does not know is refused (`malformed`) rather than ignored: what somebody wrote, he
// meant. The tables are in routes.cc; here is what they mean. Judges values; keeps nothing. Called by HttpFront and the
// routes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/refusal.h"
#include "http/request.h"
#include "http/url.h"

namespace wh {

// Names are parted by spaces: "key value". They are literals.
struct RouteInputs {
  std::string_view query;        // parameters
  std::string_view form;         // fields of a form in the body
  std::string_view json;         // members of the JSON object in the body; "*": they are the client's own
  bool entity_tags = false;      // evaluates If-Match
  bool not_entity_tags = false;  // evaluates If-None-Match
  bool numbers = false;          // members of the object may be numbers too
  bool idempotency = false;      // takes an Idempotency-Key
  bool anything = false;         // looks at nothing, and so takes all
};

// For a parameter of the query that is not known.
std::optional<Refusal> refuse_query(const RouteInputs& inputs, const http::Params& query);
// For a field that is not known.
std::optional<Refusal> refuse_form(const RouteInputs& inputs, const http::Params& form);
// For a member that is not known.
std::optional<Refusal> refuse_json(const RouteInputs& inputs, const http::Params& members);
// For a precondition (RFC 9110 13.1) that the route does not evaluate. A date's is evaluated nowhere: it is taken
// only beside the entity tag's that RFC 9110 13.2.2 puts in its place. If-Range goes with Range, which is ignored.
std::optional<Refusal> refuse_preconditions(const RouteInputs& inputs, const http::Request& request);

// The Idempotency-Key of a request that changes state; nothing without one. Refused: one that is none, two, or one
// where no answer is kept.
OrRefusal<std::optional<std::string>> idempotency_key_of(const RouteInputs& inputs, const http::Request& request);

}  // namespace wh
