// The events of a queue: enqueue, the front, lists.
#include <algorithm>
#include <array>
#include <utility>

#include "api/http/formats/cloud_events.h"
#include "api/http/formats/queue_json.h"
#include "api/http/params.h"
#include "api/http/read_terms.h"
#include "api/http/receipts.h"
#include "api/http/routes/queue_routes.h"
#include "api/http/streams/queue_stream.h"
#include "config/option_values.h"
#include "http/url.h"

namespace wh::api {
namespace {

constexpr uint64_t kMaxArrival = (uint64_t{1} << 53) - 1;

OrRefusal<RouteCall> begin_put(RouteRequest& request) {
  OrRefusal<EventsRead> read = read_events(request);
  if (!read) return read.error();
  const std::string& queue = request.params[0];
  if (auto refusal = bad_queue_in_path(queue)) return std::move(*refusal);
  if (auto refusal = bad_new_name(queue)) return std::move(*refusal);
  if (read->events.empty()) return RouteCall{Read{GetLength{queue}}, {.queue = queue}};
  RouteState state = state_of(request, *read, queue);
  return RouteCall{.operation = Write{machine::PutEvents{queue, std::move(read->events)}},
                   .state = std::move(state),
                   .fingerprint = read->fingerprint,
                   .idempotency_key = std::move(read->idempotency_key)};
}

http::Response finish_put(const RouteContext&, const RouteState& state, const Answer& answer) {
  http::Response response = empty_response(201);
  if (const auto* stored = std::get_if<Stored>(&answer.body); stored != nullptr && stored->ids.size() == 1) {
    const std::string id = std::to_string(stored->ids[0]);
    response.headers.add("Location", "/queues/" + http::percent_encode(state.queue) + "/events/" + id);
    response.headers.add("Wormhole-Event-Id", id);
  }
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_batch(RouteRequest& request) {
  OrRefusal<std::vector<machine::NewEvent>> events = read_batch(request);
  if (!events) return events.error();
  if (auto refusal = bad_queue_in_path(request.params[0])) return std::move(*refusal);
  if (auto refusal = bad_new_name(request.params[0])) return std::move(*refusal);
  RouteState state{.queue = request.params[0]};
  if (std::any_of(events->begin(), events->end(), [](const auto& event) { return event.idempotency.has_value(); }))
    state.keys_of = KeysOf::items;
  state.has_key = request.http.header("Idempotency-Key") != nullptr;
  return RouteCall{Write{machine::PutEvents{request.params[0], std::move(*events)}}, std::move(state)};
}

http::Response finish_batch(const RouteContext&, const RouteState&, const Answer& answer) {
  http::JsonWriter json;
  json.begin_object().key("ids").begin_array();
  for (const uint64_t id : std::get<Stored>(answer.body).ids) json.number(id);
  json.end_array().end_object();
  return with_index(json_response(201, json.take()), answer.index);
}

// --- the front

constexpr Parameters kFrontParams = Parameters{&kWait} + kReadParams;

OrRefusal<RouteCall> begin_get_front(RouteRequest& request) {
  if (auto refusal = bad_queue_in_path(request.params[0])) return std::move(*refusal);
  const auto wait = duration_param(request.query, kWait);
  if (!wait) return wait.error();
  RouteCall call{Read{GetFront{request.params[0]}}, {.queue = request.params[0], .form = accepted_form(request.http)}};
  call.wait_ms = wait->value_or(0);
  if (auto refusal = read_entity_tags(request.http, call.state)) return std::move(*refusal);
  return call;
}

http::Response finish_get_front(const RouteContext&, const RouteState& state, const Answer& answer) {
  const machine::Event* front = std::get<Front>(answer.body).event;
  std::optional<http::Response> otherwise = by_entity_tags(state, front);
  if (otherwise && front != nullptr) add_event_fields(*otherwise, EventView(*front));
  if (!otherwise && front == nullptr) otherwise = empty_response(204);
  if (otherwise) return with_index(std::move(*otherwise), answer.index);
  return with_index(shown_event(state, EventView(*front)), answer.index);
}

OrRefusal<RouteCall> begin_delete_front(RouteRequest& request) {
  if (auto refusal = bad_queue_in_path(request.params[0])) return std::move(*refusal);
  const auto id = wanted_front(request.http);
  if (!id) return id.error();
  return removal(request.params[0], *id, request.http);
}

http::Response finish_delete_front(const RouteContext&, const RouteState& state, const Answer& answer) {
  return removed_response(state, answer);
}

// --- lists

constexpr Parameter kState{
    .name = "state", .text = "Only events in this state.", .choices = {"ready", "delayed", "reserved"}};
constexpr Parameter kAfterEvent{.name = "after",
                                .text = "The first event is behind this number, which an answer gave.",
                                .type = ParameterType::number,
                                .most = kMaxArrival,
                                .standard = 0};

OrRefusal<ListedState> state_param(const http::Params& query) {
  const std::string* text = http::find_param(query, "state");
  if (text == nullptr) return ListedState::any;
  if (*text == "ready") return ListedState::ready;
  if (*text == "delayed") return ListedState::delayed;
  if (*text == "reserved") return ListedState::reserved;
  return malformed("state is ready, delayed or reserved");
}

OrRefusal<RouteCall> begin_list(RouteRequest& request) {
  const OrRefusal<ListedState> state = state_param(request.query);
  if (!state) return state.error();
  const OrRefusal<uint64_t> after = number_param(request.query, kAfterEvent);
  if (!after) return after.error();
  const OrRefusal<uint64_t> limit = number_param(request.query, kLimit);
  if (!limit) return limit.error();
  // Where the next answer goes on, but for `after`.
  std::string next = "/queues/" + http::percent_encode(request.params[0]) + "/events?limit=" + std::to_string(*limit);
  if (const std::string* named = http::find_param(request.query, "state")) next += "&state=" + *named;
  next += read_terms_of(request.query);
  return RouteCall{Read{ListEvents{request.params[0], *state, *after, static_cast<uint32_t>(*limit)}},
                   {.value = std::move(next), .queue = request.params[0]}};
}

http::Response finish_list(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<ShownEvents>(answer.body);
  if (shown.queue == nullptr) return not_here("there is no queue " + state.queue, answer.index, false);
  http::JsonWriter json;
  json.begin_array();
  for (const machine::Event* event : shown.events) write_queued_event(json, *event, context.api.node.machine());
  json.end_array();
  http::Response response = json_response(200, json.take());
  if (shown.next != 0) add_next_link(response, state.value + "&after=" + std::to_string(shown.next));
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_get_one(RouteRequest& request) {
  const auto id = parse_event_id(request.params[1]);
  if (!id) return malformed("an event's id is a number below 2^53");
  return RouteCall{Read{GetEvent{request.params[0], *id}}, {.queue = request.params[0], .id = *id}};
}

http::Response finish_get_one(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<ShownEvent>(answer.body);
  if (shown.queue == nullptr) return not_here("there is no queue " + state.queue, answer.index, false);
  if (shown.event == nullptr)
    return not_here("the queue " + state.queue + " has no event " + std::to_string(state.id), answer.index, false);
  http::JsonWriter json;
  write_queued_event(json, *shown.event, context.api.node.machine());
  return with_index(json_response(200, json.take()), answer.index);
}

// --- what arrives

// A client that comes back sends the id of the last event that it has; that wins over the address (HAZARDS W10).
OrRefusal<RouteCall> begin_stream(RouteRequest& request) {
  const std::string& queue = request.params[0];
  if (auto refusal = bad_queue_in_path(queue)) return std::move(*refusal);
  OrRefusal<uint64_t> after = number_param(request.query, kAfterEvent);
  if (!after) return after.error();
  if (const std::string* last = request.http.header("Last-Event-ID"); last != nullptr && !last->empty()) {
    const std::optional<uint64_t> id = config::parse_unsigned(*last);
    if (!id || *id > kMaxArrival) return malformed("Last-Event-ID is an id of this stream, a number");
    *after = *id;
  }
  if (request.http.method == http::Method::head)
    return RouteCall{Read{ShowQueue{queue}}, {.head = true, .queue = queue}};
  return RouteCall{Watch{WatchQueue{queue, *after}}, {.queue = queue, .id = *after}};
}

http::Response finish_stream(const RouteContext& context, const RouteState& state, const Answer& answer) {
  http::Response response = event_stream_response();
  if (!state.head) {
    response.stream = open_queue_stream(context.api.node.machine(), state.queue, state.id);
    return response;
  }
  if (std::get<ShownQueues>(answer.body).queues.empty())
    return not_here("there is no queue " + state.queue, answer.index, false);
  response.unknown_length = true;
  return response;
}

constexpr Contents kShownEvent{{"*/*"}, {kStructuredType, "CloudEvent"}, {kBatchedType, "CloudEvents"}};
constexpr ShortList<const Parameter*, 6> kFrontFields{&kETagField, &kEventIdField, &kDeliveriesField,
                                                      &kEnqueuedAtField};

constexpr std::array kRoutesOfQueues{
    RouteSpec{.methods = kPost,
              .pattern = "/queues/{q}/events",
              .verb = security::Verb::write,
              .inputs = {.query = kEventParams, .idempotency = true, .any_body = true},
              .doc = {.id = "enqueueEvent",
                      .summary = "Puts the body into the queue, as one event or as a batch of CloudEvents.",
                      .answers = {{201, "It is stored.", {}, {&kLocationField, &kEventIdField}}},
                      .refusals = {{429, kFull}, {507}},
                      .body = kEventBodies},
              .begin = begin_put,
              .finish = finish_put},
    RouteSpec{.methods = kGet,
              .pattern = "/queues/{q}/events",
              .verb = security::Verb::read,
              .inputs = {.query = Parameters{&kState, &kAfterEvent, &kLimit} + kReadParams},
              .doc = {.id = "listEvents",
                      .summary = "Lists the events of a queue in the order of arrival; changes nothing.",
                      .answers = {{200, "The events.", json_body("Events"), {&kLinkField}}},
                      .refusals = {{404, kNoQueue}}},
              .begin = begin_list,
              .finish = finish_list},
    RouteSpec{.methods = kPost,
              .pattern = "/queues/{q}/batch",
              .verb = security::Verb::write,
              .inputs = {.idempotency = true, .own_body = true},
              .doc = {.id = "enqueueBatch",
                      .summary = "Puts 1 to 1,000 events into the queue, all or none.",
                      .answers = {{201, "They are stored, with these ids in order.", json_body("Ids")}},
                      .refusals = {{429, kFull}, {507}},
                      .body = {{"application/json", "NewEvents"}, {"application/x-ndjson"}}},
              .begin = begin_batch,
              .finish = finish_batch},
    RouteSpec{.methods = kGet,
              .pattern = "/queues/{q}/front",
              .verb = security::Verb::read,
              .inputs = {.query = kFrontParams, .entity_tags = true, .not_entity_tags = true},
              .doc = {.id = "getFront",
                      .summary = "Shows the event that is delivered next, with its attributes as header fields.",
                      .answers = {{200, "The event, in the form that Accept names.", kShownEvent, kFrontFields},
                                  {204, "No event is ready."}}},
              .begin = begin_get_front,
              .finish = finish_get_front},
    RouteSpec{
        .methods = kDelete,
        .pattern = "/queues/{q}/front",
        .verb = security::Verb::write,
        .inputs = {.entity_tags = true, .idempotency = true},
        .doc = {.id = "deleteFront",
                .summary = "Removes the event that is delivered next; where none is ready, nothing.",
                .answers =
                    {{204, "It is removed.", {}, {&kEventIdField}},
                     {200, "With Prefer: the event that was removed.", kAnyBytes, {&kEventIdField, &kPreferenceField}}},
                .fields = {&kPrefer}},
        .begin = begin_delete_front,
        .finish = finish_delete_front},
    RouteSpec{.methods = kGet,
              .pattern = "/queues/{q}/events/{id}",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams},
              .doc = {.id = "getQueuedEvent",
                      .summary = "Shows an event of a queue; changes nothing.",
                      .answers = {{200, "The event.", json_body("Event")}},
                      .refusals = {{404, "There is no such queue, or no such event in it."}}},
              .begin = begin_get_one,
              .finish = finish_get_one},
    RouteSpec{.methods = kGet,
              .pattern = "/queues/{q}/stream",
              .verb = security::Verb::read,
              .stream = true,
              .inputs = {.query = Parameters{&kAfterEvent} + kStreamParams},
              .doc = {.id = "streamQueue",
                      .summary = "A stream of every event that is not removed yet, then of each that comes.",
                      .answers = {{200,
                                   "Server-Sent Events; id is a number for after, data the event.",
                                   {{"text/event-stream", "Event"}}}},
                      .refusals = {{404, kNoQueue}}},
              .begin = begin_stream,
              .finish = finish_stream},
};

}  // namespace

std::span<const RouteSpec> queue_routes() { return kRoutesOfQueues; }

}  // namespace wh::api
