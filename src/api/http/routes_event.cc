// The Wormhole Connector's event queue: /event is the queue named `event`.
#include <utility>

#include "api/http/routes.h"
#include "config/option_values.h"
#include "http/entity_tag.h"

namespace wh {
namespace {

constexpr std::string_view kQueue = "event";

// The id that DELETE's If-Match names: one strong entity tag, "{id}". Whatever no event can have as its tag is no event
// that is gone (412), but a mistake of the client's or of a proxy's that rewrites tags: 400.
std::variant<uint64_t, http::Response> event_id_of(std::string_view field) {
  const auto tags = http::parse_entity_tags(field);
  if (tags && tags->tags.size() == 1) {
    const http::EntityTag& tag = tags->tags[0];
    if (tag.weak)
      return http::error_response(400,
                                  "If-Match holds a weak tag, which matches no event: something on the way changed "
                                  "the ETag (nginx does when it compresses)");
    if (const auto id = parse_unsigned(tag.opaque)) return *id;
  }
  return http::error_response(400, "If-Match takes one event's id in quotes, as ETag gives it");
}

// An If-Match or If-None-Match of GET, for later; empty without one, nothing for one that is malformed.
std::optional<std::string> entity_tags_of(const http::Request& request, std::string_view name) {
  std::optional<std::string> field = http::joined_fields(request, name);
  if (!field) return "";
  if (!http::parse_entity_tags(*field)) return std::nullopt;
  return field;
}

}  // namespace

RouteBegun begin_post_event(const RouteContext&, RouteRequest& request) {
  auto params = all_params(request);
  if (auto* refusal = std::get_if<http::Response>(&params)) return std::move(*refusal);
  const std::string* event = http::find_param(std::get<http::Params>(params), "event");
  if (event == nullptr) return http::error_response(400, "the form field event is missing");
  if (event->empty()) return http::error_response(400, "an event must not be empty");
  return write_call(machine::Enqueue{kQueue, *event}, {});
}

http::Response finish_post_event(const RouteContext&, const RouteState&, const node::Completion& completion) {
  auto reply = machine_reply(completion);
  if (auto* refusal = std::get_if<http::Response>(&reply)) return std::move(*refusal);
  http::Response response{.status = 201, .content_type = {}, .headers = {}, .body = {}};
  response.headers.push_back({"Wormhole-Event-Id", std::to_string(std::get<machine::Reply>(reply).event_id.value)});
  return with_index(std::move(response), completion.index);
}

RouteBegun begin_get_event(const RouteContext&, RouteRequest& request) {
  std::optional<std::string> wanted = entity_tags_of(request.http, "If-Match");
  std::optional<std::string> unwanted = entity_tags_of(request.http, "If-None-Match");
  if (!wanted || !unwanted)
    return http::error_response(400, "If-Match and If-None-Match take entity tags, as ETag gives them");
  return RouteCall{{}, {.name = std::move(*wanted), .value = std::move(*unwanted)}};
}

// RFC 9110 13.2.2 has the order.
http::Response finish_get_event(const RouteContext& context, const RouteState& state,
                                const node::Completion& completion) {
  http::Response response{.status = 200, .content_type = "application/octet-stream", .headers = {}, .body = {}};
  const machine::Event* front = context.node.machine().front(kQueue);
  const std::string id = front == nullptr ? "" : std::to_string(front->id.value);
  if (!state.name.empty() && !http::if_match_holds(*http::parse_entity_tags(state.name), id))
    response = http::error_response(412, "another event, or none, is in front");
  else if (!state.value.empty() && !http::if_none_match_holds(*http::parse_entity_tags(state.value), id))
    response.status = 304;
  else if (front != nullptr)
    response.body = front->bytes;
  if (front != nullptr) {
    response.headers.push_back({"ETag", '"' + id + '"'});
    response.headers.push_back({"Wormhole-Event-Id", id});
  }
  return with_index(std::move(response), completion.index);
}

RouteBegun begin_delete_event(const RouteContext&, RouteRequest& request) {
  machine::Dequeue dequeue{kQueue, std::nullopt};
  if (const std::string* field = request.http.header("If-Match")) {
    auto id = event_id_of(*field);
    if (auto* refusal = std::get_if<http::Response>(&id)) return std::move(*refusal);
    dequeue.only_if_front = std::get<uint64_t>(id);
  }
  return write_call(dequeue, {});
}

http::Response finish_delete_event(const RouteContext&, const RouteState&, const node::Completion& completion) {
  auto decoded = machine_reply(completion);
  if (auto* refusal = std::get_if<http::Response>(&decoded)) return std::move(*refusal);
  const machine::Reply& reply = std::get<machine::Reply>(decoded);
  if (reply.code == machine::ReplyCode::precondition_failed)
    return with_index(http::error_response(412, "another event, or none, is in front"), completion.index);
  http::Response response{.status = 204, .content_type = {}, .headers = {}, .body = {}};
  if (reply.count > 0) response.headers.push_back({"Wormhole-Event-Id", std::to_string(reply.event_id.value)});
  return with_index(std::move(response), completion.index);
}

}  // namespace wh
