// Queues as a whole: their settings and counts, lists of them, pauses, purge, redrive, deletion.
#include <algorithm>
#include <array>
#include <utility>

#include "api/http/formats/queue_json.h"
#include "api/http/formats/setting_values.h"
#include "api/http/params.h"
#include "api/http/read_terms.h"
#include "api/http/routes/queue_routes.h"
#include "base/log.h"
#include "base/nearest.h"
#include "http/shown.h"
#include "http/url.h"
#include "machine/queue/queue_settings.h"

namespace wh::api {
namespace {

std::optional<size_t> waiting_for(const RouteContext& context, const machine::Queue& queue) {
  const node::Node& node = context.api.node;
  if (node.raft() == nullptr || node.raft()->role() != raft::Role::leader) return std::nullopt;
  return node.waiting_for(*queue.name);
}

constexpr Parameter kAfterName{.name = "after", .text = "The first queue is behind this name.", .example = "a"};
constexpr Parameter kDirection{.name = "direction",
                               .text = "in: no event may be put; out: none is ready; all, where none is given: both.",
                               .choices = {"in", "out", "all"}};
constexpr Parameter kFromQueue{
    .name = "from", .text = "The dead letter queue.", .example = "orders.dead", .required = true};
constexpr Parameter kMaxMoved{.name = "max",
                              .text = "How many events at most.",
                              .type = ParameterType::number,
                              .least = 1,
                              .most = machine::kMaxRedrive,
                              .standard = machine::kMaxRedrive};

using machine::QueueSetting;
using machine::QueueSettingChange;

// --- what they are

OrRefusal<RouteCall> begin_get_queue(RouteRequest& request) {
  return RouteCall{Read{ShowQueue{request.params[0]}}, {.queue = request.params[0]}};
}

http::Response finish_get_queue(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<ShownQueues>(answer.body);
  if (shown.queues.empty()) return not_here("there is no queue " + state.queue, answer.index, false);
  http::JsonWriter json;
  write_queue(json, *shown.queues[0], context.api.node.machine(), waiting_for(context, *shown.queues[0]));
  return with_index(json_response(200, json.take()), answer.index);
}

OrRefusal<RouteCall> begin_list_queues(RouteRequest& request) {
  const auto limit = number_param(request.query, kLimit);
  if (!limit) return limit.error();
  ListQueues list{.limit = static_cast<uint32_t>(*limit)};
  std::string next = "/queues?limit=" + std::to_string(*limit);
  if (const std::string* prefix = http::find_param(request.query, "prefix")) {
    list.prefix = *prefix;
    next += "&prefix=" + http::percent_encode(*prefix);
  }
  next += read_terms_of(request.query);
  if (const std::string* after = http::find_param(request.query, "after")) list.after = *after;
  return RouteCall{Read{std::move(list)}, {.value = std::move(next)}};
}

http::Response finish_list_queues(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<ShownQueues>(answer.body);
  http::JsonWriter json;
  json.begin_array();
  for (const machine::Queue* queue : shown.queues)
    write_queue(json, *queue, context.api.node.machine(), waiting_for(context, *queue));
  json.end_array();
  http::Response response = json_response(200, json.take());
  if (shown.more) add_next_link(response, state.value + "&after=" + http::percent_encode(*shown.queues.back()->name));
  return with_index(std::move(response), answer.index);
}

// --- settings

Refusal unknown_setting(std::string_view name) {
  Nearest nearest(name);
  for (const machine::QueueSettingRow& row : machine::kQueueSettings) nearest.consider(row.name);
  for (const std::string_view other : {"dead_letter_queue", "backoff"}) nearest.consider(other);
  const std::string sentence = http::shown(name) + " is no setting of a queue";
  if (!nearest.found().empty()) return malformed(sentence + ": did you mean '" + std::string(nearest.found()) + "'?");
  return malformed(sentence + "; those are " + machine::queue_setting_names());
}

// A number or a string, as text; empty for any other value.
std::string_view plain_text(const http::JsonValue& value, http::KeptStrings& kept) {
  if (value.kind() == http::JsonKind::string) return value.string(kept);
  return value.kind() == http::JsonKind::number ? value.text() : std::string_view();
}

std::optional<Refusal> read_backoff(const http::JsonValue& value, http::KeptStrings& kept, QueueSettingChange& change) {
  if (value.kind() != http::JsonKind::array)
    return malformed("backoff is a list of durations, such as [\"1s\", \"10s\", \"1m\"]");
  for (const http::JsonValue& item : value.items()) {
    const auto delay = duration_in("a delay of backoff", plain_text(item, kept), 0, machine::kMaxDelayMs);
    if (!delay) return delay.error();
    change.delays.push_back(*delay);
  }
  if (change.delays.size() > machine::kMaxBackoff)
    return malformed("backoff has at most " + std::to_string(machine::kMaxBackoff) + " delays");
  return std::nullopt;
}

OrRefusal<QueueSettingChange> read_setting(std::string_view name, const http::JsonValue& value,
                                           http::KeptStrings& kept) {
  const machine::QueueSettingRow* row = machine::find_queue_setting(name);
  QueueSettingChange change;
  if (row != nullptr)
    change.setting = static_cast<uint8_t>(row->setting);
  else if (name == "dead_letter_queue")
    change.setting = static_cast<uint8_t>(QueueSetting::dead_letter_queue);
  else if (name == "backoff")
    change.setting = static_cast<uint8_t>(QueueSetting::backoff);
  else
    return unknown_setting(name);
  if (value.kind() == http::JsonKind::null) {
    change.reset = true;
  } else if (row != nullptr) {
    const auto number = parse_setting(row->unit, row->choices, plain_text(value, kept));
    if (!number || *number < row->min || *number > row->max)
      return malformed(std::string(name) + " is " + setting_range(row->unit, row->choices, row->min, row->max));
    change.number = *number;
  } else if (name == "backoff") {
    if (auto refusal = read_backoff(value, kept, change)) return std::move(*refusal);
  } else {
    if (value.kind() != http::JsonKind::string)
      return malformed("dead_letter_queue is a queue's name, or \"\" for none");
    change.name = value.string(kept);
    if (!change.name.empty())
      if (auto refusal = bad_queue_in_path(change.name)) return malformed("dead_letter_queue: " + refusal->sentence);
  }
  return change;
}

// An empty body makes the queue with all defaults, as {} does.
OrRefusal<RouteCall> begin_put_queue(RouteRequest& request) {
  const std::string& queue = request.params[0];
  machine::ConfigureQueue configure{.queue = queue};
  if (auto refusal = refuse_other_than_json(request.http, "a JSON object of settings")) return std::move(*refusal);
  if (!request.http.body.empty()) {
    const Result<http::JsonValue> object = http::parse_json(request.http.body);
    if (!object) return malformed(printable(object.error()));
    if (object->kind() != http::JsonKind::object) return malformed("a JSON object of settings is expected");
    const auto members = object->members(request.kept);
    if (!members) return malformed(printable(members.error()));
    for (const auto& [name, value] : *members) {
      OrRefusal<QueueSettingChange> change = read_setting(name, value, request.kept);
      if (!change) return change.error();
      configure.changes.push_back(std::move(*change));
    }
  }
  return RouteCall{Write{std::move(configure)}, {.queue = queue}};
}

// The settings as this entry left them.
http::Response finish_put_queue(const RouteContext& context, const RouteState& state, const Answer& answer) {
  machine::Queue queue;
  queue.name = &state.queue;
  queue.own = std::get<Configured>(answer.body).own;
  http::JsonWriter json;
  write_queue_settings(json, queue, context.api.node.machine());
  return with_index(json_response(200, json.take()), answer.index);
}

// --- what is done to them

OrRefusal<RouteCall> begin_delete_queue(RouteRequest& request) {
  return RouteCall{Write{machine::DeleteQueue{request.params[0]}}};
}

http::Response finish_gone(const RouteContext&, const RouteState&, const Answer& answer) {
  return with_index(empty_response(204), answer.index);
}

OrRefusal<RouteCall> begin_pausing(RouteRequest& request, bool paused) {
  const std::string* direction = http::find_param(request.query, "direction");
  const bool in = direction == nullptr || *direction == "in" || *direction == "all";
  const bool out = direction == nullptr || *direction == "out" || *direction == "all";
  if (!in && !out) return malformed("direction is in, out or all (all, when it is not given)");
  return RouteCall{Write{machine::PauseQueue{.queue = request.params[0],
                                             .in = in ? std::optional(paused) : std::nullopt,
                                             .out = out ? std::optional(paused) : std::nullopt}}};
}

OrRefusal<RouteCall> begin_pause(RouteRequest& request) { return begin_pausing(request, true); }
OrRefusal<RouteCall> begin_resume(RouteRequest& request) { return begin_pausing(request, false); }

http::Response finish_done(const RouteContext&, const RouteState&, const Answer& answer) {
  return with_index(empty_response(200), answer.index);
}

OrRefusal<RouteCall> begin_purge(RouteRequest& request) {
  return RouteCall{Write{machine::PurgeQueue{request.params[0]}}, {.value = "removed"}};
}

OrRefusal<RouteCall> begin_redrive(RouteRequest& request) {
  const std::string* from = http::find_param(request.query, "from");
  if (from == nullptr) return malformed("the parameter from is missing: it names the dead letter queue");
  const auto max = number_param(request.query, kMaxMoved);
  if (!max) return max.error();
  return RouteCall{Write{machine::Redrive{.from = *from, .to = request.params[0], .max = static_cast<uint32_t>(*max)}},
                   {.value = "moved"}};
}

http::Response finish_count(const RouteContext&, const RouteState& state, const Answer& answer) {
  http::JsonWriter json;
  json.begin_object().key(state.value).number(std::get<Count>(answer.body).count).end_object();
  return with_index(json_response(200, json.take()), answer.index);
}

constexpr RouteSpec change(http::MethodMask method, std::string_view pattern, const Parameters& query,
                           OrRefusal<RouteCall> (*begin)(RouteRequest&),
                           http::Response (*finish)(const RouteContext&, const RouteState&, const Answer&),
                           const RouteDoc& doc) {
  return {.methods = method,
          .pattern = pattern,
          .verb = security::Verb::write,
          .inputs = {.query = query, .idempotency = true},
          .doc = doc,
          .begin = begin,
          .finish = finish};
}

constexpr std::array kRoutesOfQueueAdmin{
    RouteSpec{.methods = kGet,
              .pattern = "/queues",
              .verb = security::Verb::read,
              .inputs = {.query = Parameters{&kPrefix, &kAfterName, &kLimit} + kReadParams},
              .doc = {.id = "listQueues",
                      .summary = "Lists queues by name.",
                      .answers = {{200, "The queues.", json_body("Queues"), {&kLinkField}}}},
              .begin = begin_list_queues,
              .finish = finish_list_queues},
    RouteSpec{.methods = kGet,
              .pattern = "/queues/{q}",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams},
              .doc = {.id = "getQueue",
                      .summary = "Shows a queue: counts and settings.",
                      .answers = {{200, "The queue.", json_body("Queue")}},
                      .refusals = {{404, kNoQueue}}},
              .begin = begin_get_queue,
              .finish = finish_get_queue},
    RouteSpec{.methods = kPut,
              .pattern = "/queues/{q}",
              .verb = security::Verb::write,
              .inputs = {.idempotency = true, .own_body = true},
              .doc = {.id = "putQueue",
                      .summary = "Makes a queue, or changes those of its settings that are named.",
                      .answers = {{200, "All settings.", json_body("QueueSettings")}},
                      .refusals = {{429, "There are as many queues as may be."}, {507}},
                      .body = json_body("QueueSettingsChange"),
                      .body_optional = true},
              .begin = begin_put_queue,
              .finish = finish_put_queue},
    change(kDelete, "/queues/{q}", {}, begin_delete_queue, finish_gone,
           {.id = "deleteQueue",
            .summary = "Removes a queue with its events and settings.",
            .answers = {{204, "It is gone."}},
            .refusals = {{404, kNoQueue}, {409, "Another queue names it as its dead letter queue."}}}),
    change(kPost, "/queues/{q}/pause", {&kDirection}, begin_pause, finish_done,
           {.id = "pauseQueue",
            .summary = "Pauses a queue.",
            .answers = {{200, "It is paused."}},
            .refusals = {{404, kNoQueue}}}),
    change(kPost, "/queues/{q}/resume", {&kDirection}, begin_resume, finish_done,
           {.id = "resumeQueue",
            .summary = "Ends a pause.",
            .answers = {{200, "It is not paused."}},
            .refusals = {{404, kNoQueue}}}),
    change(kPost, "/queues/{q}/purge", {}, begin_purge, finish_count,
           {.id = "purgeQueue",
            .summary = "Removes all events of a queue, also those that are delayed or reserved.",
            .answers = {{200, "How many there were.", json_body("Removed")}},
            .refusals = {{404, kNoQueue}}}),
    change(kPost, "/queues/{q}/redrive", {&kFromQueue, &kMaxMoved}, begin_redrive, finish_count,
           {.id = "redriveQueue",
            .summary = "Moves ready events of a dead letter queue into this one, as new ones.",
            .answers = {{200, "How many.", json_body("Moved")}},
            .refusals = {{404, kNoQueue}, {429, kFull}}}),
};

}  // namespace

std::span<const RouteSpec> queue_admin_routes() { return kRoutesOfQueueAdmin; }

}  // namespace wh::api
