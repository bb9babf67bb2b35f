// The cluster's own paths: who is in it, joining, leaving, handing over; how this node fares, lives and serves.
#include <array>
#include <charconv>
#include <utility>

#include "api/http/cluster_events.h"
#include "api/http/node_digest.h"
#include "api/http/routes.h"
#include "api/member_view.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "config/option_values.h"
#include "http/json.h"
#include "security/access.h"

namespace wh {
namespace {

// The members named by a JSON body; 400 for anything else in it.
std::variant<std::vector<std::string>, http::Response> named_strings(const RouteRequest& request,
                                                                     std::span<const std::string_view> names) {
  auto body = json_body(request);
  if (auto* refusal = std::get_if<http::Response>(&body)) return std::move(*refusal);
  auto& pairs = std::get<0>(body);
  std::vector<std::string> values;
  for (const std::string_view name : names) {
    const std::string* value = http::find_param(pairs, name);
    if (value == nullptr || value->empty())
      return http::error_response(400, "the member \"" + std::string(name) + "\" is missing or empty");
    values.push_back(*value);
  }
  return values;
}

RouteBegun admin_call(node::AdminKind kind, std::string name, std::string address) {
  RouteState state{.name = name, .value = {}};
  return RouteCall{{.kind = CallKind::admin, .command = {}, .admin = {kind, std::move(name), std::move(address)}},
                   std::move(state)};
}

std::optional<http::Response> bad_node_id(const std::string& id) {
  if (const Status good = check_node_id(id); !good)
    return http::error_response(400, printable("a node's id " + good.error()));
  return std::nullopt;
}

// nginx would hold back what comes in pieces.
http::Response event_stream() {
  return {.status = 200, .content_type = "text/event-stream", .headers = {{"X-Accel-Buffering", "no"}}, .body = {}};
}

void string_or_null(http::JsonWriter& json, std::string_view key, const std::string& value) {
  json.key(key);
  if (value.empty()) {
    json.null();
  } else {
    json.string(value);
  }
}

}  // namespace

RouteBegun begin_join(const RouteContext&, RouteRequest& request) {
  auto all = all_params(request);
  if (auto* refusal = std::get_if<http::Response>(&all)) return std::move(*refusal);
  const auto& params = std::get<http::Params>(all);
  const std::string* id = http::find_param(params, "nodeId");
  const std::string* port = http::find_param(params, "raftPort");
  const std::string* host = http::find_param(params, "host");
  if (id == nullptr || port == nullptr)
    return http::error_response(400, "the parameters nodeId and raftPort are needed");
  if (auto refusal = bad_node_id(*id)) return std::move(*refusal);
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port->data(), port->data() + port->size(), number);
  if (error != std::errc() || end != port->data() + port->size() || number == 0)
    return http::error_response(400, "raftPort is a number from 1 to 65535");
  if (host == nullptr && !proxy_field(request.http).empty())
    return http::error_response(400,
                                "a proxy passed this on, so the caller's address is not known: the parameter host is "
                                "needed");
  std::string where = host != nullptr ? *host : request.peer_address;
  if (where.starts_with('[') && where.ends_with(']')) where = where.substr(1, where.size() - 2);
  const bool numeric = is_ipv4_literal(where) || is_ipv6_literal(where);
  if (!numeric && !is_host_name(where)) return http::error_response(400, "host is an address or a host name");
  where = bracketed(where);
  return admin_call(node::AdminKind::add, *id, where + ":" + std::to_string(number));
}

RouteBegun begin_add_member(const RouteContext&, RouteRequest& request) {
  static constexpr std::array<std::string_view, 2> kNames{"id", "raft_address"};
  auto values = named_strings(request, kNames);
  if (auto* refusal = std::get_if<http::Response>(&values)) return std::move(*refusal);
  auto& strings = std::get<0>(values);
  if (auto refusal = bad_node_id(strings[0])) return std::move(*refusal);
  if (!parse_host_port(strings[1])) return http::error_response(400, "raft_address is host:port");
  return admin_call(node::AdminKind::add, strings[0], strings[1]);
}

RouteBegun begin_remove_member(const RouteContext&, RouteRequest& request) {
  return admin_call(node::AdminKind::remove, request.params.at(0), {});
}

RouteBegun begin_transfer(const RouteContext&, RouteRequest& request) {
  static constexpr std::array<std::string_view, 1> kNames{"id"};
  auto values = named_strings(request, kNames);
  if (auto* refusal = std::get_if<http::Response>(&values)) return std::move(*refusal);
  return admin_call(node::AdminKind::transfer, std::get<0>(values)[0], {});
}

http::Response finish_admin(const RouteContext&, const RouteState&, const node::Completion&) {
  return {.status = 200, .content_type = {}, .headers = {}, .body = {}};
}

RouteBegun begin_cluster(const RouteContext& context, RouteRequest& request) {
  const node::Node& node = context.node;
  const raft::Raft* raft = node.raft();
  http::JsonWriter json;
  json.begin_object();
  const node::Identity identity = node.identity();
  string_or_null(json, "cluster_id", identity.cluster == node::kNoCluster ? "" : node::to_hex(identity.cluster));
  json.key("node_id").string(identity.name);
  json.key("role").string(role_name(node));
  const auto number_or_null = [&](std::string_view key, bool known, uint64_t value) {
    json.key(key);
    if (known) {
      json.number(value);
    } else {
      json.null();
    }
  };
  number_or_null("term", raft != nullptr, raft != nullptr ? raft->current_term().value : 0);
  string_or_null(json, "leader_id", node.leader() != nullptr ? node.leader()->name : "");
  number_or_null("commit_index", raft != nullptr, raft != nullptr ? raft->commit_index().value : 0);
  number_or_null("applied_index", raft != nullptr, node.machine().applied().value);
  number_or_null("last_log_index", raft != nullptr, raft != nullptr ? raft->log().last_index().value : 0);
  number_or_null("tolerates", raft != nullptr && node.tolerates().has_value(), node.tolerates().value_or(0));
  json.key("removed").boolean(node.removed());
  json.key("members").begin_array();
  for (MemberView& member : member_views(node)) {
    for (std::string* address : {&member.raft_address, &member.http_address, &member.https_address})
      if (!address->starts_with(':') || member.name == identity.name)
        *address = as_seen_from(request.local_address, *address);
    json.begin_object();
    json.key("id").string(member.name);
    json.key("raft_address").string(member.raft_address);
    string_or_null(json, "http_address", member.http_address);
    string_or_null(json, "https_address", member.https_address);
    json.key("suffrage").string(member.voter ? "voter" : "learner");
    string_or_null(json, "status", member.status);
    number_or_null("match_index", member.match_index.has_value(), member.match_index.value_or(0));
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json_response(200, json.take());
}

RouteBegun begin_cluster_events(const RouteContext&, RouteRequest& request) {
  if (request.http.method == http::Method::head) {
    http::Response response = event_stream();
    response.unknown_length = true;
    return response;
  }
  RouteCall begun;
  begun.call.topic = kClusterTopic;
  if (const std::string* last = request.http.header("Last-Event-ID")) begun.state.value = *last;
  return begun;
}

// An id that cannot be this node's is as good as none.
http::Response finish_cluster_events(const RouteContext& context, const RouteState& state, const node::Completion&) {
  http::Response response = event_stream();
  response.stream = context.cluster_events.open(parse_unsigned(state.value));
  return response;
}

// Made with the other answers, where those who ask for much come last.
RouteBegun begin_metrics(const RouteContext&, RouteRequest&) { return RouteCall{}; }

RouteBegun begin_healthz(const RouteContext& context, RouteRequest&) {
  http::Response response = json_response(200, R"({"status":"alive"})");
  response.headers.push_back({std::string(kNodeDigestHeader), node_digest(context.node.identity().name)});
  return response;
}

RouteBegun begin_readyz(const RouteContext& context, RouteRequest&) {
  std::string why;
  if (context.node.ready(&why)) return json_response(200, R"({"status":"ready"})");
  return http::error_response(503, printable(why));
}

}  // namespace wh
