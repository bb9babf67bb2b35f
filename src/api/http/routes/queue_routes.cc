#include "api/http/routes/queue_routes.h"

#include <algorithm>
#include <utility>

#include "api/http/formats/cloud_events.h"
#include "api/http/header_lists.h"
#include "api/http/read_terms.h"
#include "base/log.h"
#include "config/option_values.h"
#include "http/entity_tag.h"
#include "http/json_reader.h"
#include "http/url.h"
#include "machine/queue/queues.h"

namespace wh::api {
namespace {

Refusal wrong_batch(bool empty) {
  return malformed("a batch has 1 to " + std::to_string(machine::kMaxBatch) + " events" +
                   (empty ? ", and this one has none" : ": send it in parts"));
}

std::optional<Refusal> add_item(const http::JsonValue& item, RouteRequest& request,
                                std::vector<machine::NewEvent>& events) {
  if (events.size() == machine::kMaxBatch) return wrong_batch(false);
  OrRefusal<machine::NewEvent> event = read_json_event(item, request.kept);
  if (!event)
    return malformed("the event " + std::to_string(events.size()) + " of the batch: " + event.error().sentence);
  if (event->idempotency) event->idempotency->fingerprint = fingerprint_of(*event);
  events.push_back(*event);
  return std::nullopt;
}

std::optional<Refusal> read_lines(RouteRequest& request, std::vector<machine::NewEvent>& events) {
  std::string_view rest = request.http.body;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = config::trim_blanks(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty()) continue;
    const Result<http::JsonValue> item = http::parse_json(line);
    if (!item)
      return malformed("the event " + std::to_string(events.size()) + " of the batch: " + printable(item.error()));
    if (auto refusal = add_item(*item, request, events)) return refusal;
  }
  return std::nullopt;
}

}  // namespace

OrRefusal<EventsRead> read_events(RouteRequest& request) {
  EventsRead read;
  const auto add = [&](const OrRefusal<machine::NewEvent>& event) -> std::optional<Refusal> {
    if (!event) return event.error();
    read.events.push_back(*event);
    return std::nullopt;
  };
  const CloudEventMode mode = cloud_event_mode(request.http);
  read.cloud_events = mode != CloudEventMode::none;
  std::optional<Refusal> refusal;
  switch (mode) {
    case CloudEventMode::none:
      refusal = add(read_plain_event(request.http, request.kept));
      break;
    case CloudEventMode::binary:
      refusal = add(read_binary_event(request.http, request.kept));
      break;
    case CloudEventMode::structured:
      refusal = add(read_structured_event(request.http.body, request.kept));
      break;
    case CloudEventMode::batched: {
      OrRefusal<std::vector<machine::NewEvent>> events = read_batched_events(request.http.body, request.kept);
      if (!events) return events.error();
      read.events = std::move(*events);
      break;
    }
    case CloudEventMode::unknown_format:
      return Refusal{RefusalKind::wrong_type, "a CloudEvent comes as " + std::string(kStructuredType) + ", as " +
                                                  std::string(kBatchedType) + ", or with ce- headers"};
  }
  if (refusal) return std::move(*refusal);
  const bool has_key = request.http.header("Idempotency-Key") != nullptr;
  for (machine::NewEvent& event : read.events) {
    const std::string_view own_group = event.group;
    if (auto bad = read_terms(request.query, event)) return std::move(*bad);
    if (!own_group.empty() && own_group != event.group)
      return malformed("a CloudEvent's partitionkey is its group, and the parameter group names another");
    if (mode == CloudEventMode::none || read.events.size() > 1 || has_key) continue;
    read.idempotency_key = cloud_event_key(event.headers);
  }
  const bool single = read.events.size() == 1;
  if (single && (has_key || mode != CloudEventMode::none)) read.fingerprint = fingerprint_of(read.events[0]);
  if (mode != CloudEventMode::none && read.idempotency_key.empty())
    for (machine::NewEvent& event : read.events)
      event.idempotency =
          machine::IdempotencyKey{request.kept.emplace_back(cloud_event_key(event.headers)), fingerprint_of(event)};
  return read;
}

RouteState state_of(const RouteRequest& request, const EventsRead& read, const std::string& queue, bool to_topic) {
  RouteState state{.queue = queue};
  if (read.cloud_events) state.keys_of = read.events.size() > 1 ? KeysOf::cloud_events : KeysOf::cloud_event;
  state.has_key = request.http.header("Idempotency-Key") != nullptr;
  state.to_topic = to_topic;
  return state;
}

std::string known_keys_sentence(const RouteState& state) {
  const bool items = state.keys_of == KeysOf::items;
  std::string_view keys = state.keys_of == KeysOf::cloud_events ? "the source and id of a CloudEvent of this batch"
                                                                : "the source and id of this CloudEvent";
  if (items) keys = "an idempotency_key of this batch";
  if (state.has_key)
    keys = items ? "this Idempotency-Key, or an idempotency_key of an event here,"
                 : "this Idempotency-Key, or the source and id of a CloudEvent here,";
  return std::string(keys) + " came before to the " + (state.to_topic ? "topic " : "queue ") + printable(state.queue) +
         " with other content" + (items ? ", within dedup_window" : ": they are the event's key for dedup_window");
}

OrRefusal<std::vector<machine::NewEvent>> read_batch(RouteRequest& request) {
  std::vector<machine::NewEvent> events;
  const std::string* type = request.http.header("Content-Type");
  if (type != nullptr &&
      (http::is_media_type(*type, "application/x-ndjson") || http::is_media_type(*type, "application/ndjson"))) {
    if (auto refusal = read_lines(request, events)) return std::move(*refusal);
  } else {
    if (auto refusal = refuse_other_than_json(request.http, "a JSON array, or application/x-ndjson,"))
      return std::move(*refusal);
    if (request.http.body.empty()) return malformed("a batch is a JSON array of events, and the body is empty");
    const Result<http::JsonValue> array = http::parse_json(request.http.body);
    if (!array) return malformed(printable(array.error()));
    if (array->kind() != http::JsonKind::array) return malformed("a batch is a JSON array of events");
    for (const http::JsonValue& item : array->items())
      if (auto refusal = add_item(item, request, events)) return std::move(*refusal);
  }
  if (events.empty()) return wrong_batch(true);
  return events;
}

// A value that no event can have as its tag gives 400, not 412 for an event that is gone: the client, or a proxy that
// rewrites tags, made a mistake.
OrRefusal<std::optional<uint64_t>> wanted_front(const http::Request& request) {
  const std::string* field = request.header("If-Match");
  if (field == nullptr) return std::optional<uint64_t>();
  const auto tags = http::parse_entity_tags(*field);
  if (tags && tags->tags.size() == 1) {
    const http::EntityTag& tag = tags->tags[0];
    if (tag.weak)
      return malformed(
          "If-Match holds a weak tag, which matches no event: something on the way changed "
          "the ETag (nginx does when it compresses)");
    if (const auto id = config::parse_unsigned(tag.opaque)) return std::optional(*id);
  }
  if (tags && tags->tags.size() > 1)
    return malformed("If-Match takes one event's id here, not a list: name the event that is to go");
  return malformed("If-Match takes one event's id in quotes, as ETag gives it");
}

std::optional<Refusal> read_entity_tags(const http::Request& request, RouteState& state) {
  const auto read = [&](std::string_view name, std::string& into) {
    const std::optional<std::string> field = http::joined_fields(request, name);
    into = field.value_or("");
    return !field || http::parse_entity_tags(*field);
  };
  if (read("If-Match", state.if_match) && read("If-None-Match", state.if_none_match)) return std::nullopt;
  return malformed("If-Match and If-None-Match take entity tags, as ETag gives them");
}

// In the order of RFC 9110 13.2.2.
std::optional<http::Response> by_entity_tags(const RouteState& state, const machine::Event* front) {
  const std::string id = front == nullptr ? "" : std::to_string(front->id());
  if (!state.if_match.empty() && !http::if_match_holds(*http::parse_entity_tags(state.if_match), id))
    return http::error_response(412, "another event, or none, is in front");
  if (!state.if_none_match.empty() && !http::if_none_match_holds(*http::parse_entity_tags(state.if_none_match), id))
    return empty_response(304);
  return std::nullopt;
}

bool prefers_representation(const http::Request& request) {
  const std::optional<std::string> field = http::joined_fields(request, "Prefer");
  if (!field) return false;
  for (const std::string_view preference : split_list(*field, ',')) {
    const std::string_view named = config::trim_blanks(preference.substr(0, preference.find(';')));
    const size_t equals = named.find('=');
    if (equals == std::string_view::npos) continue;
    if (!http::equals_ignoring_case(config::trim_blanks(named.substr(0, equals)), "return")) continue;
    std::string_view value = config::trim_blanks(named.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return value == "representation";  // of two, the first counts (RFC 7240, 2)
  }
  return false;
}

EventForm accepted_form(const http::Request& request) {
  const std::optional<std::string> field = http::joined_fields(request, "Accept");
  EventForm form = EventForm::as_it_came;
  int best = 0;
  if (!field) return form;
  for (const MediaRange& range : media_ranges(*field)) {
    const auto is = [&](std::string_view type) { return http::equals_ignoring_case(range.type, type); };
    if (range.weight <= best) continue;
    if (is("application/json"))
      form = EventForm::json;
    else if (is(kStructuredType))
      form = EventForm::structured;
    else if (is(kBatchedType))
      form = EventForm::batched;
    else
      continue;
    best = range.weight;
  }
  return form;
}

http::Response shown_event(const RouteState& state, const EventView& event) {
  const bool batched = state.form == EventForm::batched;
  if (!batched && state.form != EventForm::structured) return event_response(event);
  http::JsonWriter json;
  if (batched) json.begin_array();
  json.begin_object();
  write_cloud_event_members(json, state.queue, event);
  json.end_object();
  if (batched) json.end_array();
  http::Response response = json_response(200, json.take());
  response.content_type = batched ? kBatchedType : kStructuredType;
  add_event_fields(response, event);
  return response;
}

// What is kept for a repeat names the event and does not hold its bytes.
RouteCall removal(std::string_view queue, std::optional<uint64_t> only_if_front, const http::Request& request) {
  const bool representation = prefers_representation(request);
  const bool keep = representation && request.header("Idempotency-Key") != nullptr;
  return {Write{machine::Dequeue{queue, only_if_front, keep}}, {.representation = representation}};
}

http::Response removed_response(const RouteState& state, const Answer& answer) {
  const auto& removed = std::get<Dequeued>(answer.body);
  http::Response response = empty_response(204);
  if (state.representation && removed.id.value != 0) {
    response = bare_event_response(removed.headers.view(), removed.event);
    response.headers.add("Preference-Applied", "return=representation");
  }
  if (removed.id.value != 0) response.headers.add("Wormhole-Event-Id", removed.id.value);
  return with_index(std::move(response), answer.index);
}

http::Response not_here(const std::string& what, raft::Index index, bool changes_state) {
  return refusal_response({.kind = RefusalKind::not_found, .sentence = printable(what), .index = index}, changes_state);
}

bool has_queue(const RouteContext& context, const std::string& queue) {
  return context.api.node.machine().queues().find(queue) != nullptr;
}

std::string read_terms_of(const http::Params& query) {
  std::string terms;
  for (const Parameter* parameter : kReadParams)
    if (const std::string* value = http::find_param(query, parameter->name))
      terms += "&" + std::string(parameter->name) + "=" + http::percent_encode(*value);
  return terms;
}

void add_next_link(http::Response& response, const std::string& target) {
  response.headers.add("Link", "<" + target + ">; rel=\"next\"");
}

}  // namespace wh::api
