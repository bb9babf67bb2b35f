// The Wormhole Connector's event queue: /event is the queue named `event`.
#include <array>
#include <utility>

#include "api/http/read_terms.h"
#include "api/http/routes.h"
#include "config/option_values.h"
#include "http/entity_tag.h"

namespace wh::api {
namespace {

constexpr std::string_view kQueue = "event";

// The id in DELETE's If-Match: one strong entity tag, "{id}". A value that no event can have as its tag gives 400, not
// 412 for an event that is gone: the client, or a proxy that rewrites tags, made a mistake.
OrRefusal<uint64_t> event_id_of(std::string_view field) {
  const auto tags = http::parse_entity_tags(field);
  if (tags && tags->tags.size() == 1) {
    const http::EntityTag& tag = tags->tags[0];
    if (tag.weak)
      return malformed(
          "If-Match holds a weak tag, which matches no event: something on the way changed "
          "the ETag (nginx does when it compresses)");
    if (const auto id = config::parse_unsigned(tag.opaque)) return *id;
  }
  return malformed("If-Match takes one event's id in quotes, as ETag gives it");
}

// An If-Match or If-None-Match of GET, for later; empty when absent, nothing when malformed.
std::optional<std::string> entity_tags_of(const http::Request& request, std::string_view name) {
  std::optional<std::string> field = http::joined_fields(request, name);
  if (!field) return "";
  if (!http::parse_entity_tags(*field)) return std::nullopt;
  return field;
}

OrRefusal<RouteCall> begin_post_event(RouteRequest& request) {
  if (auto refusal = read_params(request)) return std::move(*refusal);
  const std::string* event = http::find_param(request.query, "event");
  if (event == nullptr) return malformed("the form field event is missing");
  return RouteCall{Write{machine::Enqueue{kQueue, *event}}};
}

http::Response finish_post_event(const RouteContext&, const RouteState&, const Answer& answer) {
  http::Response response = empty_response(201);
  response.headers.push_back({"Wormhole-Event-Id", std::to_string(std::get<Enqueued>(answer.body).id.value)});
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_get_event(RouteRequest& request) {
  std::optional<std::string> wanted = entity_tags_of(request.http, "If-Match");
  std::optional<std::string> unwanted = entity_tags_of(request.http, "If-None-Match");
  if (!wanted || !unwanted) return malformed("If-Match and If-None-Match take entity tags, as ETag gives them");
  return RouteCall{Read{GetFront{std::string(kQueue)}},
                   {.if_match = std::move(*wanted), .if_none_match = std::move(*unwanted)}};
}

// Checks in the order of RFC 9110 13.2.2.
http::Response finish_get_event(const RouteContext&, const RouteState& state, const Answer& answer) {
  http::Response response{.status = 200, .content_type = "application/octet-stream", .headers = {}, .body = {}};
  const machine::Event* front = std::get<Front>(answer.body).event;
  const std::string id = front == nullptr ? "" : std::to_string(front->id.value);
  if (!state.if_match.empty() && !http::if_match_holds(*http::parse_entity_tags(state.if_match), id))
    response = http::error_response(412, "another event, or none, is in front");
  else if (!state.if_none_match.empty() &&
           !http::if_none_match_holds(*http::parse_entity_tags(state.if_none_match), id))
    response.status = 304;
  else if (front != nullptr)
    response.body = front->bytes;
  if (front != nullptr) {
    response.headers.push_back({"ETag", '"' + id + '"'});
    response.headers.push_back({"Wormhole-Event-Id", id});
  }
  return with_index(std::move(response), answer.index);
}

OrRefusal<RouteCall> begin_delete_event(RouteRequest& request) {
  machine::Dequeue dequeue{kQueue, std::nullopt};
  if (const std::string* field = request.http.header("If-Match")) {
    const OrRefusal<uint64_t> id = event_id_of(*field);
    if (!id) return id.error();
    dequeue.only_if_front = *id;
  }
  return RouteCall{Write{dequeue}};
}

http::Response finish_delete_event(const RouteContext&, const RouteState&, const Answer& answer) {
  const raft::Index id = std::get<Dequeued>(answer.body).id;
  http::Response response = empty_response(204);
  if (id.value != 0) response.headers.push_back({"Wormhole-Event-Id", std::to_string(id.value)});
  return with_index(std::move(response), answer.index);
}

constexpr std::array kRoutesOfEvents{
    RouteSpec{.methods = kPost,
              .pattern = "/event",
              .verb = security::Verb::write,
              .redirects = true,
              .inputs = {.form = "event", .idempotency = true},
              .begin = begin_post_event,
              .finish = finish_post_event},
    RouteSpec{.methods = kGet,
              .pattern = "/event",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams, .entity_tags = true, .not_entity_tags = true},
              .begin = begin_get_event,
              .finish = finish_get_event},
    RouteSpec{.methods = kDelete,
              .pattern = "/event",
              .verb = security::Verb::write,
              .redirects = true,
              .inputs = {.entity_tags = true, .idempotency = true},
              .begin = begin_delete_event,
              .finish = finish_delete_event},
};

}  // namespace

std::span<const RouteSpec> event_routes() { return kRoutesOfEvents; }

}  // namespace wh::api
