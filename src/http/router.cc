#include "http/router.h"

#include <algorithm>
#include <array>
#include <list>
#include <utility>

#include "base/assert.h"
#include "http/url.h"

namespace wh::http {

namespace {

constexpr std::array<Method, 6> kAllowOrder{Method::get, Method::head, Method::post,
                                            Method::put, Method::del,  Method::options};

// The value of Allow for a set of methods.
std::string allow_list(MethodMask methods) {
  std::string list;
  for (const Method method : kAllowOrder) {
    if ((methods & bit(method)) == 0) continue;
    if (!list.empty()) list += ", ";
    list += method_name(method);
  }
  return list;
}

// The methods that a client may use on a route that lists `methods`.
MethodMask served(MethodMask methods) {
  unsigned mask = methods | bit(Method::options);
  if ((methods & bit(Method::get)) != 0) mask |= bit(Method::head);
  return static_cast<MethodMask>(mask);
}

RouteMatch answered(Response response) {
  RouteMatch match;
  match.answer = std::move(response);
  return match;
}

RouteMatch answered_with_allow(Response response, MethodMask methods) {
  response.headers.add("Allow", allow_list(methods));
  return answered(std::move(response));
}

Response no_content() {
  Response response;
  response.status = 204;
  return response;
}

}  // namespace

Router::Router(std::span<const Route> table) {
  for (const Route& route : table) {
    Result<std::vector<std::string>> parts = split_path(route.pattern);
    WH_ASSERT(parts.ok(), "a pattern is a path");
    if (parts->back().empty()) parts->pop_back();
    size_t rest = Compiled::kNone;
    for (std::string& part : *parts) {
      WH_ASSERT(!part.empty(), "a pattern has no empty segments");
      if (part.ends_with("...}")) rest = static_cast<size_t>(&part - parts->data());
      if (part.front() == '{' && part.back() == '}') part.clear();
    }
    WH_ASSERT(route.id >= 0 && route.methods != 0 && (route.methods & bit(Method::options)) == 0, "a complete route");
    const std::string first = parts->empty() ? std::string() : parts->front();
    WH_ASSERT(parts->empty() || !first.empty(), "a pattern begins with a name");
    routes_[first].push_back({route.methods, std::move(*parts), route.id, rest});
  }
}

// The first segment fits already: it chose the routes. A rest may be empty where a trailing slash stands for it: then
// it is a name that is missing.
bool Router::fits(const Compiled& route, const Segments& segments, bool trailing_slash) {
  const std::vector<std::string>& parts = route.segments;
  // Whether the parts from `first` up to `end` are those of the path, which begin `shift` later.
  const auto same = [&](size_t first, size_t end, size_t shift) {
    for (size_t i = first; i < end; ++i)
      if (!parts[i].empty() && parts[i] != segments[i + shift]) return false;
    return true;
  };
  if (route.rest == Compiled::kNone) return segments.size() == parts.size() && same(1, parts.size(), 0);
  const size_t behind = parts.size() - route.rest - 1;
  const size_t least = parts.size() - (behind == 0 && trailing_slash ? 1 : 0);
  return segments.size() >= least && same(1, route.rest, 0) &&
         same(route.rest + 1, parts.size(), segments.size() - parts.size());
}

std::vector<std::string> Router::params_of(const Compiled& route, const Segments& segments, bool trailing_slash) {
  std::vector<std::string> params;
  const bool has_rest = route.rest != Compiled::kNone;
  const size_t behind = has_rest ? route.segments.size() - route.rest - 1 : 0;
  for (size_t i = 0; i < segments.size() && i < route.segments.size() && i != route.rest; ++i)
    if (route.segments[i].empty()) params.emplace_back(segments[i]);
  if (!has_rest) return params;
  std::string rest;
  for (size_t i = route.rest; i + behind < segments.size(); ++i) {
    if (i != route.rest) rest += '/';
    rest += segments[i];
  }
  if (behind == 0 && trailing_slash && segments.size() > route.rest) rest += '/';
  params.push_back(std::move(rest));
  return params;
}

RouteMatch Router::find(Method method, std::string_view path) const {
  if (path == "*") {
    unsigned all = 0;
    for (const auto& [first, routes] : routes_)
      for (const Compiled& route : routes) all |= route.methods;
    return answered_with_allow(no_content(), served(static_cast<MethodMask>(all)));
  }
  std::list<std::string> decoded;
  Result<Segments> parts = split_path(path, decoded);
  if (!parts) return answered(error_response(400, parts.error()));
  Segments& segments = *parts;
  const bool trailing_slash = segments.back().empty();
  if (trailing_slash) segments.pop_back();

  const auto group = routes_.find(segments.empty() ? std::string_view() : segments.front());
  const std::span<const Compiled> routes = group == routes_.end() ? std::span<const Compiled>() : group->second;
  unsigned methods = 0;
  const Compiled* found = nullptr;
  for (const Compiled& route : routes) {
    if (!fits(route, segments, trailing_slash)) continue;
    methods |= route.methods;
    if (found == nullptr && (served(route.methods) & bit(method)) != 0) found = &route;
  }
  if (methods == 0 && trailing_slash) {
    // `/keys/` means `/keys/{key}` with an empty name, not an unknown path.
    segments.emplace_back();
    for (const Compiled& route : routes)
      if (fits(route, segments, false)) return answered(error_response(400, "A name must not be empty"));
  }
  if (methods == 0) return answered(error_response(404, "There is nothing at this path"));
  const MethodMask allowed = served(static_cast<MethodMask>(methods));
  if (method == Method::options) return answered_with_allow(no_content(), allowed);
  if (found == nullptr) return answered_with_allow(error_response(405, "This path does not take this method"), allowed);

  RouteMatch match;
  match.route = found->id;
  match.params = params_of(*found, segments, trailing_slash);
  for (const std::string& param : match.params)
    if (param.empty()) return answered(error_response(400, "A name must not be empty"));
  return match;
}

}  // namespace wh::http
