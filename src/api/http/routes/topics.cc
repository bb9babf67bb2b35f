// Topics: names that queues are bound to, and events for all of those queues.
#include <algorithm>
#include <array>
#include <utility>

#include "api/http/formats/queue_json.h"
#include "api/http/params.h"
#include "api/http/read_terms.h"
#include "api/http/routes/queue_routes.h"
#include "base/log.h"
#include "http/shown.h"
#include "http/url.h"
#include "machine/queue/filter.h"

namespace wh::api {
namespace {

OrRefusal<RouteCall> begin_publish(RouteRequest& request) {
  OrRefusal<EventsRead> read = read_events(request);
  if (!read) return read.error();
  if (read->events.empty()) return RouteCall{Read{ShowTopic{request.params[0]}}, {.queue = request.params[0]}};
  RouteState state = state_of(request, *read, request.params[0], true);
  if (read->events.size() > 1)
    for (const machine::NewEvent& event : read->events) state.headers.emplace_back(event.headers);
  return RouteCall{.operation = Write{machine::Publish{request.params[0], std::move(read->events)}},
                   .state = std::move(state),
                   .fingerprint = read->fingerprint,
                   .idempotency_key = std::move(read->idempotency_key)};
}

// Into how many queues. A reply tells the copies: of one event that is the same. Of several, the queues are those whose
// filters fit any of them, as the topic is now.
uint64_t queues_reached(const RouteContext& context, const RouteState& state, const Published& published) {
  if (state.headers.empty()) return published.copies;
  const machine::Topics& topics = context.api.node.machine().queues().topics();
  const auto topic = topics.find(state.queue);
  if (topic == topics.end()) return std::min<uint64_t>(published.copies, 1);
  const auto fits = [&](const auto& bound) {
    return std::any_of(state.headers.begin(), state.headers.end(),
                       [&](const std::string& headers) { return machine::filter_fits(bound.second.filter, headers); });
  };
  const auto count = std::count_if(topic->second.begin(), topic->second.end(), fits);
  return std::min(published.copies, static_cast<uint64_t>(count));
}

http::Response finish_publish(const RouteContext& context, const RouteState& state, const Answer& answer) {
  const auto* published = std::get_if<Published>(&answer.body);
  if (published == nullptr && std::get<ShownTopics>(answer.body).topics.empty())
    return not_here("there is no topic " + state.queue, answer.index, true);
  http::Response response = empty_response(201);
  const uint64_t queues = published == nullptr ? 0 : queues_reached(context, state, *published);
  response.headers.add("Wormhole-Queues", queues);
  return with_index(std::move(response), answer.index);
}

// {"filter": {"type": "order.*"}}; no body, {} and an empty filter take all events.
std::optional<Refusal> read_filter(RouteRequest& request, std::vector<machine::FilterTerm>& filter) {
  if (auto refusal = refuse_other_than_json(request.http, "a JSON object")) return refusal;
  if (request.http.body.empty()) return std::nullopt;
  const Result<http::JsonValue> object = http::parse_json(request.http.body);
  if (!object) return malformed(printable(object.error()));
  if (object->kind() != http::JsonKind::object) return malformed("a JSON object with the member filter is expected");
  const auto members = object->members(request.kept);
  if (!members) return malformed(printable(members.error()));
  for (const auto& [name, value] : *members) {
    if (name != "filter") return malformed("the member " + http::shown(name) + " is not known here: 'filter' is");
    if (value.kind() != http::JsonKind::object)
      return malformed("filter is an object of attributes and their patterns, such as {\"type\": \"order.*\"}");
    const auto terms = value.members(request.kept);
    if (!terms) return malformed(printable(terms.error()));
    for (const auto& [attribute, pattern] : *terms) {
      if (pattern.kind() != http::JsonKind::string)
        return malformed("the pattern of the attribute " + http::shown(attribute) + " is a string");
      filter.emplace_back(attribute, pattern.string(request.kept));
    }
  }
  std::sort(filter.begin(), filter.end());
  return std::nullopt;
}

OrRefusal<RouteCall> begin_bind(RouteRequest& request) {
  machine::Bind bind{.topic = request.params[0], .queue = request.params[1]};
  if (auto refusal = read_filter(request, bind.filter)) return std::move(*refusal);
  return RouteCall{Write{std::move(bind)}};
}

// 201 for a new binding, 204 for one whose filter was replaced.
http::Response finish_bind(const RouteContext&, const RouteState&, const Answer& answer) {
  return with_index(empty_response(std::get<Count>(answer.body).count != 0 ? 201 : 204), answer.index);
}

OrRefusal<RouteCall> begin_unbind(RouteRequest& request) {
  return RouteCall{Write{machine::Unbind{request.params[0], request.params[1]}}};
}

http::Response finish_unbind(const RouteContext&, const RouteState&, const Answer& answer) {
  return with_index(empty_response(204), answer.index);
}

OrRefusal<RouteCall> begin_get_topic(RouteRequest& request) {
  return RouteCall{Read{ShowTopic{request.params[0]}}, {.queue = request.params[0]}};
}

http::Response finish_get_topic(const RouteContext&, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<ShownTopics>(answer.body);
  if (shown.topics.empty()) return not_here("there is no topic " + state.queue, answer.index, false);
  http::JsonWriter json;
  write_topic(json, *shown.topics[0]);
  return with_index(json_response(200, json.take()), answer.index);
}

OrRefusal<RouteCall> begin_list_topics(RouteRequest& request) {
  const auto limit = number_param(request.query, kLimit);
  if (!limit) return limit.error();
  ListTopics list{.limit = static_cast<uint32_t>(*limit)};
  std::string next = "/topics?limit=" + std::to_string(*limit);
  if (const std::string* prefix = http::find_param(request.query, "prefix")) {
    list.prefix = *prefix;
    next += "&prefix=" + http::percent_encode(*prefix);
  }
  next += read_terms_of(request.query);
  if (const std::string* after = http::find_param(request.query, "after")) list.after = *after;
  return RouteCall{Read{std::move(list)}, {.value = std::move(next)}};
}

http::Response finish_list_topics(const RouteContext&, const RouteState& state, const Answer& answer) {
  const auto& shown = std::get<ShownTopics>(answer.body);
  http::JsonWriter json;
  json.begin_array();
  for (const auto* topic : shown.topics) write_topic(json, *topic);
  json.end_array();
  http::Response response = json_response(200, json.take());
  if (shown.more) add_next_link(response, state.value + "&after=" + http::percent_encode(shown.topics.back()->first));
  return with_index(std::move(response), answer.index);
}

constexpr Parameter kAfterTopic{.name = "after", .text = "The first topic is behind this name.", .example = "a"};
constexpr std::string_view kNoTopic = "There is no such topic.";

constexpr std::array kRoutesOfTopics{
    RouteSpec{.methods = kPost,
              .pattern = "/topics/{t}/events",
              .verb = security::Verb::write,
              .inputs = {.query = kEventParams, .idempotency = true, .any_body = true},
              .doc = {.id = "publishEvent",
                      .summary = "Puts the body into every queue whose binding fits, or into none.",
                      .answers = {{201, "It is stored.", {}, {&kQueuesField}}},
                      .refusals = {{404, kNoTopic}, {429, "A queue that refuses is full or paused."}, {507}},
                      .body = kEventBodies},
              .begin = begin_publish,
              .finish = finish_publish},
    RouteSpec{.methods = kPut,
              .pattern = "/topics/{t}/queues/{q}",
              .verb = security::Verb::write,
              .inputs = {.idempotency = true, .own_body = true},
              .doc = {.id = "bindQueue",
                      .summary = "Binds a queue to a topic, for events whose attributes fit the filter.",
                      .answers = {{201, "The binding is new."}, {204, "Its filter is replaced."}},
                      .refusals = {{429, "There are as many queues or bindings as may be."}, {507}},
                      .body = json_body("Binding"),
                      .body_optional = true},
              .begin = begin_bind,
              .finish = finish_bind},
    RouteSpec{.methods = kDelete,
              .pattern = "/topics/{t}/queues/{q}",
              .verb = security::Verb::write,
              .inputs = {.idempotency = true},
              .doc = {.id = "unbindQueue",
                      .summary = "Ends a binding.",
                      .answers = {{204, "It is gone."}},
                      .refusals = {{404, "There is no such binding."}}},
              .begin = begin_unbind,
              .finish = finish_unbind},
    RouteSpec{.methods = kGet,
              .pattern = "/topics/{t}",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams},
              .doc = {.id = "getTopic",
                      .summary = "Shows the queues that are bound to a topic.",
                      .answers = {{200, "The topic.", json_body("Topic")}},
                      .refusals = {{404, kNoTopic}}},
              .begin = begin_get_topic,
              .finish = finish_get_topic},
    RouteSpec{.methods = kGet,
              .pattern = "/topics",
              .verb = security::Verb::read,
              .inputs = {.query = Parameters{&kPrefix, &kAfterTopic, &kLimit} + kReadParams},
              .doc = {.id = "listTopics",
                      .summary = "Lists topics by name.",
                      .answers = {{200, "The topics.", json_body("Topics"), {&kLinkField}}}},
              .begin = begin_list_topics,
              .finish = finish_list_topics},
};

}  // namespace

std::span<const RouteSpec> topic_routes() { return kRoutesOfTopics; }

}  // namespace wh::api
