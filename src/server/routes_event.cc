// The Wormhole Connector's event queue: /event is the queue named `event`.
#include <charconv>

#include "server/routes.h"

namespace wh {
namespace {

constexpr std::string_view kQueue = "event";

// If-Match: one strong entity tag, "{id}". `*` and lists are not what a queue's front is asked by.
std::optional<uint64_t> event_id_of(std::string_view tag) {
  if (tag.size() < 3 || tag.front() != '"' || tag.back() != '"') return std::nullopt;
  tag = tag.substr(1, tag.size() - 2);
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(tag.data(), tag.data() + tag.size(), id);
  if (error != std::errc() || end != tag.data() + tag.size()) return std::nullopt;
  return id;
}

}  // namespace

Begun begin_post_event(const RouteContext&, RouteRequest& request) {
  auto params = all_params({request.http, {}, {}, {}, {}});
  if (auto* refusal = std::get_if<http::Response>(&params)) return std::move(*refusal);
  const std::string* event = http::find_param(std::get<http::Params>(params), "event");
  if (event == nullptr) return http::error_response(400, "the form field event is missing");
  if (event->empty()) return http::error_response(400, "an event must not be empty");
  return write_call(machine::Enqueue{kQueue, *event}, {});
}

http::Response finish_post_event(const RouteContext&, const RouteMemory&, const node::Completion& completion) {
  auto reply = machine_reply(completion);
  if (auto* refusal = std::get_if<http::Response>(&reply)) return std::move(*refusal);
  http::Response response{.status = 201, .content_type = {}, .headers = {}, .body = {}};
  response.headers.push_back({"Wormhole-Event-Id", std::to_string(std::get<machine::Reply>(reply).event_id.value)});
  return with_index(std::move(response), completion.index);
}

Begun begin_get_event(const RouteContext&, RouteRequest&) { return RouteCall{}; }

http::Response finish_get_event(const RouteContext& context, const RouteMemory&, const node::Completion& completion) {
  http::Response response{.status = 200, .content_type = "application/octet-stream", .headers = {}, .body = {}};
  if (const machine::Event* front = context.node.machine().front(kQueue)) {
    const std::string id = std::to_string(front->id.value);
    response.body = front->bytes;
    response.headers.push_back({"ETag", '"' + id + '"'});
    response.headers.push_back({"Wormhole-Event-Id", id});
  }
  return with_index(std::move(response), completion.index);
}

Begun begin_delete_event(const RouteContext&, RouteRequest& request) {
  machine::Dequeue dequeue{kQueue, std::nullopt};
  if (const std::string* tag = request.http.header("If-Match")) {
    dequeue.only_if_front = event_id_of(*tag);
    if (!dequeue.only_if_front)
      return http::error_response(412, "If-Match names no event: it takes one id in quotes, as ETag gives it");
  }
  return write_call(dequeue, {});
}

http::Response finish_delete_event(const RouteContext&, const RouteMemory&, const node::Completion& completion) {
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
