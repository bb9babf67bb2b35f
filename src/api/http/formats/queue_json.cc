#include "api/http/formats/queue_json.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "api/http/formats/event_http.h"
#include "api/http/formats/setting_values.h"
#include "api/queue_operations.h"
#include "base/duration.h"
#include "base/utf8.h"

namespace wh::api {
namespace {

// The debug port makes queues of any name.
void write_name(http::JsonWriter& json, const std::string& member, std::string_view name) {
  if (is_utf8(name))
    json.key(member).string(name);
  else
    json.key(member + "_base64").base64(name);
}

std::string_view paused_text(const machine::Queue& queue) {
  if (queue.paused_in) return queue.paused_out ? "all" : "in";
  return queue.paused_out ? "out" : "";
}

std::string_view state_text(const machine::Event& event) {
  switch (listed_state(event)) {
    case ListedState::ready:
      return "ready";
    case ListedState::reserved:
      return "reserved";
    case ListedState::delayed:
    case ListedState::any:
      break;
  }
  return "delayed";
}

// When it may be delivered again; null for one that may be now. A reservation ends by the log's stamps.
void write_visible_at(http::JsonWriter& json, const machine::Event& event, Millis jumped) {
  switch (event.state) {
    case machine::EventState::ready:
      return write_time(json, "visible_at", 0);
    case machine::EventState::reserved:
      return write_time(json, "visible_at", event.due + jumped);
    case machine::EventState::delayed:
    case machine::EventState::backoff:
      return write_time(json, "visible_at", event.due);
  }
}

}  // namespace

void write_queue_settings(http::JsonWriter& json, const machine::Queue& queue, const machine::Machine& machine) {
  const machine::Queues& queues = machine.queues();
  json.begin_object();
  for (const machine::QueueSettingRow& row : machine::kQueueSettings) {
    json.key(row.name);
    write_setting(json, row.unit, row.choices, queues.setting(queue, row.setting, machine.settings()));
  }
  json.key("dead_letter_queue").string(queues.dead_letter_queue(queue));
  json.key("backoff").begin_array();
  if (queue.own.backoff)
    for (const Millis delay : *queue.own.backoff) json.string(format_duration(delay));
  json.end_array();
  json.end_object();
}

void write_queue(http::JsonWriter& json, const machine::Queue& queue, const machine::Machine& machine,
                 std::optional<size_t> waiting) {
  const machine::QueueContent& content = *queue.content;
  json.begin_object();
  write_name(json, "name", *queue.name);
  json.key("ready").number(content.ready_count);
  json.key("delayed").number(content.delayed_count);
  json.key("reserved").number(content.reserved_count);
  json.key("bytes").number(content.data_bytes);
  json.key("oldest_age_ms");
  if (const auto age = oldest_age_ms(queue, machine))
    json.number(*age);
  else
    json.null();
  json.key("enqueued_total").number(queue.totals.enqueued);
  json.key("acknowledged_total").number(queue.totals.acknowledged);
  json.key("redelivered_total").number(queue.totals.redelivered);
  json.key("expired_total").number(queue.totals.expired);
  json.key("dead_lettered_total").number(queue.totals.dead_lettered);
  json.key("dropped_total").number(queue.totals.dropped);
  json.key("waiting");
  if (waiting)
    json.number(*waiting);
  else
    json.null();
  json.key("paused").string(paused_text(queue));
  json.key("settings");
  write_queue_settings(json, queue, machine);
  json.end_object();
}

void write_queued_event(http::JsonWriter& json, const machine::Event& event, const machine::Machine& machine) {
  json.begin_object();
  write_event_members(json, EventView(event));
  json.key("state").string(state_text(event));
  write_visible_at(json, event, machine.jumped_ms());
  // Of a dead letter: its id is that of its first queue.
  if (event.extra && event.extra->id != 0) {
    json.key("reason").string(event.extra->reason);
    write_name(json, "source_queue", event.extra->source_queue);
  }
  json.end_object();
}

void write_topic(http::JsonWriter& json, const machine::Topics::value_type& topic) {
  json.begin_object();
  json.key("name").string(topic.first);
  json.key("queues").begin_array();
  for (const auto& [queue, binding] : topic.second) {
    json.begin_object();
    json.key("name").string(queue);
    json.key("filter").begin_object();
    for (const auto& [attribute, pattern] : binding.filter) json.key(attribute).string(pattern);
    json.end_object();
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace wh::api
