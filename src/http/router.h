// A table of routes, and the one way to look up a request in it. Has no routes itself: the server's table gives them.
// Knows methods and paths, but not queries, bodies or what a route does.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
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
  MethodMask methods;  // GET implies HEAD; OPTIONS is answered here and never in a table
  // "/keys/{key}", which begins with a name and not with a parameter, or "/": names in braces are parameters; a
  // trailing slash does not count. One like {key...} takes any number of segments with the slashes between them, and at
  // the pattern's end a trailing slash too.
  std::string_view pattern;
  int id;  // the server's number for the route; not negative
};

// What a path leads to: either a finished answer (404, 405 with Allow, 400, 204 for OPTIONS), or a route with its
// decoded parameters in the pattern's order, none of them empty.
struct RouteMatch {
  std::optional<Response> answer;
  int route = -1;
  std::vector<std::string> params;
};

class Router {
 public:
  // Reads the table once; of two patterns that fit, the first counts.
  explicit Router(std::span<const Route> table);

  // `path` is Request::path: still encoded, decoded once here (a '+' stays a '+', %2F is data). A trailing slash is
  // optional; an extra slash elsewhere gives 404, an invalid escape or an empty name 400.
  [[nodiscard]] RouteMatch find(Method method, std::string_view path) const;

 private:
  struct Compiled {
    MethodMask methods;
    std::vector<std::string> segments;  // an empty one is a parameter
    int id;
    size_t rest = kNone;  // of these, the one that takes any number
    static constexpr size_t kNone = SIZE_MAX;
  };
  // Whether a pattern fits; a parameter takes any segment.
  using Segments = std::vector<std::string_view>;
  static bool fits(const Compiled& route, const Segments& segments, bool trailing_slash);
  static std::vector<std::string> params_of(const Compiled& route, const Segments& segments, bool trailing_slash);

  // The routes that begin with one name, in the table's order: a path is compared with these alone.
  std::map<std::string, std::vector<Compiled>, std::less<>> routes_;
};

}  // namespace wh::http
