// The Wormhole Connector's event queue: /event is the queue named `event`.
#include <array>
#include <utility>

#include "api/http/formats/cloud_events.h"
#include "api/http/read_terms.h"
#include "api/http/routes.h"
#include "api/http/routes/queue_routes.h"
#include "base/log.h"

namespace wh::api {
namespace {

constexpr std::string_view kQueue = "event";

// A form holds the event in a field. What comes as another type is the event itself.
bool is_form(const http::Request& request) {
  if (cloud_event_mode(request) != CloudEventMode::none) return false;
  const std::string* type = request.header("Content-Type");
  return type == nullptr || http::is_media_type(*type, "application/x-www-form-urlencoded") ||
         http::is_media_type(*type, "multipart/form-data");  // a form too, which is refused
}

OrRefusal<RouteCall> begin_post_event(RouteRequest& request) {
  if (!is_form(request.http)) {
    OrRefusal<EventsRead> read = read_events(request);
    if (!read) return read.error();
    if (read->events.empty()) return RouteCall{Read{GetLength{std::string(kQueue)}}};
    RouteState state = state_of(request, *read, std::string(kQueue));
    return RouteCall{.operation = Write{machine::PutEvents{kQueue, std::move(read->events)}},
                     .state = std::move(state),
                     .fingerprint = read->fingerprint,
                     .idempotency_key = std::move(read->idempotency_key)};
  }
  if (auto refusal = read_params(request)) return std::move(*refusal);
  for (const http::Header& field : request.http.headers)
    if (http::equals_ignoring_case(std::string_view(field.name).substr(0, kAttributePrefix.size()), kAttributePrefix))
      return malformed("an event of a form has no attributes, as " + printable(field.name) +
                       " would be: send it as the body, with a Content-Type such as text/plain");
  const std::string* event = http::find_param(request.query, "event");
  if (event == nullptr) return malformed("the form field event is missing");
  return RouteCall{Write{machine::Enqueue{kQueue, *event}}};
}

http::Response finish_post_event(const RouteContext&, const RouteState&, const Answer& answer) {
  http::Response response = empty_response(201);
  const auto add_id = [&](uint64_t id) { response.headers.add("Wormhole-Event-Id", id); };
  if (const auto* enqueued = std::get_if<Enqueued>(&answer.body))
    add_id(enqueued->id.value);
  else if (const auto* stored = std::get_if<Stored>(&answer.body); stored != nullptr && stored->ids.size() == 1)
    add_id(stored->ids[0]);
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_get_event(RouteRequest& request) {
  RouteCall call{Read{GetFront{std::string(kQueue)}}};
  if (auto refusal = read_entity_tags(request.http, call.state)) return std::move(*refusal);
  return call;
}

http::Response finish_get_event(const RouteContext&, const RouteState& state, const Answer& answer) {
  http::Response response{.status = 200, .content_type = "application/octet-stream", .headers = {}, .body = {}};
  const machine::Event* front = std::get<Front>(answer.body).event;
  if (auto otherwise = by_entity_tags(state, front))
    response = std::move(*otherwise);
  else if (front != nullptr)
    response.body = front->bytes;
  if (front != nullptr) {
    const std::string id = std::to_string(front->id());
    response.headers.add("ETag", '"' + id + '"');
    response.headers.add("Wormhole-Event-Id", id);
  }
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_delete_event(RouteRequest& request) {
  const auto id = wanted_front(request.http);
  if (!id) return id.error();
  return removal(kQueue, *id, request.http);
}

http::Response finish_delete_event(const RouteContext&, const RouteState& state, const Answer& answer) {
  return removed_response(state, answer);
}

constexpr Parameter kEvent{.name = "event", .text = "The event's bytes.", .example = "hello", .required = true};

constexpr std::array kRoutesOfEvents{
    RouteSpec{.methods = kPost,
              .pattern = "/event",
              .verb = security::Verb::write,
              .redirects = true,
              .inputs = {.form = {&kEvent}, .idempotency = true},
              .doc = {.id = "postEvent",
                      .summary = "Puts an event at the back of the queue. What is no form is the event itself.",
                      .answers = {{201, "It is stored.", {}, {&kEventIdField}}},
                      .refusals = {{429, kFull}, {507}},
                      .body = kEventBodies},
              .begin = begin_post_event,
              .finish = finish_post_event},
    RouteSpec{.methods = kGet,
              .pattern = "/event",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams, .entity_tags = true, .not_entity_tags = true},
              .doc = {.id = "getEvent",
                      .summary = "Shows the event in front; nothing of an empty queue.",
                      .answers = {{200,
                                   "The bytes of the event, or an empty body.",
                                   {{"application/octet-stream"}},
                                   {&kETagField, &kEventIdField}}}},
              .begin = begin_get_event,
              .finish = finish_get_event},
    RouteSpec{
        .methods = kDelete,
        .pattern = "/event",
        .verb = security::Verb::write,
        .redirects = true,
        .inputs = {.entity_tags = true, .idempotency = true},
        .doc = {.id = "deleteEvent",
                .summary = "Removes the event in front; of an empty queue nothing.",
                .answers =
                    {{204, "It is removed.", {}, {&kEventIdField}},
                     {200, "With Prefer: the event that was removed.", kAnyBytes, {&kEventIdField, &kPreferenceField}}},
                .fields = {&kPrefer}},
        .begin = begin_delete_event,
        .finish = finish_delete_event},
};

}  // namespace

std::span<const RouteSpec> event_routes() { return kRoutesOfEvents; }

}  // namespace wh::api
