// The key-value stores' surfaces: /key, /keys, /set, /get, /remove, over one keyspace.
#include <utility>

#include "api/http/routes.h"
#include "base/log.h"
#include "http/json.h"

namespace wh {
namespace {

http::Response not_json(raft::Index index) {
  return with_index(http::error_response(406, "this is not UTF-8, so JSON cannot show it: use /get?key="), index);
}

// The parameter `key`, checked.
std::variant<std::string, http::Response> key_param(const http::Params& params) {
  const std::string* key = http::find_param(params, "key");
  if (key == nullptr) return http::error_response(400, "the parameter key is missing");
  if (auto refusal = bad_key(*key)) return std::move(*refusal);
  return *key;
}

}  // namespace

RouteBegun begin_post_key(const RouteContext&, RouteRequest& request) {
  auto body = json_body(request);
  if (auto* refusal = std::get_if<http::Response>(&body)) return std::move(*refusal);
  const auto& pairs = std::get<0>(body);
  if (pairs.empty()) return http::error_response(400, "the object names no key");
  machine::Set set;
  for (const auto& [key, value] : pairs) {
    if (auto refusal = bad_key(key)) return std::move(*refusal);
    set.pairs.emplace_back(key, value);
  }
  return write_call(set, {});
}

http::Response finish_plain_write(const RouteContext&, const RouteState&, const node::Completion& completion) {
  auto reply = machine_reply(completion);
  if (auto* refusal = std::get_if<http::Response>(&reply)) return std::move(*refusal);
  return with_index({.status = 200, .content_type = {}, .headers = {}, .body = {}}, completion.index);
}

RouteBegun begin_named_key(const RouteContext&, RouteRequest& request) {
  if (auto refusal = bad_key(request.params.at(0))) return std::move(*refusal);
  return RouteCall{{}, {.name = std::move(request.params[0]), .value = {}}};
}

http::Response finish_get_key(const RouteContext& context, const RouteState& state,
                              const node::Completion& completion) {
  const Bytes* value = context.node.machine().get(state.name);
  if (value == nullptr) return with_index(http::error_response(404, "there is no such key"), completion.index);
  const auto name = http::json_quote(state.name);
  const auto text = http::json_quote(value->view());
  if (!name || !text) return not_json(completion.index);
  return with_index(json_response(200, "{" + *name + ":" + *text + "}"), completion.index);
}

RouteBegun begin_delete_key(const RouteContext&, RouteRequest& request) {
  if (auto refusal = bad_key(request.params.at(0))) return std::move(*refusal);
  return write_call(machine::Delete{{request.params[0]}}, {});
}

http::Response finish_delete_key(const RouteContext&, const RouteState&, const node::Completion& completion) {
  auto reply = machine_reply(completion);
  if (auto* refusal = std::get_if<http::Response>(&reply)) return std::move(*refusal);
  return with_index({.status = 204, .content_type = {}, .headers = {}, .body = {}}, completion.index);
}

RouteBegun begin_post_keys(const RouteContext&, RouteRequest& request) {
  if (auto refusal = bad_key(request.params.at(0))) return std::move(*refusal);
  auto body = json_body(request);
  if (auto* refusal = std::get_if<http::Response>(&body)) return std::move(*refusal);
  auto& pairs = std::get<0>(body);
  if (pairs.empty()) return http::error_response(400, "an object with the one member \"value\" is expected");
  const machine::Set set{{{request.params[0], pairs[0].second}}};
  return write_call(set, {.name = {}, .value = pairs[0].second});
}

http::Response finish_post_keys(const RouteContext&, const RouteState& state, const node::Completion& completion) {
  auto reply = machine_reply(completion);
  if (auto* refusal = std::get_if<http::Response>(&reply)) return std::move(*refusal);
  return with_index(json_response(200, "{\"value\":" + http::json_quote(state.value).value_or("\"\"") + "}"),
                    completion.index);
}

http::Response finish_get_keys(const RouteContext& context, const RouteState& state,
                               const node::Completion& completion) {
  const Bytes* value = context.node.machine().get(state.name);
  const auto text = http::json_quote(value == nullptr ? std::string_view() : value->view());
  if (!text) return not_json(completion.index);
  return with_index(json_response(200, "{\"value\":" + *text + "}"), completion.index);
}

RouteBegun begin_set(const RouteContext&, RouteRequest& request) {
  auto params = all_params(request);
  if (auto* refusal = std::get_if<http::Response>(&params)) return std::move(*refusal);
  auto key = key_param(std::get<http::Params>(params));
  if (auto* refusal = std::get_if<http::Response>(&key)) return std::move(*refusal);
  const std::string* value = http::find_param(std::get<http::Params>(params), "value");
  if (value == nullptr) return http::error_response(400, "the parameter value is missing");
  return write_call(machine::Set{{{std::get<std::string>(key), *value}}}, {});
}

RouteBegun begin_get(const RouteContext&, RouteRequest& request) {
  auto key = key_param(request.query);
  if (auto* refusal = std::get_if<http::Response>(&key)) return std::move(*refusal);
  return RouteCall{{}, {.name = std::get<std::string>(std::move(key)), .value = {}}};
}

http::Response finish_get(const RouteContext& context, const RouteState& state, const node::Completion& completion) {
  const Bytes* value = context.node.machine().get(state.name);
  if (value == nullptr) return with_index(http::error_response(404, "there is no such key"), completion.index);
  return with_index({.status = 200, .content_type = "application/octet-stream", .headers = {}, .body = *value},
                    completion.index);
}

RouteBegun begin_remove(const RouteContext&, RouteRequest& request) {
  auto params = all_params(request);
  if (auto* refusal = std::get_if<http::Response>(&params)) return std::move(*refusal);
  auto key = key_param(std::get<http::Params>(params));
  if (auto* refusal = std::get_if<http::Response>(&key)) return std::move(*refusal);
  return write_call(machine::Delete{{std::get<std::string>(key)}}, {});
}

}  // namespace wh
