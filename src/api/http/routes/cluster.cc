// The cluster's own paths: its members, joining, leaving, handing over leadership.
#include <array>
#include <charconv>
#include <utility>

#include "api/http/formats/setting_values.h"
#include "api/http/read_terms.h"
#include "api/http/request_access.h"
#include "api/http/routes.h"
#include "api/http/streams/cluster_events.h"
#include "api/member_view.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "config/option_values.h"
#include "http/json.h"
#include "http/shown.h"
#include "machine/settings.h"

namespace wh::api {
namespace {

// The values of these members of a JSON body, each of which must be present and not empty.
OrRefusal<std::vector<std::string>> named_strings(RouteRequest& request, std::span<const std::string_view> names) {
  if (auto refusal = read_object(request)) return std::move(*refusal);
  std::vector<std::string> values;
  for (const std::string_view name : names) {
    const std::string* value = http::find_param(request.object, name);
    if (value == nullptr || value->empty())
      return malformed("the member \"" + std::string(name) + "\" is missing or empty");
    values.push_back(*value);
  }
  return values;
}

std::optional<Refusal> bad_node_id(const std::string& id) {
  if (const Status good = config::check_node_id(id); !good) return malformed(printable("a node's id " + good.error()));
  return std::nullopt;
}

constexpr Parameter kNodeId{.name = "nodeId", .text = "The node's node-id.", .example = "node2", .required = true};
constexpr Parameter kRaftPort{.name = "raftPort",
                              .text = "The node's raft-port.",
                              .type = ParameterType::number,
                              .least = 1,
                              .most = 65535,
                              .example = "1112",
                              .required = true};
constexpr Parameter kHost{
    .name = "host", .text = "The node's address or name; else the caller's address.", .example = "127.0.0.1"};
constexpr Parameters kJoin{&kNodeId, &kRaftPort, &kHost};
constexpr Parameter kMemberId{.name = "id", .text = "The member's node-id.", .example = "node2", .required = true};
constexpr Parameter kRaftAddress{
    .name = "raft_address", .text = "host:raft-port", .example = "127.0.0.1:1112", .required = true};

constexpr auto kSettings = [] {
  std::array<Parameter, machine::kSettings.size()> all{};
  for (size_t i = 0; i < all.size(); ++i) all[i] = setting_parameter(machine::kSettings[i]);
  return all;
}();
constexpr Parameters kSettingNames = [] {
  Parameters all;
  for (const Parameter& one : kSettings) all.add(&one);
  return all;
}();

void string_or_null(http::JsonWriter& json, std::string_view key, const std::string& value) {
  json.key(key);
  if (value.empty()) {
    json.null();
  } else {
    json.string(value);
  }
}

OrRefusal<RouteCall> begin_join(RouteRequest& request) {
  if (auto refusal = read_params(request)) return std::move(*refusal);
  const std::string* id = http::find_param(request.query, "nodeId");
  const std::string* port = http::find_param(request.query, "raftPort");
  const std::string* host = http::find_param(request.query, "host");
  if (id == nullptr || port == nullptr) return malformed("the parameters nodeId and raftPort are needed");
  if (auto refusal = bad_node_id(*id)) return std::move(*refusal);
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port->data(), port->data() + port->size(), number);
  if (error != std::errc() || end != port->data() + port->size() || number == 0)
    return malformed("raftPort is a number from 1 to 65535");
  if (host == nullptr && !proxy_field(request.http).empty())
    return malformed(
        "a proxy passed this on, so the caller's address is not known: the parameter host is "
        "needed");
  std::string where = host != nullptr ? *host : request.stream.peer_address();
  if (where.starts_with('[') && where.ends_with(']')) where = where.substr(1, where.size() - 2);
  const bool numeric = config::is_ipv4_literal(where) || config::is_ipv6_literal(where);
  if (!numeric && !config::is_host_name(where)) return malformed("host is an address or a host name");
  where = bracketed(where);
  return RouteCall{Change{AddMember{*id, where + ":" + std::to_string(number)}}};
}

OrRefusal<RouteCall> begin_add_member(RouteRequest& request) {
  static constexpr std::array<std::string_view, 2> kNames{"id", "raft_address"};
  auto values = named_strings(request, kNames);
  if (!values) return values.error();
  auto& strings = *values;
  if (auto refusal = bad_node_id(strings[0])) return std::move(*refusal);
  if (!config::parse_host_port(strings[1])) return malformed("raft_address is host:port");
  return RouteCall{Change{AddMember{std::move(strings[0]), std::move(strings[1])}}};
}

OrRefusal<RouteCall> begin_remove_member(RouteRequest& request) {
  return RouteCall{Change{RemoveMember{std::move(request.params[0])}}};
}

OrRefusal<RouteCall> begin_transfer(RouteRequest& request) {
  static constexpr std::array<std::string_view, 1> kNames{"id"};
  auto values = named_strings(request, kNames);
  if (!values) return values.error();
  return RouteCall{Change{TransferLeadership{std::move((*values)[0])}}};
}

http::Response finish_change(const RouteContext&, const RouteState&, const Answer&) { return empty_response(200); }

OrRefusal<RouteCall> begin_cluster(RouteRequest& request) {
  return RouteCall{Local{ShowCluster{}}, {.local_address = request.stream.local_address()}};
}

// What the leader told last: followers know the others' lag and silence from that alone. The names differ from those
// above, for people who search this answer by grep.
void write_leader_view(http::JsonWriter& json, const node::Node& node) {
  json.key("leader_view");
  const std::optional<node::Overview::View> view = node.overview();
  if (!view || node.raft() == nullptr) {
    json.null();
    return;
  }
  const raft::Configuration& configuration = node.raft()->configuration();
  const raft::Member* leader = configuration.find(view->leader);
  json.begin_object();
  string_or_null(json, "told_by", leader == nullptr ? "" : leader->name);
  json.key("age_ms").number(view->age_ms);
  json.key("may_fail").number(view->seen.tolerates);
  json.key("members").begin_array();
  for (const node::MemberSeen& seen : view->seen.members) {
    const raft::Member* member = configuration.find(seen.id);
    if (member == nullptr) continue;
    json.begin_object();
    json.key("id").string(member->name);
    json.key("silent").boolean(!seen.alive);
    json.key("match_index").number(seen.match_index.value);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

http::Response finish_cluster(const RouteContext& context, const RouteState& state, const Answer&) {
  const node::Node& node = context.api.node;
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
  json.key("cluster_version").number(node.cluster_version());
  json.key("removed").boolean(node.removed());
  json.key("members").begin_array();
  for (MemberView& member : member_views(node)) {
    for (std::string* address : {&member.raft_address, &member.http_address, &member.https_address})
      if (!address->starts_with(':') || member.name == identity.name)
        *address = as_seen_from(state.local_address, *address);
    json.begin_object();
    json.key("id").string(member.name);
    json.key("raft_address").string(member.raft_address);
    string_or_null(json, "http_address", member.http_address);
    string_or_null(json, "https_address", member.https_address);
    json.key("suffrage").string(member.voter ? "voter" : "learner");
    string_or_null(json, "status", member.status);
    number_or_null("version", member.version.has_value(), member.version.value_or(0));
    number_or_null("match_index", member.match_index.has_value(), member.match_index.value_or(0));
    json.end_object();
  }
  json.end_array();
  write_leader_view(json, node);
  json.end_object();
  return json_response(200, json.take());
}

// --- the cluster's settings

OrRefusal<RouteCall> begin_get_settings(RouteRequest&) { return RouteCall{Read{ShowSettings{}}}; }

OrRefusal<RouteCall> begin_put_settings(RouteRequest& request) {
  if (auto refusal = read_object(request)) return std::move(*refusal);
  if (request.object.empty()) return malformed("the object names no setting");
  machine::PutSettings put;
  for (const auto& [name, text] : request.object) {
    const machine::SettingRow* row = machine::find_setting(name);
    if (row == nullptr) return malformed(http::shown(name) + " is no setting of the cluster");
    const std::optional<uint64_t> value = parse_setting(row->unit, row->choices, text);
    if (!value || *value < row->min || *value > row->max)
      return malformed(name + " is " + setting_range(row->unit, row->choices, row->min, row->max));
    put.values.emplace_back(name, *value);
  }
  return RouteCall{Write{std::move(put)}};
}

http::Response finish_settings(const RouteContext&, const RouteState&, const Answer& answer) {
  const auto& settings = std::get<machine::Settings>(answer.body);
  http::JsonWriter json;
  json.begin_object();
  for (const machine::SettingRow& row : machine::kSettings) {
    json.key(row.name);
    write_setting(json, row.unit, row.choices, settings.*row.value);
  }
  json.end_object();
  return with_index(json_response(200, json.take()), answer.index);
}

OrRefusal<RouteCall> begin_cluster_events(RouteRequest& request) {
  if (request.http.method == http::Method::head) return RouteCall{Local{ShowCluster{}}, {.head = true}};
  const std::string* last = request.http.header("Last-Event-ID");
  return RouteCall{Watch{WatchCluster{}}, {.value = last == nullptr ? "" : *last}};
}

// An id that cannot be this node's counts as none.
http::Response finish_cluster_events(const RouteContext& context, const RouteState& state, const Answer&) {
  http::Response response = event_stream_response();
  if (state.head)
    response.unknown_length = true;
  else
    response.stream = context.cluster_events.open(config::parse_unsigned(state.value));
  return response;
}

constexpr std::string_view kCannot = "The cluster cannot do this now: the answer says why.";

constexpr std::array kRoutesOfCluster{
    RouteSpec{.methods = kGet | kPost,
              .pattern = "/join",
              .verb = security::Verb::admin,
              .writes_by_get = true,
              .inputs = {.query = kJoin, .form = kJoin},
              .doc = {.id = "join",
                      .summary = "Takes a node into the cluster; answers when it is a voter.",
                      .answers = {{200, "It is a voter."}},
                      .refusals = {{409, kCannot}}},
              .begin = begin_join,
              .finish = finish_change},
    RouteSpec{.methods = kGet,
              .pattern = "/cluster",
              .verb = security::Verb::read,
              .doc = {.id = "getCluster",
                      .summary = "Shows the cluster as this node knows it.",
                      .answers = {{200, "What is not known is null.", json_body("Cluster")}}},
              .begin = begin_cluster,
              .finish = finish_cluster},
    RouteSpec{.methods = kGet,
              .pattern = "/cluster/settings",
              .verb = security::Verb::read,
              .inputs = {.query = kReadParams},
              .doc = {.id = "getClusterSettings",
                      .summary = "Shows the settings that all nodes share.",
                      .answers = {{200, "All settings.", json_body("ClusterSettings")}}},
              .begin = begin_get_settings,
              .finish = finish_settings},
    RouteSpec{.methods = kPut,
              .pattern = "/cluster/settings",
              .verb = security::Verb::admin,
              .inputs = {.json = kSettingNames, .numbers = true},
              .doc = {.id = "putClusterSettings",
                      .summary = "Changes those settings that are named.",
                      .answers = {{200, "All settings.", json_body("ClusterSettings"), {&kIndexField}}}},
              .begin = begin_put_settings,
              .finish = finish_settings},
    RouteSpec{.methods = kGet,
              .pattern = "/cluster/events",
              .verb = security::Verb::read,
              .stream = true,
              .doc = {.id = "streamCluster",
                      .summary = "A stream of this node's role, the leader, the members and the cluster's version.",
                      .answers = {{200,
                                   "Server-Sent Events: first what is so, then each change.",
                                   {{"text/event-stream", "ClusterChange"}}}}},
              .begin = begin_cluster_events,
              .finish = finish_cluster_events},
    RouteSpec{.methods = kPost,
              .pattern = "/cluster/members",
              .verb = security::Verb::admin,
              .inputs = {.json = {&kMemberId, &kRaftAddress}},
              .doc = {.id = "addMember",
                      .summary = "Takes a node into the cluster; answers when it is a voter.",
                      .answers = {{200, "It is a voter."}},
                      .refusals = {{409, kCannot}}},
              .begin = begin_add_member,
              .finish = finish_change},
    RouteSpec{.methods = kDelete,
              .pattern = "/cluster/members/{id}",
              .verb = security::Verb::admin,
              .doc = {.id = "removeMember",
                      .summary = "Removes a member.",
                      .answers = {{200, "It is none any more."}},
                      .refusals = {{404, "There is no such member."}, {409, kCannot}}},
              .begin = begin_remove_member,
              .finish = finish_change},
    RouteSpec{.methods = kPost,
              .pattern = "/cluster/transfer",
              .verb = security::Verb::admin,
              .inputs = {.json = {&kMemberId}},
              .doc = {.id = "transferLeadership",
                      .summary = "Hands leadership to a member.",
                      .answers = {{200, "It leads."}},
                      .refusals = {{404, "There is no such member."}, {409, kCannot}}},
              .begin = begin_transfer,
              .finish = finish_change},
};

}  // namespace

std::span<const RouteSpec> cluster_routes() { return kRoutesOfCluster; }

}  // namespace wh::api
