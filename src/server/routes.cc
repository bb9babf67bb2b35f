// The table itself, and what the routes share.
#include "server/routes.h"

#include <array>
#include <utility>

#include "base/log.h"
#include "http/json.h"

namespace wh {
namespace {

using http::bit;
using http::Method;

constexpr http::MethodMask kGet = bit(Method::get);
constexpr http::MethodMask kPost = bit(Method::post);
constexpr http::MethodMask kDelete = bit(Method::del);

// methods, pattern, kind, changes_state, writes_by_get, redirects, exempt, begin, finish
constexpr std::array kRoutes{
    RouteSpec{kPost, "/event", CallKind::write, true, false, true, false, begin_post_event, finish_post_event},
    RouteSpec{kGet, "/event", CallKind::read, false, false, false, false, begin_get_event, finish_get_event},
    RouteSpec{kDelete, "/event", CallKind::write, true, false, true, false, begin_delete_event, finish_delete_event},

    RouteSpec{kPost, "/key", CallKind::write, true, false, false, false, begin_post_key, finish_plain_write},
    RouteSpec{kGet, "/key/{name}", CallKind::read, false, false, false, false, begin_named_key, finish_get_key},
    RouteSpec{kDelete, "/key/{name}", CallKind::write, true, false, false, false, begin_delete_key, finish_delete_key},
    RouteSpec{kPost, "/keys/{key}", CallKind::write, true, false, false, false, begin_post_keys, finish_post_keys},
    RouteSpec{kGet, "/keys/{key}", CallKind::read, false, false, false, false, begin_named_key, finish_get_keys},
    RouteSpec{kGet | kPost, "/set", CallKind::write, true, true, false, false, begin_set, finish_plain_write},
    RouteSpec{kGet, "/get", CallKind::read, false, false, false, false, begin_get, finish_get},
    RouteSpec{kGet | kPost, "/remove", CallKind::write, true, true, false, false, begin_remove, finish_plain_write},

    RouteSpec{kGet | kPost, "/join", CallKind::admin, true, true, false, false, begin_join, finish_admin},
    RouteSpec{kGet, "/cluster", CallKind::stale, false, false, false, false, begin_cluster, nullptr},
    RouteSpec{kPost, "/cluster/members", CallKind::admin, true, false, false, false, begin_add_member, finish_admin},
    RouteSpec{kDelete, "/cluster/members/{id}", CallKind::admin, true, false, false, false, begin_remove_member,
              finish_admin},
    RouteSpec{kPost, "/cluster/transfer", CallKind::admin, true, false, false, false, begin_transfer, finish_admin},

    RouteSpec{kGet, "/metrics", CallKind::stale, false, false, false, false, begin_metrics, nullptr},
    RouteSpec{kGet, "/healthz", CallKind::stale, false, false, false, true, begin_healthz, nullptr},
    RouteSpec{kGet, "/readyz", CallKind::stale, false, false, false, true, begin_readyz, nullptr},
};

}  // namespace

std::span<const RouteSpec> route_table() { return kRoutes; }

http::Response json_response(int status, std::string json) {
  return {.status = status, .content_type = "application/json", .headers = {}, .body = Bytes(std::move(json))};
}

http::Response with_index(http::Response response, raft::Index index) {
  response.headers.push_back({"Wormhole-Index", std::to_string(index.value)});
  return response;
}

std::variant<machine::Reply, http::Response> machine_reply(const node::Completion& completion) {
  Result<machine::Reply> reply = machine::decode_reply(completion.reply);
  const auto unknown = [](std::string_view sentence) {
    http::Response response = http::error_response(504, sentence);
    response.headers.push_back({"Wormhole-Outcome", "unknown"});
    return response;
  };
  if (!reply) return unknown("the leader's answer could not be read; the write may have taken effect");
  switch (reply->code) {
    case machine::ReplyCode::invalid:
      return with_index(http::error_response(400, "the cluster does not know this command"), completion.index);
    case machine::ReplyCode::duplicate:
      return unknown("a copy of this request came before; its answer is not known here");
    default:
      return std::move(*reply);
  }
}

Begun write_call(const machine::Body& body, RouteMemory memory) {
  if (const Status fits = machine::check(body); !fits) return http::error_response(400, printable(fits.error()));
  return RouteCall{{.kind = CallKind::write, .command = machine::encode_body(body), .admin = {}}, std::move(memory)};
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
  if (!form) return http::error_response(400, form.error());
  for (auto& param : *form) {
    if (http::find_param(params, param.first) != nullptr)
      return http::error_response(400, "a parameter stands in the query and in the form");
    params.push_back(std::move(param));
  }
  return params;
}

std::variant<std::vector<std::pair<std::string, std::string>>, http::Response> json_body(const http::Request& request) {
  // curl's -d says form for whatever it is given: what counts is whether it is JSON.
  const std::string* type = request.header("Content-Type");
  if (type != nullptr && !http::is_media_type(*type, "application/json") && !http::is_media_type(*type, "text/json") &&
      !http::is_media_type(*type, "text/plain") && !http::is_media_type(*type, "application/x-www-form-urlencoded"))
    return http::error_response(415, "a JSON object is expected: application/json");
  Result<http::StringPairs> object = http::parse_json_strings(request.body);
  if (!object) return http::error_response(400, printable(object.error()));
  return std::move(*object);
}

}  // namespace wh
