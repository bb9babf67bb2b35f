// What the routes of queues, topics and /event share: reading the events of a request, its preconditions and what it
// asks of its answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/formats/cloud_events.h"
#include "api/http/formats/event_http.h"
#include "api/http/routes.h"
#include "machine/command/queue_commands.h"

namespace wh::api {

// The longest `wait` of a receive, and of a look at the front.
inline constexpr Millis kMaxWaitMs = 60'000;
inline constexpr Parameter kWait{.name = "wait",
                                 .text = "How long to wait for something to come, where nothing is there yet.",
                                 .type = ParameterType::duration,
                                 .most = kMaxWaitMs,
                                 .example = "0s"};

// --- for the rows

inline constexpr Contents kEventBodies{{"*/*"}, {kStructuredType, "CloudEvent"}, {kBatchedType, "CloudEvents"}};
inline constexpr Parameter kPrefer{.name = "Prefer",
                                   .text = "return=representation: the answer brings the event that was removed.",
                                   .example = "return=representation"};
inline constexpr std::string_view kNoQueue = "There is no such queue.";
inline constexpr std::string_view kFull = "The queue is full or paused, or there are as many queues as may be.";

// The events of a request's body, in the mode of a CloudEvent or as the body is.
struct EventsRead {
  std::vector<machine::NewEvent> events;
  // Of a single event (RouteCall):
  std::optional<machine::Fingerprint> fingerprint{};
  std::string idempotency_key{};
  bool cloud_events = false;
};
// With the terms of the query. A CloudEvent's source and id serve as its idempotency key. A batch of CloudEvents may
// have none (JSON format, 4.3): it is answered like others, and nothing is written.
OrRefusal<EventsRead> read_events(RouteRequest& request);
// What a request that brings events to this queue or topic keeps for its answer.
RouteState state_of(const RouteRequest& request, const EventsRead& read, const std::string& queue,
                    bool to_topic = false);
// Why the events are refused (422): their keys came before with other events. Not for KeysOf::request.
std::string known_keys_sentence(const RouteState& state);
// The items of a batch: a JSON array, or a line each.
OrRefusal<std::vector<machine::NewEvent>> read_batch(RouteRequest& request);

// The id in DELETE's If-Match; nothing without that.
OrRefusal<std::optional<uint64_t>> wanted_front(const http::Request& request);
// The If-Match and If-None-Match of GET, into the state.
std::optional<Refusal> read_entity_tags(const http::Request& request, RouteState& state);
// 412 or 304 by them, for the event in front; nothing: it is shown.
std::optional<http::Response> by_entity_tags(const RouteState& state, const machine::Event* front);

// RFC 7240: `return=representation` among the preferences; others are ignored.
bool prefers_representation(const http::Request& request);
// The form that Accept names with the highest weight.
EventForm accepted_form(const http::Request& request);

// One event in the form that was asked for: a CloudEvent in structured or batched mode, else as it came.
http::Response shown_event(const RouteState& state, const EventView& event);
// A DELETE of the front event, which `only_if_front` may name, and its answer.
RouteCall removal(std::string_view queue, std::optional<uint64_t> only_if_front, const http::Request& request);
http::Response removed_response(const RouteState& state, const Answer& answer);

// 404 for a queue, or what else `what` names.
http::Response not_here(const std::string& what, raft::Index index, bool changes_state);
// Whether the queue is there now.
bool has_queue(const RouteContext& context, const std::string& queue);

// The parameters kReadParams of the query, as they go on in the target of the next answer: "&consistency=stale".
std::string read_terms_of(const http::Params& query);
// Adds Link: rel="next".
void add_next_link(http::Response& response, const std::string& target);

}  // namespace wh::api
