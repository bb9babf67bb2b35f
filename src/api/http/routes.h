// The routes: one table that says for each path and method how a request becomes a call on the node, and how the call's
// completion becomes the answer. routes_event.cc, routes_keys.cc, routes_cluster.cc, routes_backup.cc hold the
// functions, by surface.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/calls.h"
#include "api/http/inputs.h"
#include "config/options.h"
#include "http/json.h"
#include "http/request.h"
#include "http/response.h"
#include "http/router.h"
#include "http/url.h"
#include "node/node.h"

namespace wh {

class Backups;
class ClusterEvents;

// What every route may look at.
struct RouteContext {
  const Options& options;
  const node::Node& node;
  std::function<Bytes()> metrics;  // the text of /metrics, as of this turn
  Backups& backups;
  const ClusterEvents& cluster_events;
};

// One request, as a route's begin sees it.
struct RouteRequest {
  const http::Request& http;
  const RouteInputs& inputs;        // of its route
  std::vector<std::string> params;  // of the path, decoded
  http::Params query;               // decoded
  std::string peer_address;         // of the client, numeric
  std::string local_address;        // at which it reached this node, numeric
};

// What a route keeps for its answer.
struct RouteState {
  std::string name;   // the key, or the member
  std::string value;  // what was set
};

struct RouteCall {
  Call call;
  RouteState state;
};

using RouteBegun = std::variant<RouteCall, http::Response>;

struct RouteSpec {
  http::MethodMask methods;
  std::string_view pattern;
  CallKind kind;  // read: `?consistency=` applies
  bool changes_state = false;
  bool writes_by_get = false;  // a write that GET may do too (directive get-writes)
  bool redirects = false;      // `follower-writes auto` redirects it
  bool exempt = false;         // open to everybody
  RouteInputs inputs;          // what a request may carry
  RouteBegun (*begin)(const RouteContext&, RouteRequest&);
  // Called for an applied call only; other outcomes are worded by outcome_response. Of a stream it gives the answer
  // that is one.
  http::Response (*finish)(const RouteContext&, const RouteState&, const node::Completion&) = nullptr;
  // In place of finish, for an answer that takes longer: `answer` is to be called once.
  void (*finish_later)(const RouteContext&, const RouteState&, const node::Completion&,
                       std::function<void(http::Response)> answer) = nullptr;
};

std::span<const RouteSpec> route_table();
// All paths of the table, for a sentence: "/event, /key, /key/{name} and ...".
const std::string& route_paths();

// --- for the routes

// The JSON text and a newline, so that a terminal's prompt stands on a line of its own.
http::Response json_response(int status, std::string json);
// Adds Wormhole-Index.
http::Response with_index(http::Response response, raft::Index index);
// The reply of an applied write; one that the state machine refused is answered here.
std::variant<machine::Reply, http::Response> machine_reply(const node::Completion& completion);
// Checks the body's bounds and encodes it.
RouteBegun write_call(const machine::Body& body, RouteState state);
// 400 for bytes that are no name of a key.
std::optional<http::Response> bad_key(std::string_view key);
// The parameters of a query and of a form in the body; 400 when one stands in both or is not known, 415 for another
// body than a form.
std::variant<http::Params, http::Response> all_params(const RouteRequest& request);
// The JSON object in a body; 400, also for a member that is not known, 415.
std::variant<http::StringPairs, http::Response> json_body(const RouteRequest& request);

RouteBegun begin_post_event(const RouteContext&, RouteRequest&);
http::Response finish_post_event(const RouteContext&, const RouteState&, const node::Completion&);
RouteBegun begin_get_event(const RouteContext&, RouteRequest&);
http::Response finish_get_event(const RouteContext&, const RouteState&, const node::Completion&);
RouteBegun begin_delete_event(const RouteContext&, RouteRequest&);
http::Response finish_delete_event(const RouteContext&, const RouteState&, const node::Completion&);

RouteBegun begin_post_key(const RouteContext&, RouteRequest&);
http::Response finish_plain_write(const RouteContext&, const RouteState&, const node::Completion&);
RouteBegun begin_named_key(const RouteContext&, RouteRequest&);
http::Response finish_get_key(const RouteContext&, const RouteState&, const node::Completion&);
RouteBegun begin_delete_key(const RouteContext&, RouteRequest&);
http::Response finish_delete_key(const RouteContext&, const RouteState&, const node::Completion&);
RouteBegun begin_post_keys(const RouteContext&, RouteRequest&);
http::Response finish_post_keys(const RouteContext&, const RouteState&, const node::Completion&);
http::Response finish_get_keys(const RouteContext&, const RouteState&, const node::Completion&);
RouteBegun begin_set(const RouteContext&, RouteRequest&);
RouteBegun begin_get(const RouteContext&, RouteRequest&);
http::Response finish_get(const RouteContext&, const RouteState&, const node::Completion&);
RouteBegun begin_remove(const RouteContext&, RouteRequest&);

RouteBegun begin_join(const RouteContext&, RouteRequest&);
RouteBegun begin_add_member(const RouteContext&, RouteRequest&);
RouteBegun begin_remove_member(const RouteContext&, RouteRequest&);
RouteBegun begin_transfer(const RouteContext&, RouteRequest&);
http::Response finish_admin(const RouteContext&, const RouteState&, const node::Completion&);
RouteBegun begin_cluster(const RouteContext&, RouteRequest&);
RouteBegun begin_cluster_events(const RouteContext&, RouteRequest&);
http::Response finish_cluster_events(const RouteContext&, const RouteState&, const node::Completion&);
RouteBegun begin_backup(const RouteContext&, RouteRequest&);
void finish_backup(const RouteContext&, const RouteState&, const node::Completion&,
                   std::function<void(http::Response)> answer);
RouteBegun begin_metrics(const RouteContext&, RouteRequest&);
RouteBegun begin_healthz(const RouteContext&, RouteRequest&);
RouteBegun begin_readyz(const RouteContext&, RouteRequest&);

}  // namespace wh
