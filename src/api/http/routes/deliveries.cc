// Deliveries: receive, and what a consumer says of what it received. Also events that are removed without one.
#include <algorithm>
#include <array>
#include <utility>

#include "api/http/formats/cloud_events.h"
#include "api/http/formats/queue_json.h"
#include "api/http/params.h"
#include "api/http/receipts.h"
#include "api/http/routes/queue_routes.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "http/shown.h"

namespace wh::api {
namespace {

using machine::SettleOutcome;
using machine::SettleVerb;

constexpr Parameter kMax{.name = "max",
                         .text = "How many events at most.",
                         .type = ParameterType::number,
                         .least = 1,
                         .most = machine::kMaxReceive,
                         .standard = 1};
constexpr Parameter kVisibility{.name = "visibility_timeout",
                                .text = "For how long nobody else is shown the events; else the queue's setting.",
                                .type = ParameterType::duration,
                                .least = machine::kMinVisibilityMs,
                                .most = machine::kMaxVisibilityMs,
                                .example = "30s"};
constexpr Parameter kExtension{
    .name = "visibility_timeout",
    .text = "For how long from now nobody else is shown the event; else the queue's setting.",
    .type = ParameterType::duration,
    .most = machine::kMaxVisibilityMs,
    .example = "30s"};
constexpr Parameter kReleaseDelay{.name = "delay",
                                  .text = "The event is ready again after this; else the setting backoff counts.",
                                  .type = ParameterType::duration,
                                  .most = machine::kMaxDelayMs,
                                  .example = "1s"};
constexpr Parameter kReceipt{.name = "receipt",
                             .text = "The Wormhole-Receipt that came with the event.",
                             .example = "1-1.289717e4",
                             .required = true};
constexpr Parameter kReason{.name = "reason", .text = "Why; it stays with the dead letter. At most 256 bytes."};

// --- receive

OrRefusal<RouteCall> begin_receive(RouteRequest& request) {
  const auto max = number_param(request.query, kMax);
  if (!max) return max.error();
  const auto visibility = duration_param(request.query, kVisibility);
  if (!visibility) return visibility.error();
  const auto wait = duration_param(request.query, kWait);
  if (!wait) return wait.error();
  const std::string& queue = request.params[0];
  return RouteCall{.operation = Write{machine::Receive{queue, static_cast<uint32_t>(*max), *visibility}},
                   .state = {.queue = queue, .max = *max, .form = accepted_form(request.http)},
                   .wait_ms = wait->value_or(0)};
}

std::string receipt_of(const std::string& queue, const machine::Delivery& delivery) {
  return format_receipt({delivery.id, delivery.delivery}, queue);
}

void write_delivery(http::JsonWriter& json, const std::string& queue, const machine::Delivery& delivery) {
  json.begin_object();
  write_event_members(json, EventView(delivery));
  json.key("receipt").string(receipt_of(queue, delivery));
  write_time(json, "visible_at", delivery.visible_at);
  json.end_object();
}

constexpr std::array<std::string_view, 3> kOfDelivery{"wormholedeliveries", "wormholeid", "wormholereceipt"};

// What a batch of CloudEvents has no headers for stands in extensions. A producer's own of these names are left out: a
// name must not be there twice, and a receipt is the queue's word.
void write_delivered_cloud_event(http::JsonWriter& json, const std::string& queue, const machine::Delivery& delivery) {
  json.begin_object();
  write_cloud_event_members(json, queue, EventView(delivery), kOfDelivery);
  json.key("wormholeid").string(std::to_string(delivery.id));
  json.key("wormholereceipt").string(receipt_of(queue, delivery));
  json.key("wormholedeliveries").number(delivery.deliveries);
  json.end_object();
}

http::Response finish_receive(const RouteContext&, const RouteState& state, const Answer& answer) {
  const auto& deliveries = std::get<Received>(answer.body).deliveries;
  if (deliveries.empty()) return with_index(empty_response(204), answer.index);
  const bool single = state.max == 1 && (state.form == EventForm::as_it_came || state.form == EventForm::structured);
  if (single) {
    http::Response response = shown_event(state, EventView(deliveries[0]));
    response.headers.add("Wormhole-Receipt", receipt_of(state.queue, deliveries[0]));
    return with_index(std::move(response), answer.index);
  }
  const bool as_cloud_events = state.form == EventForm::structured || state.form == EventForm::batched;
  http::JsonWriter json;
  json.begin_array();
  for (const machine::Delivery& delivery : deliveries) {
    if (as_cloud_events)
      write_delivered_cloud_event(json, state.queue, delivery);
    else
      write_delivery(json, state.queue, delivery);
  }
  json.end_array();
  http::Response response = json_response(200, json.take());
  if (as_cloud_events) response.content_type = kBatchedType;
  return with_index(std::move(response), answer.index);
}

// --- one delivery

Refusal no_receipt(const std::string& queue, uint64_t id) {
  return malformed("the parameter receipt is no receipt of event " + std::to_string(id) + " of the queue " + queue +
                   ": it is the Wormhole-Receipt that came with it");
}

OrRefusal<RouteCall> begin_settle(RouteRequest& request, SettleVerb verb) {
  const auto id = parse_event_id(request.params[1]);
  if (!id) return malformed("an event's id is a number below 2^53");
  const std::string* text = http::find_param(request.query, "receipt");
  if (text == nullptr) return malformed("the parameter receipt is missing: it came with the event as Wormhole-Receipt");
  const std::string& queue = request.params[0];
  const auto receipt = parse_receipt(*text, queue, *id);
  if (!receipt) return no_receipt(queue, *id);
  machine::Settle settle{.queue = queue, .verb = verb, .receipts = {*receipt}};
  return RouteCall{Write{std::move(settle)}, {.queue = queue, .id = *id, .verb = verb}};
}

// The duration that an extension or a release may name.
OrRefusal<std::optional<Millis>> settle_duration(const http::Params& query, SettleVerb verb) {
  if (verb == SettleVerb::extend) return duration_param(query, kExtension);
  if (verb == SettleVerb::release) return duration_param(query, kReleaseDelay);
  return std::optional<Millis>();
}

template <SettleVerb verb>
OrRefusal<RouteCall> begin_one(RouteRequest& request) {
  OrRefusal<RouteCall> call = begin_settle(request, verb);
  if (!call) return call;
  const auto duration = settle_duration(request.query, verb);
  if (!duration) return duration.error();
  auto& settle = std::get<machine::Settle>(std::get<Write>(call->operation));
  settle.duration = *duration;
  if (const std::string* reason = http::find_param(request.query, "reason")) settle.reason = *reason;
  return call;
}

// What is gone was acknowledged before: an acknowledgement of it is none the worse.
http::Response finish_one(const RouteContext&, const RouteState& state, const Answer& answer) {
  const auto& settled = std::get<Settled>(answer.body);
  const SettleOutcome outcome = settled.outcomes.empty() ? SettleOutcome::gone : settled.outcomes[0];
  if (outcome == SettleOutcome::done && state.verb == SettleVerb::extend) {
    http::JsonWriter json;
    json.begin_object();
    write_time(json, "visible_at", settled.visible_at);
    json.end_object();
    return with_index(json_response(200, json.take()), answer.index);
  }
  if (outcome == SettleOutcome::done || (outcome == SettleOutcome::gone && state.verb == SettleVerb::acknowledge))
    return with_index(empty_response(204), answer.index);
  const std::string event = "the event " + std::to_string(state.id) + " of the queue " + state.queue;
  return refusal_response(
      {.kind = RefusalKind::conflict,
       .sentence = outcome == SettleOutcome::gone
                       ? event + " is gone: it was acknowledged, removed or expired"
                       : "the receipt is not valid any more: " + event +
                             " was delivered again or dead-lettered, or its time is over (visibility_timeout)",
       .index = answer.index},
      true);
}

// --- many

// The items of a body that is an array of objects with these members.
OrRefusal<std::vector<http::JsonValue>> read_items(const http::Request& request, const std::string& members,
                                                   const std::string& what) {
  if (auto refusal = refuse_other_than_json(request, "a JSON array")) return std::move(*refusal);
  const std::string expected = "a JSON array of {" + members + "} is expected";
  if (request.body.empty()) return malformed(expected + ", and the body is empty");
  const Result<http::JsonValue> array = http::parse_json(request.body);
  if (!array) return malformed(printable(array.error()));
  if (array->kind() != http::JsonKind::array) return malformed(expected);
  std::vector<http::JsonValue> items = array->items();
  if (items.empty() || items.size() > machine::kMaxBatch)
    return malformed("one request has 1 to " + std::to_string(machine::kMaxBatch) + " " + what +
                     (items.empty() ? ", and this one has none" : ": send them in parts"));
  return items;
}

OrRefusal<std::pair<AskedReceipt, machine::Receipt>> read_receipt(const std::string& queue, const http::JsonValue& item,
                                                                  http::KeptStrings& kept) {
  const auto malformed_item = [] {
    return malformed("each item is an object with the members id, a number, and receipt, a string");
  };
  if (item.kind() != http::JsonKind::object) return malformed_item();
  const auto members = item.members(kept);
  if (!members) return malformed(printable(members.error()));
  std::optional<uint64_t> id;
  std::optional<std::string_view> text;
  for (const auto& [name, value] : *members) {
    if (name == "id")
      id = value.number();
    else if (name == "receipt" && value.kind() == http::JsonKind::string)
      text = value.string(kept);
    else
      return malformed_item();
  }
  if (!id || !text) return malformed_item();
  const auto receipt = parse_receipt(*text, queue, *id);
  return std::pair{AskedReceipt{*id, receipt.has_value()}, receipt.value_or(machine::Receipt{})};
}

std::string_view outcome_text(SettleOutcome outcome, SettleVerb verb) {
  if (outcome == SettleOutcome::gone) return "gone";
  if (outcome == SettleOutcome::stale) return "stale";
  return verb == SettleVerb::extend ? "extended" : verb == SettleVerb::release ? "released" : "acknowledged";
}

// A request all of whose receipts are none asks the cluster nothing but whether the queue is there.
template <SettleVerb verb>
OrRefusal<RouteCall> begin_many(RouteRequest& request) {
  const OrRefusal<std::vector<http::JsonValue>> items = read_items(request.http, "\"id\", \"receipt\"", "receipts");
  if (!items) return items.error();
  const auto duration = settle_duration(request.query, verb);
  if (!duration) return duration.error();
  const std::string& queue = request.params[0];
  if (auto refusal = bad_queue_in_path(queue)) return std::move(*refusal);
  machine::Settle settle{.queue = queue, .verb = verb, .duration = *duration};
  RouteState state{.queue = queue, .verb = verb};
  for (const http::JsonValue& item : *items) {
    const auto read = read_receipt(request.params[0], item, request.kept);
    if (!read) return read.error();
    state.receipts.push_back(read->first);
    if (read->first.valid) settle.receipts.push_back(read->second);
  }
  if (settle.receipts.empty()) return RouteCall{Read{GetLength{queue}}, std::move(state)};
  RouteCall call{.operation = Read{}, .state = std::move(state)};
  // The answer tells of the others too, and the command does not have them.
  if (settle.receipts.size() < items->size()) {
    const std::string terms = std::to_string(duration->value_or(0));
    const std::string_view parts[] = {outcome_text(SettleOutcome::done, verb),
                                      duration->has_value() ? std::string_view(terms) : std::string_view(),
                                      request.http.body};
    call.fingerprint = fingerprint_of(parts);
  }
  call.operation = Write{std::move(settle)};
  return call;
}

// What became of each item; `of` gives the word, and whether it was done.
template <typename Of>
http::Response outcomes_response(const RouteState& state, raft::Index index, const Of& of) {
  size_t failed = 0;
  http::JsonWriter json;
  json.begin_array();
  for (const AskedReceipt& asked : state.receipts) {
    const auto& [outcome, done] = of(asked);
    failed += done ? 0 : 1;
    json.begin_object().key("id").number(asked.id).key("outcome").string(outcome).end_object();
  }
  json.end_array();
  http::Response response = json_response(200, json.take());
  response.headers.add("Wormhole-Failed", failed);
  return with_index(std::move(response), index);
}

http::Response finish_many(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto* settled = std::get_if<Settled>(&answer.body);
  if (settled == nullptr && !has_queue(context, state.queue))
    return not_here("there is no queue " + state.queue, answer.index, true);
  size_t next = 0;
  return outcomes_response(state, answer.index, [&](const AskedReceipt& asked) {
    if (!asked.valid || settled == nullptr || next == settled->outcomes.size())
      return std::pair<std::string_view, bool>("invalid", false);
    const SettleOutcome outcome = settled->outcomes[next++];
    return std::pair(outcome_text(outcome, state.verb), outcome == SettleOutcome::done);
  });
}

// --- without a receipt

OrRefusal<RouteCall> begin_remove_events(RouteRequest& request) {
  const OrRefusal<std::vector<http::JsonValue>> items = read_items(request.http, "\"id\"", "events");
  if (!items) return items.error();
  machine::RemoveEvents remove{.queue = request.params[0], .ids = {}};
  RouteState state{};
  for (const http::JsonValue& item : *items) {
    const auto malformed_item = [] { return malformed("each item is an object with the member id, a number"); };
    if (item.kind() != http::JsonKind::object) return malformed_item();
    const auto members = item.members(request.kept);
    if (!members) return malformed(printable(members.error()));
    if (members->size() != 1 || members->front().first != "id") return malformed_item();
    const std::optional<uint64_t> id = members->front().second.number();
    if (!id) return malformed_item();
    state.receipts.push_back({*id, true});
    remove.ids.push_back(*id);
  }
  return RouteCall{Write{std::move(remove)}, std::move(state)};
}

http::Response finish_remove_events(const RouteContext&, const RouteState& state, const Answer& answer) {
  const std::vector<SettleOutcome>& outcomes = std::get<Settled>(answer.body).outcomes;
  size_t next = 0;
  return outcomes_response(state, answer.index, [&](const AskedReceipt&) {
    const SettleOutcome outcome = next < outcomes.size() ? outcomes[next++] : SettleOutcome::gone;
    const std::string_view word = outcome == SettleOutcome::done   ? "removed"
                                  : outcome == SettleOutcome::held ? "reserved"
                                                                   : "gone";
    return std::pair(word, outcome == SettleOutcome::done);
  });
}

// --- the rows

constexpr std::string_view kOver =
    "The receipt is not valid any more: the event was delivered again or dead-lettered, is gone, or its time is over.";

constexpr RouteSpec one(http::MethodMask method, std::string_view pattern, const Parameters& query,
                        OrRefusal<RouteCall> (*begin)(RouteRequest&), std::string_view id, std::string_view summary,
                        const AnswerDoc& answer) {
  return {.methods = method,
          .pattern = pattern,
          .verb = security::Verb::write,
          .inputs = {.query = query, .idempotency = true},
          .doc = {.id = id, .summary = summary, .answers = {answer}, .refusals = {{404, kNoQueue}, {409, kOver}}},
          .begin = begin,
          .finish = finish_one};
}

constexpr RouteSpec many(std::string_view pattern, const Parameters& query,
                         OrRefusal<RouteCall> (*begin)(RouteRequest&), std::string_view id, std::string_view summary) {
  return {.methods = kPost,
          .pattern = pattern,
          .verb = security::Verb::write,
          .inputs = {.query = query, .idempotency = true, .own_body = true},
          .doc = {.id = id,
                  .summary = summary,
                  .answers = {{200, "What became of each, in the same order.", json_body("Outcomes"), {&kFailedField}}},
                  .refusals = {{404, kNoQueue}},
                  .body = json_body("Receipts")},
          .begin = begin,
          .finish = finish_many};
}

constexpr std::array kRoutesOfDeliveries{
    RouteSpec{.methods = kPost,
              .pattern = "/queues/{q}/receive",
              .verb = security::Verb::write,
              .alone = true,
              .inputs = {.query = {&kMax, &kVisibility, &kWait}, .idempotency = true},
              .doc = {.id = "receiveEvents",
                      .summary = "Delivers events that nobody else is shown until the time-out.",
                      .answers = {{200,
                                   "With max=1 the event, in the form that Accept names; else a list.",
                                   {{"*/*"},
                                    {"application/json", "Deliveries"},
                                    {kStructuredType, "CloudEvent"},
                                    {kBatchedType, "CloudEvents"}},
                                   {&kETagField, &kEventIdField, &kDeliveriesField, &kEnqueuedAtField, &kReceiptField}},
                                  {204, "No event came."}}},
              .begin = begin_receive,
              .finish = finish_receive},
    one(kDelete, "/queues/{q}/events/{id}", {&kReceipt}, begin_one<SettleVerb::acknowledge>, "acknowledgeEvent",
        "Removes an event that was received.", {204, "It is gone."}),
    one(kPost, "/queues/{q}/events/{id}/extend", {&kReceipt, &kExtension}, begin_one<SettleVerb::extend>, "extendEvent",
        "Keeps an event that was received for longer.", {200, "Until when.", json_body("VisibleAt")}),
    one(kPost, "/queues/{q}/events/{id}/release", {&kReceipt, &kReleaseDelay}, begin_one<SettleVerb::release>,
        "releaseEvent", "Gives an event that was received back to the queue.", {204, "It is given back."}),
    one(kPost, "/queues/{q}/events/{id}/bury", {&kReceipt, &kReason}, begin_one<SettleVerb::bury>, "buryEvent",
        "Moves an event that was received to the dead letter queue.", {204, "It is moved."}),
    many("/queues/{q}/ack", {}, begin_many<SettleVerb::acknowledge>, "acknowledgeEvents",
         "Removes events that were received."),
    many("/queues/{q}/extend", {&kExtension}, begin_many<SettleVerb::extend>, "extendEvents",
         "Keeps events that were received for longer."),
    many("/queues/{q}/release", {&kReleaseDelay}, begin_many<SettleVerb::release>, "releaseEvents",
         "Gives events that were received back to the queue."),
    RouteSpec{
        .methods = kPost,
        .pattern = "/queues/{q}/remove",
        .verb = security::Verb::write,
        .inputs = {.idempotency = true, .own_body = true},
        .doc = {.id = "removeEvents",
                .summary = "Removes events that nobody holds by their ids.",
                .answers = {{200, "What became of each, in the same order.", json_body("Removals"), {&kFailedField}}},
                .refusals = {{404, kNoQueue}},
                .body = json_body("EventIds")},
        .begin = begin_remove_events,
        .finish = finish_remove_events},
};

}  // namespace

std::span<const RouteSpec> delivery_routes() { return kRoutesOfDeliveries; }

}  // namespace wh::api
