// The table, and what the routes share.
#include "api/http/routes.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "http/json.h"

namespace wh::api {

const std::vector<RouteGroup>& route_groups() {
  static const std::vector<RouteGroup> groups{
      {"events", "One queue, as the Wormhole Connector knows it: the queue named event.", {event_routes()}},
      {"older paths", "Keys, as earlier key-value stores had them: the same keys as the store's.", {key_routes()}},
      {"store", "Keys with conditions, transactions, leases and watches.", {store_routes(), lease_routes()}},
      {"queues",
       "Queues with receipts, delays, groups and dead letters; topics.",
       {queue_routes(), delivery_routes(), queue_admin_routes(), topic_routes()}},
      {"cluster", "Members, leadership, and the settings that all nodes share.", {cluster_routes()}},
      {"node",
       "What this node has, and how it is doing; the page for browsers.",
       {node_routes(), activity_routes(), page_routes()}}};
  return groups;
}

std::span<const RouteSpec> route_table() {
  static const std::vector<RouteSpec> table = [] {
    std::vector<RouteSpec> all;
    for (const RouteGroup& group : route_groups())
      for (const auto& rows : group.rows) all.insert(all.end(), rows.begin(), rows.end());
    return all;
  }();
  return table;
}

const std::string& route_paths() {
  static const std::string paths = [] {
    std::vector<std::string_view> patterns;
    for (const RouteSpec& route : route_table())
      if (std::find(patterns.begin(), patterns.end(), route.pattern) == patterns.end())
        patterns.push_back(route.pattern);
    std::string text;
    for (const std::string_view pattern : patterns) {
      if (!text.empty()) text += pattern == patterns.back() ? " and " : ", ";
      text += pattern;
    }
    return text;
  }();
  return paths;
}

int status_of(RefusalKind kind) {
  switch (kind) {
    case RefusalKind::malformed:
      return 400;
    case RefusalKind::unauthenticated:
      return 401;
    case RefusalKind::forbidden:
      return 403;
    case RefusalKind::not_found:
      return 404;
    case RefusalKind::gone:
      return 410;
    case RefusalKind::wrong_method:
      return 405;
    case RefusalKind::not_presentable:
      return 406;
    case RefusalKind::conflict:
      return 409;
    case RefusalKind::precondition:
      return 412;
    case RefusalKind::too_large:
      return 413;
    case RefusalKind::wrong_type:
      return 415;
    case RefusalKind::unprocessable:
      return 422;
    case RefusalKind::too_many:
      return 429;
    case RefusalKind::unavailable:
    case RefusalKind::overloaded:
    case RefusalKind::elsewhere:
      return 503;
    case RefusalKind::no_room:
      return 507;
    case RefusalKind::unsupported:
      return 501;
    case RefusalKind::timed_out:
      return 504;
  }
  return 500;
}

http::Response refusal_response(const Refusal& refusal, bool changes_state) {
  http::Response response = http::error_response(status_of(refusal.kind), refusal.sentence);
  if (refusal.index) response = with_index(std::move(response), *refusal.index);
  if (refusal.oldest) response.headers.add("Wormhole-Oldest-Index", *refusal.oldest);
  if (changes_state) response.headers.add("Wormhole-Outcome", refusal.not_applied ? "not-applied" : "unknown");
  return response;
}

http::Response json_response(int status, std::string json) {
  json += '\n';
  return {.status = status, .content_type = "application/json", .headers = {}, .body = Bytes(std::move(json))};
}

http::Response empty_response(int status) { return {.status = status, .content_type = {}, .headers = {}, .body = {}}; }

http::Response event_stream_response() {
  return {.status = 200, .content_type = "text/event-stream", .headers = {{"X-Accel-Buffering", "no"}}, .body = {}};
}

void add_index(http::Response& response, raft::Index index) { response.headers.add("Wormhole-Index", index.value); }

http::Response with_index(http::Response response, raft::Index index) {
  add_index(response, index);
  return response;
}

std::optional<Refusal> read_params(RouteRequest& request) {
  if (request.http.body.empty()) return std::nullopt;
  const std::string* type = request.http.header("Content-Type");
  if (type != nullptr && !http::is_media_type(*type, "application/x-www-form-urlencoded"))
    return Refusal{RefusalKind::wrong_type, "a form is expected: application/x-www-form-urlencoded"};
  Result<http::Params> form = http::parse_form(request.http.body);
  if (!form) return malformed(form.error() + ": a form's fields are percent-encoded (curl: --data-urlencode)");
  if (auto refusal = refuse_form(request.inputs, *form)) return refusal;
  for (auto& param : *form) {
    if (http::find_param(request.query, param.first) != nullptr)
      return malformed("'" + param.first + "' stands in the query and in the form");
    request.query.push_back(std::move(param));
  }
  return std::nullopt;
}

std::optional<Refusal> refuse_other_than_json(const http::Request& request, std::string_view what) {
  // curl's -d says form for any body: what counts is whether the body is JSON.
  const std::string* type = request.header("Content-Type");
  if (type != nullptr && !http::is_media_type(*type, "application/json") && !http::is_media_type(*type, "text/json") &&
      !http::is_media_type(*type, "text/plain") && !http::is_media_type(*type, "application/x-www-form-urlencoded"))
    return Refusal{RefusalKind::wrong_type, std::string(what) + " is expected: application/json"};
  return std::nullopt;
}

std::optional<Refusal> read_object(RouteRequest& request) {
  if (auto refusal = refuse_other_than_json(request.http, "a JSON object")) return refusal;
  Result<http::StringPairs> object = http::parse_json_strings(request.http.body, request.inputs.numbers);
  if (!object) return malformed(printable(object.error()));
  if (auto refusal = refuse_json(request.inputs, *object)) return refusal;
  request.object = std::move(*object);
  return std::nullopt;
}

}  // namespace wh::api
