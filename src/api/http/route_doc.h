// What a route's row says of itself for GET /openapi.json besides what it serves by (routes.h): its name, sentences,
// the bodies and the answers. What all routes have, and what follows from the row's other fields, openapi.cc adds.
// Values.
#pragma once

#include <string_view>

#include "api/http/parameter.h"
#include "base/short_list.h"

namespace wh::api {

// One form of a body.
struct Content {
  std::string_view type;      // "application/json"; "*/*": any
  std::string_view schema{};  // a name in openapi_schemas.cc; empty: bytes
};
using Contents = ShortList<Content, 4>;

constexpr Contents json_body(std::string_view schema) { return {{"application/json", schema}}; }
inline constexpr Contents kAnyBytes{{"*/*"}};

// An answer to a request that was done, or that found things as they were (304).
struct AnswerDoc {
  int status = 200;
  std::string_view text;  // a sentence
  Contents body{};
  ShortList<const Parameter*, 6> fields{};  // of the header, besides those of all routes
};

// An answer to a request that was refused.
struct RefusalDoc {
  int status = 400;
  std::string_view text;  // why here, a sentence; empty: what openapi.cc says of the status
};

struct RouteDoc {
  std::string_view id;       // unique; of a row with several methods that of POST
  std::string_view summary;  // a sentence
  ShortList<AnswerDoc, 4> answers{};
  ShortList<RefusalDoc, 8> refusals{};
  // Of a request, besides a form or an object of members (RouteInputs).
  Contents body{};
  bool body_optional = false;
  ShortList<const Parameter*, 2> fields{};  // of the request's header, that RouteInputs does not know
};

}  // namespace wh::api
