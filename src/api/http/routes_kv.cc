// The routes of the store: keys with their bytes and numbers, lists, counters, transactions.
#include <array>
#include <charconv>
#include <utility>

#include "api/http/event_http.h"
#include "api/http/params.h"
#include "api/http/queue_routes.h"
#include "api/http/read_terms.h"
#include "api/http/routes.h"
#include "api/http/store_json.h"
#include "api/http/store_routes.h"
#include "api/http/watch_stream.h"
#include "config/option_values.h"
#include "http/entity_tag.h"
#include "http/url.h"

namespace wh::api {
namespace {

// A page of more bytes is sent in pieces.
constexpr size_t kMaxWholePage = size_t{32} << 10;

constexpr std::string_view kListParams = "prefix after end limit keys consistency min_index max_staleness";
constexpr std::string_view kGetParams = "index wait consistency min_index max_staleness";
constexpr std::string_view kPutParams = "ttl lease";
constexpr std::string_view kWatchParams = "watch from initial prev consistency min_index";
constexpr std::string_view kWatchPrefixParams = "watch prefix from initial prev consistency min_index";

const std::string& param_or(const http::Params& query, std::string_view name, const std::string& standard) {
  const std::string* found = http::find_param(query, name);
  return found == nullptr ? standard : *found;
}

// --- one key

OrRefusal<RouteCall> begin_get_item(RouteRequest& request) {
  OrRefusal<RouteCall> call = read_of_key(request, request.params[0]);
  const std::string* index = http::find_param(request.query, "index");
  const auto wait = duration_param(request.query, "wait", 0, kMaxWaitMs);
  if (!wait) return wait.error();
  if (index == nullptr && *wait) return malformed("wait waits for a change after an index: give index too");
  if (!call || index == nullptr) return call;
  const std::optional<uint64_t> after = config::parse_unsigned(*index);
  if (!after || *after >= raft::kLimit) return malformed("index is an index, as Wormhole-Index gives it");
  std::get<GetKey>(std::get<Read>(call->operation)).after = *after;
  call->state.after = *after;
  call->wait_ms = wait->value_or(0);
  return call;
}

http::Response finish_get_item(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<Value>(answer.body);
  const machine::Store& store = context.api.node.machine().store();
  std::optional<http::Response> otherwise = by_entity_tags(context, state, shown);
  if (!otherwise && state.after && !changed_since(context.api.node.machine(), shown.key, *state.after))
    otherwise = empty_response(304);
  if (!otherwise && shown.item == nullptr) otherwise = no_such_key(answer.index);
  http::Response response = otherwise ? std::move(*otherwise) : http::Response{.status = 200};
  if (!otherwise) {
    const std::string_view type = shown.item->content_type();
    response.content_type = type.empty() ? "application/octet-stream" : std::string(type);
    response.body = shown.item->value;
    // A browser must not run what somebody stored as if this server had written it.
    response.headers.push_back({"Content-Security-Policy", "sandbox; default-src 'none'"});
  }
  response = with_tag(std::move(response), context, shown);
  if (shown.item != nullptr && has_numbers(context)) {
    response.headers.push_back({"Wormhole-Create-Index", std::to_string(store.create_index(*shown.item))});
    response.headers.push_back({"Wormhole-Mod-Index", std::to_string(store.mod_index(*shown.item))});
  }
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_put_item(RouteRequest& request) {
  machine::PutKey put{.key = request.params[0], .value = request.http.body};
  if (const std::string* type = request.http.header("Content-Type")) put.content_type = *type;
  const auto ttl = duration_param(request.query, "ttl", 1, machine::kMaxDelayMs);
  if (!ttl) return ttl.error();
  if (*ttl) put.expiry = {machine::Expiry::Kind::after, **ttl};
  if (const std::string* lease = http::find_param(request.query, "lease")) {
    const std::optional<uint64_t> id = config::parse_unsigned(*lease);
    if (!id || *id == 0) return malformed("lease is the id of a lease, as POST /leases gives it");
    put.lease = *id;
  }
  return change_of_key(request, request.params[0], put);
}

http::Response finish_put_item(const RouteContext&, const RouteState&, const Answer& answer) {
  const auto& done = std::get<Transacted>(answer.body);
  if (!done.held) return not_as_expected(answer);
  const bool there = !done.results.empty() && done.results[0].number != 0;
  http::Response response = empty_response(there ? 204 : 201);
  response.headers.push_back({"ETag", tag_of(answer.index.value)});
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_delete_item(RouteRequest& request) {
  return change_of_key(request, request.params[0], machine::EraseKey{request.params[0]});
}

http::Response finish_delete_item(const RouteContext&, const RouteState&, const Answer& answer) {
  if (!std::get<Transacted>(answer.body).held) return not_as_expected(answer);
  return with_index(empty_response(204), answer.index);
}

OrRefusal<RouteCall> begin_incr(RouteRequest& request) {
  int64_t by = 1;
  if (const std::string* text = http::find_param(request.query, "by")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), by);
    if (error != std::errc{} || end != text->data() + text->size())
      return malformed("by is a whole number of 64 bits, such as 1 or -5");
  }
  return change_of_key(request, request.params[0], machine::Increment{request.params[0], by});
}

http::Response finish_incr(const RouteContext&, const RouteState&, const Answer& answer) {
  const auto& done = std::get<Transacted>(answer.body);
  if (!done.held) return not_as_expected(answer);
  const int64_t value = done.results.empty() ? 0 : static_cast<int64_t>(done.results[0].number);
  http::Response response = json_response(200, "{\"value\":" + std::to_string(value) + "}");
  response.headers.push_back({"ETag", tag_of(answer.index.value)});
  return with_index(std::move(response), answer.index);
}

// --- watches

// The index from which a watch shows changes. A client that comes back sends the last index that it has; that wins over
// the address (HAZARDS W10).
OrRefusal<std::optional<uint64_t>> watch_from(const RouteRequest& request) {
  if (const std::string* last = request.http.header("Last-Event-ID"); last != nullptr && !last->empty()) {
    const std::optional<uint64_t> id = config::parse_unsigned(*last);
    if (!id || *id >= raft::kLimit) return malformed("Last-Event-ID is an id of this stream, a number");
    return std::optional(*id + 1);
  }
  const std::string* from = http::find_param(request.query, "from");
  if (from == nullptr) return std::optional<uint64_t>();
  const std::optional<uint64_t> index = config::parse_unsigned(*from);
  if (!index || *index == 0) return malformed("from is an index, as Wormhole-Index gives it");
  return index;
}

OrRefusal<bool> flag_param(const http::Params& query, std::string_view name) {
  const std::string* value = http::find_param(query, name);
  if (value == nullptr) return false;
  if (value->empty() || *value == "1" || *value == "true") return true;
  return malformed(std::string(name) + " has no value");
}

OrRefusal<RouteCall> begin_watch(RouteRequest& request, std::string name, bool prefix) {
  const auto from = watch_from(request);
  if (!from) return from.error();
  RouteState state{.value = name, .of_prefix = prefix};
  for (const auto& [flag, into] : {std::pair{"watch", static_cast<bool*>(nullptr)},
                                   std::pair{"initial", &state.initial}, std::pair{"prev", &state.with_prev}}) {
    const OrRefusal<bool> given = flag_param(request.query, flag);
    if (!given) return given.error();
    if (into != nullptr) *into = *given;
  }
  if (state.initial && http::find_param(request.query, "from") != nullptr)
    return malformed("initial shows the items first and then what comes: from has no place beside it");
  if (*from) state.initial = false;
  state.id = from->value_or(0);
  if (request.http.method == http::Method::head) {
    state.head = true;
    return RouteCall{Read{CountKeys{}}, std::move(state)};
  }
  return RouteCall{Watch{WatchKeys{std::move(name), prefix, *from}}, std::move(state)};
}

OrRefusal<RouteCall> begin_watch_key(RouteRequest& request) { return begin_watch(request, request.params[0], false); }

OrRefusal<RouteCall> begin_watch_prefix(RouteRequest& request) {
  const std::string none;
  return begin_watch(request, param_or(request.query, "prefix", none), true);
}

http::Response finish_watch(const RouteContext& context, const RouteState& state, const Answer&) {
  http::Response response = event_stream_response();
  if (state.head)
    response.unknown_length = true;
  else
    response.stream = open_watch(context.api.node.machine(), context.change_frames,
                                 {.name = state.value,
                                  .prefix = state.of_prefix,
                                  .from = state.id,
                                  .initial = state.initial,
                                  .with_prev = state.with_prev});
  return response;
}

// --- many

OrRefusal<RouteCall> begin_list_keys(RouteRequest& request) {
  const OrRefusal<uint64_t> limit = number_param(request.query, "limit", 1, kMaxListed, kStandardListed);
  if (!limit) return limit.error();
  const std::string none;
  ListKeys list{.prefix = param_or(request.query, "prefix", none),
                .after = param_or(request.query, "after", none),
                .end = param_or(request.query, "end", none),
                .limit = static_cast<uint32_t>(*limit)};
  const std::string* keys = http::find_param(request.query, "keys");
  if (keys != nullptr && !keys->empty() && *keys != "true" && *keys != "1")
    return malformed("keys has no value: it asks for the keys without their values");
  // Where the next answer goes on, but for `after`.
  std::string next = "/kv?limit=" + std::to_string(*limit);
  for (const auto& [name, value] : {std::pair{"prefix", &list.prefix}, std::pair{"end", &list.end}})
    if (!value->empty()) next += "&" + std::string(name) + "=" + http::percent_encode(*value);
  if (keys != nullptr) next += "&keys";
  next += read_terms_of(request.query);
  return RouteCall{Read{std::move(list)}, {.value = std::move(next), .keys_only = keys != nullptr}};
}

http::Response finish_list_keys(const RouteContext& context, const RouteState& state, const Answer& answer) {
  if (!has_numbers(context)) return no_numbers(answer.index);
  const auto& shown = std::get<ShownKeys>(answer.body);
  const machine::Machine& machine = context.api.node.machine();
  std::vector<machine::KeyItem> items;
  items.reserve(shown.items.size());
  for (const auto* one : shown.items) {
    items.push_back(item_of(one->first, one->second, machine.store()));
    if (state.keys_only) items.back().value = {};
  }
  const auto page =
      std::make_shared<KeyPage>(answer.index, std::move(items), !state.keys_only, machine.cluster_time_ms());
  http::Response response{.status = 200, .content_type = "application/json", .headers = {}, .body = {}, .source = page};
  if (page->held_bytes() <= kMaxWholePage) http::gather_source(response);
  if (!shown.next.empty()) add_next_link(response, state.value + "&after=" + http::percent_encode(shown.next));
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_delete_prefix(RouteRequest& request) {
  const std::string* prefix = http::find_param(request.query, "prefix");
  if (prefix == nullptr || prefix->empty())
    return malformed("DELETE /kv removes the keys with a prefix: name it (?prefix=); an empty one would mean all");
  return RouteCall{Write{machine::Transact{.compares = {}, .success = {machine::ErasePrefix{*prefix}}}}};
}

http::Response finish_delete_prefix(const RouteContext&, const RouteState&, const Answer& answer) {
  const auto& done = std::get<Transacted>(answer.body);
  const uint64_t deleted = done.results.empty() ? 0 : done.results[0].number;
  return with_index(json_response(200, "{\"deleted\":" + std::to_string(deleted) + "}"), answer.index);
}

// --- transactions

OrRefusal<RouteCall> begin_transaction(RouteRequest& request) {
  if (auto refusal = refuse_other_than_json(request.http, "a JSON object")) return std::move(*refusal);
  if (request.http.body.size() > kMaxTransactionBytes)
    return Refusal{RefusalKind::too_large, "a transaction has at most " + std::to_string(kMaxTransactionBytes) +
                                               " bytes: send large values by PUT /kv/{key}"};
  OrRefusal<machine::Transact> transact = read_transaction(request.http.body, request.kept);
  if (!transact) return transact.error();
  return RouteCall{Write{std::move(*transact)}};
}

http::Response finish_transaction(const RouteContext& context, const RouteState&, const Answer& answer) {
  const auto& done = std::get<Transacted>(answer.body);
  return with_index(
      json_response(200, transaction_json(done, answer.index, context.api.node.machine().cluster_time_ms())),
      answer.index);
}

constexpr std::array kRoutesOfStore{
    RouteSpec{.methods = kGet,
              .pattern = "/kv/{key...}",
              .verb = security::Verb::read,
              .inputs = {.query = kGetParams, .entity_tags = true, .not_entity_tags = true},
              .begin = begin_get_item,
              .finish = finish_get_item},
    RouteSpec{
        .methods = kPut,
        .pattern = "/kv/{key...}",
        .verb = security::Verb::write,
        .inputs =
            {.query = kPutParams, .entity_tags = true, .not_entity_tags = true, .idempotency = true, .any_body = true},
        .begin = begin_put_item,
        .finish = finish_put_item},
    RouteSpec{.methods = kDelete,
              .pattern = "/kv/{key...}",
              .verb = security::Verb::write,
              .inputs = {.entity_tags = true, .not_entity_tags = true, .idempotency = true},
              .begin = begin_delete_item,
              .finish = finish_delete_item},
    RouteSpec{.methods = kPost,
              .pattern = "/kv/{key...}/incr",
              .verb = security::Verb::write,
              .inputs = {.query = "by", .entity_tags = true, .not_entity_tags = true, .idempotency = true},
              .begin = begin_incr,
              .finish = finish_incr},
    RouteSpec{.methods = kGet,
              .pattern = "/kv",
              .verb = security::Verb::read,
              .inputs = {.query = kListParams},
              .begin = begin_list_keys,
              .finish = finish_list_keys},
    RouteSpec{.methods = kDelete,
              .pattern = "/kv",
              .verb = security::Verb::write,
              .inputs = {.query = "prefix", .idempotency = true},
              .begin = begin_delete_prefix,
              .finish = finish_delete_prefix},
    RouteSpec{.methods = kGet,
              .pattern = "/kv/{key...}",
              .when = "watch",
              .verb = security::Verb::read,
              .stream = true,
              .inputs = {.query = kWatchParams},
              .begin = begin_watch_key,
              .finish = finish_watch},
    RouteSpec{.methods = kGet,
              .pattern = "/kv",
              .when = "watch",
              .verb = security::Verb::read,
              .stream = true,
              .inputs = {.query = kWatchPrefixParams},
              .begin = begin_watch_prefix,
              .finish = finish_watch},
    RouteSpec{.methods = kPost,
              .pattern = "/txn",
              .verb = security::Verb::write,
              .inputs = {.idempotency = true, .own_body = true},
              .begin = begin_transaction,
              .finish = finish_transaction},
};

}  // namespace

std::span<const RouteSpec> store_routes() { return kRoutesOfStore; }

}  // namespace wh::api
