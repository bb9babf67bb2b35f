// GET /openapi.json: the HTTP API as an OpenAPI 3.1 document, made from the table of routes that serves the requests.
// What a row says is in the row (routes.h, route_doc.h); what holds for all routes, or follows from a row's fields, is
// here. Pure; called by the route and the tests.
#pragma once

#include <set>
#include <string>

#include "api/http/routes.h"
#include "base/bytes.h"

namespace wh::api {

// Made by the first call.
const Bytes& openapi_document();

// The statuses that a request of this method may get from this row, those of a bad request included; HEAD is as GET.
[[nodiscard]] std::set<int> documented_statuses(const RouteSpec& route, http::Method method);

}  // namespace wh::api
