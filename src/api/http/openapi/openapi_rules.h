// What GET /openapi.json says of all routes, and of a route by its row's other fields than its RouteDoc: names in
// paths, header fields, refusals. Pure; called by openapi.cc.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/routes.h"
#include "http/request.h"

namespace wh::api {

// "/kv/{key...}/incr" as OpenAPI writes it.
[[nodiscard]] std::string openapi_path(std::string_view pattern);
// A name of a pattern.
[[nodiscard]] const Parameter& path_parameter(std::string_view pattern, std::string_view name);

// The fields of a request's header.
[[nodiscard]] std::vector<const Parameter*> request_fields_of(const RouteSpec& row);
// Those that several routes have.
[[nodiscard]] std::span<const Parameter* const> header_parameters();
// The fields of an answer's header that its row does not name.
[[nodiscard]] std::vector<const Parameter*> fields_of(const RouteSpec& row);

struct StatusDoc {
  int status;
  std::string_view text;
  ShortList<const Parameter*, 8> fields{};
};
// Of all refusals, and of 304.
[[nodiscard]] std::span<const StatusDoc> status_docs();
// Those of a row, with its own words where it has some.
[[nodiscard]] std::map<int, std::string_view> refusals_of(const RouteSpec& row, http::Method method);

}  // namespace wh::api
