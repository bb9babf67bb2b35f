// A table of routes and the one way to look a request up in it. Has no routes of its own: the server's table gives
// them. Knows methods and paths, nothing of queries, bodies or what a route does.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"
#include "http/response.h"

namespace wh::http {

// A set of methods: `bit(Method::get) | bit(Method::post)`.
using MethodMask = uint8_t;
[[nodiscard]] constexpr MethodMask bit(Method method) {
  return static_cast<MethodMask>(1U << static_cast<unsigned>(method));
}

struct Route {
  MethodMask methods;        // GET brings HEAD; OPTIONS is answered here and never stands in a table
  std::string_view pattern;  // "/keys/{key}": names between braces are parameters; a trailing slash means nothing
  int id;                    // what the server calls it; not negative
};

// What a path led to: either an answer that is ready (404, 405 with Allow, 400, OPTIONS' 204), or a route with its
// parameters decoded, in the pattern's order, none of them empty.
struct RouteMatch {
  std::optional<Response> answer;
  int route = -1;
  std::vector<std::string> params;
};

class Router {
 public:
  // The table is read once; of two patterns that fit, the first counts.
  explicit Router(std::span<const Route> table);

  // `path` is Request::path: still encoded, decoded once here (a '+' is one, %2F is data). A trailing slash is
  // optional; an extra slash elsewhere is 404, an invalid escape or an empty name 400.
  [[nodiscard]] RouteMatch find(Method method, std::string_view path) const;

 private:
  struct Compiled {
    MethodMask methods;
    std::vector<std::string> segments;  // a parameter is an empty one
    int id;
  };
  // Whether a pattern fits; a parameter takes any segment.
  static bool fits(const Compiled& route, const std::vector<std::string>& segments);

  std::vector<Compiled> routes_;
};

}  // namespace wh::http
