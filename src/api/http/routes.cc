// The table itself, and what the routes share.
#include "api/http/routes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/http/read_terms.h"
#include "base/log.h"
#include "http/json.h"

namespace wh {
namespace {

using http::bit;
using http::Method;

constexpr http::MethodMask kGet = bit(Method::get);
constexpr http::MethodMask kPost = bit(Method::post);
constexpr http::MethodMask kDelete = bit(Method::del);

constexpr std::string_view kJoin = "nodeId raftPort host";

// Of Prometheus's text format.
constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

http::Response finish_metrics(const RouteContext& context, const RouteState&, const node::Completion&) {
  return {.status = 200, .content_type = std::string(kMetricsContentType), .headers = {}, .body = context.metrics()};
}

constexpr std::array kRoutes{
    RouteSpec{.methods = kPost,
              .pattern = "/event",
              .kind = CallKind::write,
              .changes_state = true,
              .redirects = true,
              .inputs = {.form = "event"},
              .begin = begin_post_event,
              .finish = finish_post_event},
    RouteSpec{.methods = kGet,
              .pattern = "/event",
              .kind = CallKind::read,
              .inputs = {.query = kReadParams, .entity_tags = true, .not_entity_tags = true},
              .begin = begin_get_event,
              .finish = finish_get_event},
    RouteSpec{.methods = kDelete,
              .pattern = "/event",
              .kind = CallKind::write,
              .changes_state = true,
              .redirects = true,
              .inputs = {.entity_tags = true},
              .begin = begin_delete_event,
              .finish = finish_delete_event},

    RouteSpec{.methods = kPost,
              .pattern = "/key",
              .kind = CallKind::write,
              .changes_state = true,
              .inputs = {.json = "*"},
              .begin = begin_post_key,
              .finish = finish_plain_write},
    RouteSpec{.methods = kGet,
              .pattern = "/key/{name}",
              .kind = CallKind::read,
              .inputs = {.query = kReadParams},
              .begin = begin_named_key,
              .finish = finish_get_key},
    RouteSpec{.methods = kDelete,
              .pattern = "/key/{name}",
              .kind = CallKind::write,
              .changes_state = true,
              .begin = begin_delete_key,
              .finish = finish_delete_key},
    RouteSpec{.methods = kPost,
              .pattern = "/keys/{key}",
              .kind = CallKind::write,
              .changes_state = true,
              .inputs = {.json = "value"},
              .begin = begin_post_keys,
              .finish = finish_post_keys},
    RouteSpec{.methods = kGet,
              .pattern = "/keys/{key}",
              .kind = CallKind::read,
              .inputs = {.query = kReadParams},
              .begin = begin_named_key,
              .finish = finish_get_keys},
    RouteSpec{.methods = kGet | kPost,
              .pattern = "/set",
              .kind = CallKind::write,
              .changes_state = true,
              .writes_by_get = true,
              .inputs = {.query = "key value", .form = "key value"},
              .begin = begin_set,
              .finish = finish_plain_write},
    RouteSpec{.methods = kGet,
              .pattern = "/get",
              .kind = CallKind::read,
              .inputs = {.query = "key consistency min_index max_staleness"},
              .begin = begin_get,
              .finish = finish_get},
    RouteSpec{.methods = kGet | kPost,
              .pattern = "/remove",
              .kind = CallKind::write,
              .changes_state = true,
              .writes_by_get = true,
              .inputs = {.query = "key", .form = "key"},
              .begin = begin_remove,
              .finish = finish_plain_write},

    RouteSpec{.methods = kGet | kPost,
              .pattern = "/join",
              .kind = CallKind::admin,
              .changes_state = true,
              .writes_by_get = true,
              .inputs = {.query = kJoin, .form = kJoin},
              .begin = begin_join,
              .finish = finish_admin},
    RouteSpec{.methods = kGet, .pattern = "/cluster", .kind = CallKind::stale, .begin = begin_cluster},
    RouteSpec{.methods = kGet,
              .pattern = "/cluster/events",
              .kind = CallKind::stream,
              .begin = begin_cluster_events,
              .finish = finish_cluster_events},
    RouteSpec{.methods = kPost,
              .pattern = "/cluster/members",
              .kind = CallKind::admin,
              .changes_state = true,
              .inputs = {.json = "id raft_address"},
              .begin = begin_add_member,
              .finish = finish_admin},
    RouteSpec{.methods = kDelete,
              .pattern = "/cluster/members/{id}",
              .kind = CallKind::admin,
              .changes_state = true,
              .begin = begin_remove_member,
              .finish = finish_admin},
    RouteSpec{.methods = kPost,
              .pattern = "/cluster/transfer",
              .kind = CallKind::admin,
              .changes_state = true,
              .inputs = {.json = "id"},
              .begin = begin_transfer,
              .finish = finish_admin},

    RouteSpec{.methods = kGet,
              .pattern = "/backup",
              .kind = CallKind::read,
              .inputs = {.query = kReadParams},
              .begin = begin_backup,
              .finish_later = finish_backup},
    RouteSpec{.methods = kGet,
              .pattern = "/metrics",
              .kind = CallKind::stale,
              .inputs = {.anything = true},
              .begin = begin_metrics,
              .finish = finish_metrics},
    RouteSpec{.methods = kGet,
              .pattern = "/healthz",
              .kind = CallKind::stale,
              .exempt = true,
              .inputs = {.anything = true},
              .begin = begin_healthz},
    RouteSpec{.methods = kGet,
              .pattern = "/readyz",
              .kind = CallKind::stale,
              .exempt = true,
              .inputs = {.anything = true},
              .begin = begin_readyz},
};

}  // namespace

std::span<const RouteSpec> route_table() { return kRoutes; }

const std::string& route_paths() {
  static const std::string paths = [] {
    std::vector<std::string_view> patterns;
    for (const RouteSpec& route : kRoutes)
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

http::Response json_response(int status, std::string json) {
  json += '\n';
  return {.status = status, .content_type = "application/json", .headers = {}, .body = Bytes(std::move(json))};
}

http::Response with_index(http::Response response, raft::Index index) {
  response.headers.push_back({"Wormhole-Index", std::to_string(index.value)});
  return response;
}

std::variant<machine::Reply, http::Response> machine_reply(const node::Completion& completion) {
  if (completion.reply.code == machine::ReplyCode::invalid)
    return with_index(http::error_response(400, "the cluster does not know this command"), completion.index);
  if (completion.reply.code != machine::ReplyCode::duplicate) return completion.reply;
  http::Response response =
      http::error_response(504, "a copy of this request came before; its answer is not known here");
  response.headers.push_back({"Wormhole-Outcome", "unknown"});
  return response;
}

RouteBegun write_call(const machine::Body& body, RouteState state) {
  if (const Status fits = machine::check(body); !fits)
    return http::error_response(machine::is_too_large(body) ? 413 : 400, printable(fits.error()));
  return RouteCall{{.kind = CallKind::write, .command = machine::encode_body(body), .admin = {}}, std::move(state)};
}

std::optional<http::Response> bad_key(std::string_view key) {
  if (key.empty()) return http::error_response(400, "a key must not be empty");
  if (key.size() > machine::kMaxKeyBytes)
    return http::error_response(400, "a key has at most " + std::to_string(machine::kMaxKeyBytes) + " bytes");
  return std::nullopt;
}

std::variant<http::Params, http::Response> all_params(const RouteRequest& request) {
  http::Params params = request.query;
  if (request.http.body.empty()) return params;
  const std::string* type = request.http.header("Content-Type");
  if (type != nullptr && !http::is_media_type(*type, "application/x-www-form-urlencoded"))
    return http::error_response(415, "a form is expected: application/x-www-form-urlencoded");
  Result<http::Params> form = http::parse_form(request.http.body);
  if (!form)
    return http::error_response(400, form.error() + ": a form's fields are percent-encoded (curl: --data-urlencode)");
  if (auto refusal = refuse_form(request.inputs, *form)) return std::move(*refusal);
  for (auto& param : *form) {
    if (http::find_param(params, param.first) != nullptr)
      return http::error_response(400, "'" + param.first + "' stands in the query and in the form");
    params.push_back(std::move(param));
  }
  return params;
}

std::variant<http::StringPairs, http::Response> json_body(const RouteRequest& request) {
  // curl's -d says form for whatever it is given: what counts is whether it is JSON.
  const std::string* type = request.http.header("Content-Type");
  if (type != nullptr && !http::is_media_type(*type, "application/json") && !http::is_media_type(*type, "text/json") &&
      !http::is_media_type(*type, "text/plain") && !http::is_media_type(*type, "application/x-www-form-urlencoded"))
    return http::error_response(415, "a JSON object is expected: application/json");
  Result<http::StringPairs> object = http::parse_json_strings(request.http.body);
  if (!object) return http::error_response(400, printable(object.error()));
  if (auto refusal = refuse_json(request.inputs, *object)) return std::move(*refusal);
  return std::move(*object);
}

}  // namespace wh
