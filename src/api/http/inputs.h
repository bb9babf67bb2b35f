// What a request carries besides its path and its body's bytes: parameters, form fields, members of a JSON object,
// preconditions. What its route does not know is refused (`malformed`) rather than ignored, as its author meant
// something by it. The tables are in routes/; this file says what they mean. Keeps no state. Called by HttpFront
// and the routes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http/parameter.h"
#include "api/refusal.h"
#include "http/request.h"
#include "http/url.h"

namespace wh::api {

struct RouteInputs {
  Parameters query;              // parameters
  Parameters form;               // fields of a form in the body
  Parameters json;               // members of the JSON object in the body
  bool any_members = false;      // in their place any that the client chooses
  bool entity_tags = false;      // evaluates If-Match
  bool not_entity_tags = false;  // evaluates If-None-Match
  bool numbers = false;          // members of the object may be numbers too
  bool idempotency = false;      // takes an Idempotency-Key
  bool any_body = false;         // the body is data of any type
  bool own_body = false;         // the route reads the body by itself: an array, an object of its own kind
  bool anything = false;         // reads none of these, and so accepts all

  // Whether a body has a meaning here.
  [[nodiscard]] constexpr bool reads_body() const {
    return any_body || own_body || any_members || !form.empty() || !json.empty();
  }
};

// Refuses an unknown parameter of the query.
std::optional<Refusal> refuse_query(const RouteInputs& inputs, const http::Params& query);
// Refuses a body on a route that reads none: what stands in it would be ignored.
std::optional<Refusal> refuse_body(const RouteInputs& inputs, std::string_view body);
// Refuses (wrong_type) a body in a coding such as gzip: it would be stored without the word that says so.
std::optional<Refusal> refuse_coding(const RouteInputs& inputs, const http::Request& request);
// Refuses an unknown field of the form.
std::optional<Refusal> refuse_form(const RouteInputs& inputs, const http::Params& form);
// Refuses an unknown member of the object.
std::optional<Refusal> refuse_json(const RouteInputs& inputs, const http::Params& members);
// Refuses a precondition (RFC 9110 13.1) that the route does not evaluate. None evaluates a date: it is accepted only
// beside the entity tag that RFC 9110 13.2.2 puts in its place. If-Range belongs to Range, which is ignored.
std::optional<Refusal> refuse_preconditions(const RouteInputs& inputs, const http::Request& request);

// The Idempotency-Key of a request that changes state; nothing without one. Refused: a malformed key, two keys, or a
// key on a path that keeps no answer.
OrRefusal<std::optional<std::string>> idempotency_key_of(const RouteInputs& inputs, const http::Request& request);

}  // namespace wh::api
