// The key-value stores' surfaces: /key, /keys, /set, /get, /remove, over one keyspace.
#include <array>
#include <utility>

#include "api/http/read_terms.h"
#include "api/http/routes.h"
#include "http/json.h"

namespace wh::api {
namespace {

http::Response not_json(raft::Index index) {
  return refusal_response({.kind = RefusalKind::not_presentable,
                           .sentence = "this is not UTF-8, so JSON cannot show it: use /get?key=",
                           .index = index},
                          false);
}

http::Response no_such_key(raft::Index index) {
  return refusal_response({.kind = RefusalKind::not_found, .sentence = "there is no such key", .index = index}, false);
}

// The parameter of this name; null: it is missing.
const std::string* param(const RouteRequest& request, std::string_view name) {
  return http::find_param(request.query, name);
}

Refusal missing(std::string_view name) { return malformed("the parameter " + std::string(name) + " is missing"); }

OrRefusal<RouteCall> begin_post_key(RouteRequest& request) {
  if (auto refusal = read_object(request)) return std::move(*refusal);
  if (request.object.empty()) return malformed("the object names no key");
  machine::Set set;
  for (const auto& [key, value] : request.object) set.pairs.emplace_back(key, value);
  return RouteCall{Write{std::move(set)}};
}

http::Response finish_plain_write(const RouteContext&, const RouteState&, const Answer& answer) {
  return with_index(empty_response(200), answer.index);
}

OrRefusal<RouteCall> begin_named_key(RouteRequest& request) {
  return RouteCall{Read{GetKey{std::move(request.params[0])}}};
}

http::Response finish_get_key(const RouteContext&, const RouteState&, const Answer& answer) {
  const auto& shown = std::get<Value>(answer.body);
  const Bytes* value = shown.value();
  if (value == nullptr) return no_such_key(answer.index);
  const auto name = http::json_quote(shown.key);
  const auto text = http::json_quote(value->view());
  if (!name || !text) return not_json(answer.index);
  return with_index(json_response(200, "{" + *name + ":" + *text + "}"), answer.index);
}

OrRefusal<RouteCall> begin_delete_key(RouteRequest& request) {
  return RouteCall{Write{machine::Delete{{request.params[0]}}}};
}

http::Response finish_delete_key(const RouteContext&, const RouteState&, const Answer& answer) {
  return with_index(empty_response(204), answer.index);
}

OrRefusal<RouteCall> begin_post_keys(RouteRequest& request) {
  if (auto refusal = read_object(request)) return std::move(*refusal);
  if (request.object.empty()) return malformed("an object with the one member \"value\" is expected");
  const std::string& value = request.object[0].second;
  return RouteCall{Write{machine::Set{{{request.params[0], value}}}}, {.value = value}};
}

http::Response finish_post_keys(const RouteContext&, const RouteState& state, const Answer& answer) {
  return with_index(json_response(200, "{\"value\":" + http::json_quote(state.value).value_or("\"\"") + "}"),
                    answer.index);
}

http::Response finish_get_keys(const RouteContext&, const RouteState&, const Answer& answer) {
  const Bytes* value = std::get<Value>(answer.body).value();
  const auto text = http::json_quote(value == nullptr ? std::string_view() : value->view());
  if (!text) return not_json(answer.index);
  return with_index(json_response(200, "{\"value\":" + *text + "}"), answer.index);
}

OrRefusal<RouteCall> begin_set(RouteRequest& request) {
  if (auto refusal = read_params(request)) return std::move(*refusal);
  const std::string* key = param(request, "key");
  if (key == nullptr) return missing("key");
  const std::string* value = param(request, "value");
  if (value == nullptr) return missing("value");
  return RouteCall{Write{machine::Set{{{*key, *value}}}}};
}

OrRefusal<RouteCall> begin_get(RouteRequest& request) {
  const std::string* key = param(request, "key");
  if (key == nullptr) return missing("key");
  return RouteCall{Read{GetKey{*key}}};
}

http::Response finish_get(const RouteContext&, const RouteState&, const Answer& answer) {
  const Bytes* value = std::get<Value>(answer.body).value();
  if (value == nullptr) return no_such_key(answer.index);
  return with_index({.status = 200, .content_type = "application/octet-stream", .headers = {}, .body = *value},
                    answer.index);
}

OrRefusal<RouteCall> begin_remove(RouteRequest& request) {
  if (auto refusal = read_params(request)) return std::move(*refusal);
  const std::string* key = param(request, "key");
  if (key == nullptr) return missing("key");
  return RouteCall{Write{machine::Delete{{*key}}}};
}

constexpr std::array kRoutesOfKeys{
    RouteSpec{.methods = kPost,
              .pattern = "/key",
              .verb = security::Verb::write,
              .inputs = {.json = "*", .idempotency = true},
              .begin = begin_post_key,
              .finish = finish_plain_write},
    RouteSpec{.methods = kGet,
              .pattern = "/key/{name}",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams},
              .begin = begin_named_key,
              .finish = finish_get_key},
    RouteSpec{.methods = kDelete,
              .pattern = "/key/{name}",
              .verb = security::Verb::write,
              .inputs = {.idempotency = true},
              .begin = begin_delete_key,
              .finish = finish_delete_key},
    RouteSpec{.methods = kPost,
              .pattern = "/keys/{key}",
              .verb = security::Verb::write,
              .inputs = {.json = "value", .idempotency = true},
              .begin = begin_post_keys,
              .finish = finish_post_keys},
    RouteSpec{.methods = kGet,
              .pattern = "/keys/{key}",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams},
              .begin = begin_named_key,
              .finish = finish_get_keys},
    RouteSpec{.methods = kGet | kPost,
              .pattern = "/set",
              .verb = security::Verb::write,
              .writes_by_get = true,
              .inputs = {.query = "key value", .form = "key value", .idempotency = true},
              .begin = begin_set,
              .finish = finish_plain_write},
    RouteSpec{.methods = kGet,
              .pattern = "/get",
              .verb = security::Verb::read,
              .inputs = {.query = "key consistency min_index max_staleness"},
              .begin = begin_get,
              .finish = finish_get},
    RouteSpec{.methods = kGet | kPost,
              .pattern = "/remove",
              .verb = security::Verb::write,
              .writes_by_get = true,
              .inputs = {.query = "key", .form = "key", .idempotency = true},
              .begin = begin_remove,
              .finish = finish_plain_write},
};

}  // namespace

std::span<const RouteSpec> key_routes() { return kRoutesOfKeys; }

}  // namespace wh::api
