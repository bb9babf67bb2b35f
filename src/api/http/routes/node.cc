// What this node has and how it is doing: GET /backup, the state at one index as an SQLite file; /metrics, /healthz,
// /readyz; GET /openapi.json, what all paths are.
#include <array>
#include <utility>

#include "api/http/node_digest.h"
#include "api/http/openapi/openapi.h"
#include "api/http/read_terms.h"
#include "api/http/routes.h"
#include "api/http/streams/backups.h"

namespace wh::api {
namespace {

OrRefusal<RouteCall> begin_backup(RouteRequest& request) {
  return RouteCall{Read{MakeBackup{}}, {.head = request.http.method == http::Method::head}};
}

void finish_backup(const RouteContext& context, const RouteState& state, const Answer& answer,
                   std::function<void(http::Response)> respond) {
  if (state.head) return respond(context.backups.head(answer.index));
  context.backups.begin(std::move(respond));
}

// A read, so that it waits with the other answers, where clients that ask much come last.
OrRefusal<RouteCall> begin_metrics(RouteRequest&) { return RouteCall{Read{ShowMetrics{}}}; }

// Prometheus's text format.
http::Response finish_metrics(const RouteContext&, const RouteState&, const Answer& answer) {
  return {.status = 200,
          .content_type = "text/plain; version=0.0.4; charset=utf-8",
          .headers = {},
          .body = std::get<Report>(answer.body).text};
}

OrRefusal<RouteCall> begin_healthz(RouteRequest&) { return RouteCall{Local{AskAlive{}}}; }

http::Response finish_healthz(const RouteContext& context, const RouteState&, const Answer&) {
  http::Response response = json_response(200, R"({"status":"alive"})");
  response.headers.add(kNodeDigestHeader, node_digest(context.api.node.identity().name));
  return response;
}

OrRefusal<RouteCall> begin_readyz(RouteRequest&) { return RouteCall{Local{AskReady{}}}; }

http::Response finish_readyz(const RouteContext&, const RouteState&, const Answer&) {
  return json_response(200, R"({"status":"ready"})");
}

OrRefusal<RouteCall> begin_openapi(RouteRequest&) { return RouteCall{Local{DescribeApi{}}}; }

http::Response finish_openapi(const RouteContext&, const RouteState&, const Answer&) {
  return {.status = 200, .content_type = "application/json", .headers = {}, .body = openapi_document()};
}

constexpr std::array kRoutesOfNode{
    RouteSpec{.methods = kGet,
              .pattern = "/backup",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams},
              .doc = {.id = "getBackup",
                      .summary = "The state at one index, as an SQLite file.",
                      .answers = {{200, "The file.", {{"application/vnd.sqlite3"}}}},
                      .refusals = {{429, "This node makes a backup for another client."}, {507}}},
              .begin = begin_backup,
              .finish_later = finish_backup},
    RouteSpec{.methods = kGet,
              .pattern = "/metrics",
              .verb = security::Verb::read,
              .inputs = {.anything = true},
              .doc = {.id = "getMetrics",
                      .summary = "Figures for Prometheus.",
                      .answers = {{200, "In Prometheus's text format.", {{"text/plain"}}}}},
              .begin = begin_metrics,
              .finish = finish_metrics},
    RouteSpec{.methods = kGet,
              .pattern = "/openapi.json",
              .verb = security::Verb::read,
              .doc = {.id = "getDescription",
                      .summary = "This document: every path in OpenAPI 3.1.",
                      .answers = {{200, "The document.", {{"application/json", "Description"}}}}},
              .begin = begin_openapi,
              .finish = finish_openapi},
    RouteSpec{.methods = kGet,
              .pattern = "/healthz",
              .verb = security::Verb::open,
              .inputs = {.anything = true},
              .doc = {.id = "askAlive",
                      .summary = "Whether the process is alive.",
                      .answers = {{200, "It is.", json_body("Health")}}},
              .begin = begin_healthz,
              .finish = finish_healthz},
    RouteSpec{.methods = kGet,
              .pattern = "/readyz",
              .verb = security::Verb::open,
              .inputs = {.anything = true},
              .doc = {.id = "askReady",
                      .summary = "Whether this node can serve linearizable requests.",
                      .answers = {{200, "It can.", json_body("Health")}}},
              .begin = begin_readyz,
              .finish = finish_readyz},
};

}  // namespace

std::span<const RouteSpec> node_routes() { return kRoutesOfNode; }

}  // namespace wh::api
