// The key-value stores' surfaces: /key, /keys, /set, /get, /remove, over one keyspace.
#include <array>
#include <utility>

#include "api/http/read_terms.h"
#include "api/http/routes.h"
#include "api/http/routes/store_routes.h"
#include "http/json.h"

namespace wh::api {
namespace {

http::Response not_json(raft::Index index) {
  return refusal_response({.kind = RefusalKind::not_presentable,
                           .sentence = "this is not UTF-8, so JSON cannot show it: use /get?key=",
                           .index = index},
                          false);
}

// The parameter of this name; null: it is missing.
const std::string* param(const RouteRequest& request, std::string_view name) {
  return http::find_param(request.query, name);
}

Refusal missing(std::string_view name) { return malformed("the parameter " + std::string(name) + " is missing"); }

// Under a precondition it is a transaction, which an older cluster does not have.
OrRefusal<RouteCall> set_or_put(const RouteRequest& request, const std::string& key, const std::string& value) {
  if (has_preconditions(request.http)) return change_of_key(request, key, machine::PutKey{key, value});
  return RouteCall{Write{machine::Set{{{key, value}}}}};
}

OrRefusal<RouteCall> remove_or_erase(const RouteRequest& request, const std::string& key) {
  if (has_preconditions(request.http)) return change_of_key(request, key, machine::EraseKey{key});
  return RouteCall{Write{machine::Delete{{key}}}};
}

// 412; nothing: it was done.
std::optional<http::Response> refused(const RouteState& state, const Answer& answer) {
  if (!std::holds_alternative<Transacted>(answer.body) || held(state, answer)) return std::nullopt;
  return not_as_expected(answer);
}

OrRefusal<RouteCall> begin_post_key(RouteRequest& request) {
  if (auto refusal = read_object(request)) return std::move(*refusal);
  if (request.object.empty()) return malformed("the object names no key");
  machine::Set set;
  for (const auto& [key, value] : request.object) set.pairs.emplace_back(key, value);
  return RouteCall{Write{std::move(set)}};
}

http::Response finish_plain_write(const RouteContext&, const RouteState& state, const Answer& answer) {
  if (auto response = refused(state, answer)) return std::move(*response);
  return with_index(empty_response(200), answer.index);
}

OrRefusal<RouteCall> begin_named_key(RouteRequest& request) { return read_of_key(request, request.params[0]); }

http::Response finish_get_key(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<Value>(answer.body);
  if (auto otherwise = by_entity_tags(context, state, shown))
    return with_index(with_tag(std::move(*otherwise), context, shown), answer.index);
  const Bytes* value = shown.value();
  if (value == nullptr) return no_such_key(answer.index);
  const auto name = http::json_quote(shown.key);
  const auto text = http::json_quote(value->view());
  if (!name || !text) return not_json(answer.index);
  return with_index(with_tag(json_response(200, "{" + *name + ":" + *text + "}"), context, shown), answer.index);
}

OrRefusal<RouteCall> begin_delete_key(RouteRequest& request) { return remove_or_erase(request, request.params[0]); }

http::Response finish_delete_key(const RouteContext&, const RouteState& state, const Answer& answer) {
  if (auto response = refused(state, answer)) return std::move(*response);
  return with_index(empty_response(204), answer.index);
}

OrRefusal<RouteCall> begin_post_keys(RouteRequest& request) {
  if (auto refusal = read_object(request)) return std::move(*refusal);
  if (request.object.empty()) return malformed("an object with the one member \"value\" is expected");
  const std::string& value = request.object[0].second;
  OrRefusal<RouteCall> call = set_or_put(request, request.params[0], value);
  if (call) call->state.value = value;
  return call;
}

http::Response finish_post_keys(const RouteContext&, const RouteState& state, const Answer& answer) {
  if (auto response = refused(state, answer)) return std::move(*response);
  return with_index(json_response(200, "{\"value\":" + http::json_quote(state.value).value_or("\"\"") + "}"),
                    answer.index);
}

http::Response finish_get_keys(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<Value>(answer.body);
  if (auto otherwise = by_entity_tags(context, state, shown))
    return with_index(with_tag(std::move(*otherwise), context, shown), answer.index);
  const Bytes* value = shown.value();
  const auto text = http::json_quote(value == nullptr ? std::string_view() : value->view());
  if (!text) return not_json(answer.index);
  return with_index(with_tag(json_response(200, "{\"value\":" + *text + "}"), context, shown), answer.index);
}

OrRefusal<RouteCall> begin_set(RouteRequest& request) {
  if (auto refusal = read_params(request)) return std::move(*refusal);
  const std::string* key = param(request, "key");
  if (key == nullptr) return missing("key");
  const std::string* value = param(request, "value");
  if (value == nullptr) return missing("value");
  return set_or_put(request, *key, *value);
}

OrRefusal<RouteCall> begin_get(RouteRequest& request) {
  const std::string* key = param(request, "key");
  if (key == nullptr) return missing("key");
  return read_of_key(request, *key);
}

http::Response finish_get(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<Value>(answer.body);
  if (auto otherwise = by_entity_tags(context, state, shown))
    return with_index(with_tag(std::move(*otherwise), context, shown), answer.index);
  const Bytes* value = shown.value();
  if (value == nullptr) return no_such_key(answer.index);
  return with_index(with_tag({.status = 200, .content_type = "application/octet-stream", .headers = {}, .body = *value},
                             context, shown),
                    answer.index);
}

OrRefusal<RouteCall> begin_remove(RouteRequest& request) {
  if (auto refusal = read_params(request)) return std::move(*refusal);
  const std::string* key = param(request, "key");
  if (key == nullptr) return missing("key");
  return remove_or_erase(request, *key);
}

constexpr Parameter kKeyParam{.name = "key", .text = "The key.", .example = "color", .required = true};
constexpr Parameter kValueParam{.name = "value", .text = "Its value.", .example = "blue", .required = true};
constexpr std::string_view kNoKey = "There is no such key.";
constexpr std::string_view kNotText = "The value is not UTF-8, so JSON cannot show it: use /get.";

constexpr std::array kRoutesOfKeys{
    RouteSpec{.methods = kPost,
              .pattern = "/key",
              .verb = security::Verb::write,
              .inputs = {.any_members = true, .idempotency = true},
              .doc = {.id = "setKeys",
                      .summary = "Sets all keys of a JSON object, in one step.",
                      .answers = {{200, "They are set."}},
                      .refusals = {{507}},
                      .body = json_body("KeysAndValues")},
              .begin = begin_post_key,
              .finish = finish_plain_write},
    RouteSpec{.methods = kGet,
              .pattern = "/key/{name}",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams, .entity_tags = true, .not_entity_tags = true},
              .doc = {.id = "getNamedKey",
                      .summary = "Shows a key and its value.",
                      .answers = {{200, "An object with one member.", json_body("KeysAndValues"), {&kETagField}}},
                      .refusals = {{404, kNoKey}, {406, kNotText}, {501}}},
              .begin = begin_named_key,
              .finish = finish_get_key},
    RouteSpec{
        .methods = kDelete,
        .pattern = "/key/{name}",
        .verb = security::Verb::write,
        .inputs = {.entity_tags = true, .not_entity_tags = true, .idempotency = true},
        .doc = {.id = "deleteNamedKey", .summary = "Removes a key.", .answers = {{204, "There is no such key now."}}},
        .begin = begin_delete_key,
        .finish = finish_delete_key},
    RouteSpec{.methods = kPost,
              .pattern = "/keys/{key}",
              .verb = security::Verb::write,
              .inputs = {.json = {&kValueParam}, .entity_tags = true, .not_entity_tags = true, .idempotency = true},
              .doc = {.id = "setKeyByJson",
                      .summary = "Sets a key.",
                      .answers = {{200, "The value that was set.", json_body("Value")}},
                      .refusals = {{507}}},
              .begin = begin_post_keys,
              .finish = finish_post_keys},
    RouteSpec{.methods = kGet,
              .pattern = "/keys/{key}",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams, .entity_tags = true, .not_entity_tags = true},
              .doc = {.id = "getKeyAsJson",
                      .summary = "Shows a key's value, empty where there is no such key.",
                      .answers = {{200, "The value.", json_body("Value"), {&kETagField}}},
                      .refusals = {{406, kNotText}, {501}}},
              .begin = begin_named_key,
              .finish = finish_get_keys},
    RouteSpec{.methods = kGet | kPost,
              .pattern = "/set",
              .verb = security::Verb::write,
              .writes_by_get = true,
              .inputs = {.query = {&kKeyParam, &kValueParam},
                         .form = {&kKeyParam, &kValueParam},
                         .entity_tags = true,
                         .not_entity_tags = true,
                         .idempotency = true},
              .doc = {.id = "setKey", .summary = "Sets a key.", .answers = {{200, "It is set."}}, .refusals = {{507}}},
              .begin = begin_set,
              .finish = finish_plain_write},
    RouteSpec{.methods = kGet,
              .pattern = "/get",
              .verb = security::Verb::read,
              .inputs = {.query = Parameters{&kKeyParam} + kReadParams, .entity_tags = true, .not_entity_tags = true},
              .doc = {.id = "getKey",
                      .summary = "Shows a key's value as bytes.",
                      .answers = {{200, "The bytes.", {{"application/octet-stream"}}, {&kETagField}}},
                      .refusals = {{404, kNoKey}, {501}}},
              .begin = begin_get,
              .finish = finish_get},
    RouteSpec{.methods = kGet | kPost,
              .pattern = "/remove",
              .verb = security::Verb::write,
              .writes_by_get = true,
              .inputs = {.query = {&kKeyParam},
                         .form = {&kKeyParam},
                         .entity_tags = true,
                         .not_entity_tags = true,
                         .idempotency = true},
              .doc = {.id = "removeKey", .summary = "Removes a key.", .answers = {{200, "There is no such key now."}}},
              .begin = begin_remove,
              .finish = finish_plain_write},
};

}  // namespace

std::span<const RouteSpec> key_routes() { return kRoutesOfKeys; }

}  // namespace wh::api
