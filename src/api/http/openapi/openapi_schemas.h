// The bodies of requests and answers, by the names that routes' rows use (route_doc.h). Pure; called by openapi.cc.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "api/http/openapi/json_schema.h"

namespace wh::api {

[[nodiscard]] std::vector<std::pair<std::string_view, Schema>> api_schemas();

}  // namespace wh::api
