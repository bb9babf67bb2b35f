// What a browser and a newcomer meet first: GET /ui, the page (ui/), and GET /, which leads browsers there and tells
// all others the paths. Both show nothing of the data, so they need no password.
#include "ui/page.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/header_lists.h"
#include "api/http/routes.h"
#include "http/entity_tag.h"
#include "http/request.h"

namespace wh::api {
namespace {

OrRefusal<RouteCall> begin_page(RouteRequest&) { return RouteCall{Local{ShowPage{}}}; }

http::Response finish_page(const RouteContext&, const RouteState&, const Answer&) {
  static const Bytes page{std::string(ui::page())};
  return {.status = 200,
          .content_type = "text/html; charset=utf-8",
          .headers = {{"Content-Security-Policy", std::string(ui::content_security_policy())},
                      {"Referrer-Policy", "no-referrer"}},
          .body = page};
}

// A browser names text/html in Accept; curl and most libraries say */*.
OrRefusal<RouteCall> begin_root(RouteRequest& request) {
  const std::optional<std::string> accept = http::joined_fields(request.http, "Accept");
  const std::vector<MediaRange> ranges = media_ranges(accept ? std::string_view(*accept) : std::string_view());
  const bool html = std::any_of(ranges.begin(), ranges.end(), [](const MediaRange& range) {
    return http::equals_ignoring_case(range.type, "text/html") && range.weight > 0;
  });
  return RouteCall{Local{ShowPage{}}, {.html = html}};
}

// The location is relative, for a proxy that serves this under a prefix.
http::Response finish_root(const RouteContext&, const RouteState& state, const Answer&) {
  if (state.html) {
    http::Response response = empty_response(302);
    response.headers.add("Location", "ui");
    response.headers.add("Vary", "Accept");
    return response;
  }
  return {.status = 200,
          .content_type = "text/plain; charset=utf-8",
          .headers = {{"Vary", "Accept"}},
          .body = Bytes("This is Wormhole " WORMHOLE_VERSION
                        ": an event queue and a key-value store. The page for browsers is /ui; each path is "
                        "described in /openapi.json.\nPaths: " +
                        route_paths() + "\n")};
}

constexpr std::array kRoutesOfPage{
    RouteSpec{.methods = kGet,
              .pattern = "/",
              .verb = security::Verb::open,
              .guarded = true,
              .inputs = {.anything = true},
              .doc = {.id = "getPaths",
                      .summary = "The paths, in words; a browser is led to the page.",
                      .answers = {{200, "The paths.", {{"text/plain"}}},
                                  {302, "To the page, where Accept names text/html.", {}, {&kLocationField}}}},
              .begin = begin_root,
              .finish = finish_root},
    RouteSpec{.methods = kGet,
              .pattern = "/ui",
              .verb = security::Verb::open,
              .guarded = true,
              .inputs = {.anything = true},
              .doc = {.id = "getPage",
                      .summary = "The page for browsers: the cluster, its queues and its keys.",
                      .answers = {{200, "The page, which asks for the password itself.", {{"text/html"}}}}},
              .begin = begin_page,
              .finish = finish_page},
};

}  // namespace

std::span<const RouteSpec> page_routes() { return kRoutesOfPage; }

}  // namespace wh::api
