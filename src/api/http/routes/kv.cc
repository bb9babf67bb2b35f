// The routes of the store: keys with their bytes and numbers, lists, counters, transactions.
#include <array>
#include <charconv>
#include <utility>

#include "api/http/formats/event_http.h"
#include "api/http/formats/store_json.h"
#include "api/http/params.h"
#include "api/http/read_terms.h"
#include "api/http/routes.h"
#include "api/http/routes/queue_routes.h"
#include "api/http/routes/store_routes.h"
#include "api/http/streams/watch_stream.h"
#include "config/option_values.h"
#include "http/entity_tag.h"
#include "http/url.h"

namespace wh::api {
namespace {

// A page of more bytes is sent in pieces.
constexpr size_t kMaxWholePage = size_t{32} << 10;

constexpr Parameter kAfterKey{.name = "after", .text = "The first item is behind this key.", .example = "app/a"};
constexpr Parameter kEndKey{.name = "end", .text = "The last item is before this key.", .example = "app/z"};
constexpr Parameter kKeysOnly{.name = "keys", .text = "The keys without their values.", .type = ParameterType::flag};
constexpr Parameter kSinceIndex{
    .name = "index",
    .text = "Answers when the key changed after this index, at once when this node cannot know; else 304 after wait.",
    .type = ParameterType::number,
    .most = raft::kLimit - 1};
constexpr Parameter kItemTtl{.name = "ttl",
                             .text = "How long the key lasts; without it, it does not expire.",
                             .type = ParameterType::duration,
                             .least = 1,
                             .most = machine::kMaxDelayMs,
                             .example = "1h"};
constexpr Parameter kItemLease{.name = "lease",
                               .text = "The id of the lease that the key goes with.",
                               .type = ParameterType::number,
                               .least = 1,
                               .example = "1"};
constexpr Parameter kBy{.name = "by", .text = "What is added.", .type = ParameterType::integer, .standard = 1};
constexpr Parameter kPrefixToDelete{
    .name = "prefix", .text = "What the keys begin with; not empty.", .example = "app/", .required = true};
constexpr Parameter kWatchFlag{
    .name = "watch", .text = "A stream of the changes, in place of what there is now.", .type = ParameterType::flag};
constexpr Parameter kFrom{.name = "from",
                          .text = "The index of the first change that is shown. With watch.",
                          .type = ParameterType::number,
                          .least = 1,
                          .example = "1"};
constexpr Parameter kInitial{.name = "initial",
                             .text = "First the items as they are, then the changes. With watch, without from.",
                             .type = ParameterType::flag};
constexpr Parameter kWithPrev{
    .name = "prev", .text = "Each change with the value before it. With watch.", .type = ParameterType::flag};
constexpr Parameters kListParams = Parameters{&kPrefix, &kAfterKey, &kEndKey, &kLimit, &kKeysOnly} + kReadParams;
constexpr Parameters kGetParams = Parameters{&kSinceIndex, &kWait} + kReadParams;
constexpr Parameters kWatchParams = Parameters{&kWatchFlag, &kFrom, &kInitial, &kWithPrev} + kStreamParams;
constexpr Parameters kWatchPrefixParams =
    Parameters{&kWatchFlag, &kPrefix, &kFrom, &kInitial, &kWithPrev} + kStreamParams;

constexpr RouteDoc kWatchDoc{.summary = "With watch: a stream of every change once, in order, from an index on.",
                             .answers = {{200,
                                          "Server-Sent Events put, delete and expire; id is the index, data the item.",
                                          {{"text/event-stream", "ItemChange"}}}},
                             .refusals = {{410, "The first change asked for is not kept any more."}, {501}}};

const std::string& param_or(const http::Params& query, std::string_view name, const std::string& standard) {
  const std::string* found = http::find_param(query, name);
  return found == nullptr ? standard : *found;
}

// --- one key

OrRefusal<RouteCall> begin_get_item(RouteRequest& request) {
  OrRefusal<RouteCall> call = read_of_key(request, request.params[0]);
  const std::string* index = http::find_param(request.query, "index");
  const auto wait = duration_param(request.query, kWait);
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
  http::Response response;
  if (otherwise) {
    response = std::move(*otherwise);
  } else {
    const std::string_view type = shown.item->content_type();
    response.content_type = type.empty() ? "application/octet-stream" : type;
    response.body = shown.item->value;
    // A browser must not run what somebody stored as if this server had written it.
    response.headers.add("Content-Security-Policy", "sandbox; default-src 'none'");
  }
  add_tag(response, context, shown);
  if (shown.item != nullptr && has_numbers(context)) {
    response.headers.add("Wormhole-Create-Index", store.create_index(*shown.item));
    response.headers.add("Wormhole-Mod-Index", store.mod_index(*shown.item));
  }
  add_index(response, answer.index);
  return response;
}

OrRefusal<RouteCall> begin_put_item(RouteRequest& request) {
  machine::PutKey put{.key = request.params[0], .value = request.http.body};
  if (const std::string* type = request.http.header("Content-Type")) put.content_type = *type;
  const auto ttl = duration_param(request.query, kItemTtl);
  if (!ttl) return ttl.error();
  if (*ttl) put.expiry = {machine::Expiry::Kind::after, **ttl};
  if (const std::string* lease = http::find_param(request.query, "lease")) {
    const std::optional<uint64_t> id = config::parse_unsigned(*lease);
    if (!id || *id == 0) return malformed("lease is the id of a lease, as POST /leases gives it");
    put.lease = *id;
  }
  return change_of_key(request, request.params[0], put);
}

http::Response finish_put_item(const RouteContext&, const RouteState& state, const Answer& answer) {
  if (!held(state, answer)) return not_as_expected(answer);
  const auto& done = std::get<Transacted>(answer.body);
  const bool there = !done.results.empty() && done.results[0].number != 0;
  http::Response response = empty_response(there ? 204 : 201);
  response.headers.add("ETag", tag_of(answer.index.value));
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_delete_item(RouteRequest& request) {
  return change_of_key(request, request.params[0], machine::EraseKey{request.params[0]});
}

http::Response finish_delete_item(const RouteContext&, const RouteState& state, const Answer& answer) {
  if (!held(state, answer)) return not_as_expected(answer);
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

http::Response finish_incr(const RouteContext&, const RouteState& state, const Answer& answer) {
  if (!held(state, answer)) return not_as_expected(answer);
  const auto& done = std::get<Transacted>(answer.body);
  const int64_t value = done.results.empty() ? 0 : static_cast<int64_t>(done.results[0].number);
  http::Response response = json_response(200, "{\"value\":" + std::to_string(value) + "}");
  response.headers.add("ETag", tag_of(answer.index.value));
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
  const OrRefusal<uint64_t> limit = number_param(request.query, kLimit);
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
  if (!has_numbers(context)) return no_numbers(context, answer.index);
  const auto& shown = std::get<ShownKeys>(answer.body);
  const machine::Machine& machine = context.api.node.machine();
  std::vector<machine::KeyItem> items;
  items.reserve(shown.items.size());
  for (size_t i = 0; i < shown.items.size(); ++i) {
    if (i + kPrefetchAhead < shown.items.size()) shown.items[i + kPrefetchAhead]->second.value.prefetch();
    items.push_back(machine.shown(shown.items[i]->first, shown.items[i]->second));
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
              .doc = {.id = "getItem",
                      .summary = "Shows a key's value as it was put.",
                      .answers = {{200,
                                   "The bytes, with their content type.",
                                   kAnyBytes,
                                   {&kETagField, &kCreateIndexField, &kModIndexField}}},
                      .refusals = {{404, "There is no such key."}, {501}}},
              .begin = begin_get_item,
              .finish = finish_get_item},
    RouteSpec{
        .methods = kPut,
        .pattern = "/kv/{key...}",
        .verb = security::Verb::write,
        .inputs = {.query = {&kItemTtl, &kItemLease},
                   .entity_tags = true,
                   .not_entity_tags = true,
                   .idempotency = true,
                   .any_body = true},
        .doc = {.id = "putItem",
                .summary = "Sets a key to the body's bytes and its content type.",
                .answers = {{201, "The key is new.", {}, {&kETagField}},
                            {204, "The key was there.", {}, {&kETagField}}},
                .refusals = {{404, "There is no such lease."}, {429, "The lease has as many keys as may be."}, {507}},
                .body = kAnyBytes,
                .body_optional = true},
        .begin = begin_put_item,
        .finish = finish_put_item},
    RouteSpec{.methods = kDelete,
              .pattern = "/kv/{key...}",
              .verb = security::Verb::write,
              .inputs = {.entity_tags = true, .not_entity_tags = true, .idempotency = true},
              .doc = {.id = "deleteItem", .summary = "Removes a key.", .answers = {{204, "There is no such key now."}}},
              .begin = begin_delete_item,
              .finish = finish_delete_item},
    RouteSpec{
        .methods = kPost,
        .pattern = "/kv/{key...}/incr",
        .verb = security::Verb::write,
        .inputs = {.query = {&kBy}, .entity_tags = true, .not_entity_tags = true, .idempotency = true},
        .doc = {.id = "incrementItem",
                .summary = "Adds to a number; a key that is not there counts as 0.",
                .answers = {{200, "The sum.", json_body("Counter"), {&kETagField}}},
                .refusals = {{409, "The value is no decimal number of 64 bits, or the sum would be none."}, {507}}},
        .begin = begin_incr,
        .finish = finish_incr},
    RouteSpec{.methods = kGet,
              .pattern = "/kv",
              .verb = security::Verb::read,
              .inputs = {.query = kListParams},
              .doc = {.id = "listItems",
                      .summary = "Lists keys in byte order, all as of one index.",
                      .answers = {{200, "The items.", json_body("Items"), {&kLinkField}}},
                      .refusals = {{501}}},
              .begin = begin_list_keys,
              .finish = finish_list_keys},
    RouteSpec{.methods = kDelete,
              .pattern = "/kv",
              .verb = security::Verb::write,
              .inputs = {.query = {&kPrefixToDelete}, .idempotency = true},
              .doc = {.id = "deleteItems",
                      .summary = "Removes all keys with a prefix.",
                      .answers = {{200, "How many there were.", json_body("Deleted")}},
                      .refusals = {{409, "There are more than one request may remove."}}},
              .begin = begin_delete_prefix,
              .finish = finish_delete_prefix},
    RouteSpec{.methods = kGet,
              .pattern = "/kv/{key...}",
              .when = "watch",
              .verb = security::Verb::read,
              .stream = true,
              .inputs = {.query = kWatchParams},
              .doc = kWatchDoc,
              .begin = begin_watch_key,
              .finish = finish_watch},
    RouteSpec{.methods = kGet,
              .pattern = "/kv",
              .when = "watch",
              .verb = security::Verb::read,
              .stream = true,
              .inputs = {.query = kWatchPrefixParams},
              .doc = kWatchDoc,
              .begin = begin_watch_prefix,
              .finish = finish_watch},
    RouteSpec{.methods = kPost,
              .pattern = "/txn",
              .verb = security::Verb::write,
              .inputs = {.idempotency = true, .own_body = true},
              .doc = {.id = "transact",
                      .summary = "All of success where all comparisons hold, else all of failure, as one step.",
                      .answers = {{200, "What was done.", json_body("TransactionResult")}},
                      .refusals = {{404, "An operation names what is not there."},
                                   {409, "An operation cannot be done; a receipt is not valid any more."},
                                   {429, kFull},
                                   {507}},
                      .body = json_body("Transaction")},
              .begin = begin_transaction,
              .finish = finish_transaction},
};

}  // namespace

std::span<const RouteSpec> store_routes() { return kRoutesOfStore; }

}  // namespace wh::api
