// The routes: one table that says for each path and method how a request becomes an operation, and how the operation's
// answer becomes the response. The rows and their functions are in routes/SURFACE.cc.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/calls.h"
#include "api/http/answer_fields.h"
#include "api/http/inputs.h"
#include "api/http/route_doc.h"
#include "api/operations.h"
#include "base/byte_stream.h"
#include "http/json.h"
#include "http/json_reader.h"
#include "http/request.h"
#include "http/response.h"
#include "http/router.h"
#include "http/url.h"

namespace wh::api {

class Backups;
class ChangeFrames;
class ClusterEvents;

// What a route may read when it words an answer.
struct RouteContext {
  const Context& api;
  Backups& backups;
  const ClusterEvents& cluster_events;
  std::shared_ptr<ChangeFrames> change_frames;
};

// One request, as a route's begin sees it. The operation that it makes may hold views into it.
struct RouteRequest {
  const http::Request& http;
  const RouteInputs& inputs;        // of its route
  const ByteStream& stream;         // on which it came
  std::vector<std::string> params;  // of the path, decoded
  http::Params query;               // decoded; read_params() adds the form's
  http::StringPairs object{};       // what read_object() read
  http::KeptStrings kept{};         // what was decoded, for the views of the operation
};

// How an event is shown: as it came, or as the request's Accept names it.
enum class EventForm : uint8_t { as_it_came, json, structured, batched };

// An item of a request that settles many deliveries, or removes many events.
struct AskedReceipt {
  uint64_t id = 0;
  bool valid = false;  // the others are not in the command
};

// Which idempotency keys events bring, beside the request's own.
enum class KeysOf : uint8_t {
  request,       // none
  cloud_event,   // the source and id of one CloudEvent
  cloud_events,  // of several
  items,         // idempotency_key of a batch's items
};

// What a route keeps for its answer.
struct RouteState {
  std::string value;     // what was set; of a stream, the event after which it begins
  std::string if_match;  // fields, well-formed; empty: none
  std::string if_none_match;
  std::string local_address;  // at which the client reached this node, numeric
  bool head = false;
  bool html = false;  // asks for text/html
  // Of queues and topics:
  std::string queue;  // or topic: of the path
  uint64_t id = 0;    // of an event
  uint64_t max = 1;   // events asked for
  EventForm form = EventForm::as_it_came;
  machine::SettleVerb verb = machine::SettleVerb::acknowledge;
  bool representation = false;  // Prefer: return=representation
  KeysOf keys_of = KeysOf::request;
  bool has_key = false;             // an Idempotency-Key too
  bool to_topic = false;            // `queue` names a topic
  bool keys_only = false;           // of a list
  bool initial = false;             // of a watch: the items first
  bool with_prev = false;           // and with the values before
  bool of_prefix = false;           // of all keys with the prefix `value`
  bool reversed = false;            // of a change: its comparisons hold where the request's preconditions do not
  Millis ttl_ms = 0;                // of a lease
  std::optional<uint64_t> after{};  // of a read that waits for a change after this index
  std::vector<AskedReceipt> receipts{};
  std::vector<std::string> headers{};  // packed, of several events for a topic
};

struct RouteCall {
  Operation operation;
  RouteState state = {};
  Millis wait_ms = 0;  // of a Receive
  // Of an event, which is the same on every path and in every form: in place of the request's fingerprint.
  std::optional<machine::Fingerprint> fingerprint{};
  std::string idempotency_key{};  // where the request has none of its own
};

struct RouteSpec {
  http::MethodMask methods;
  std::string_view pattern;
  // Serves the requests of its path that have this parameter, in place of the row of that path without one.
  std::string_view when{};
  security::Verb verb;         // of its operation. open: needs no password; write, admin: changes state
  bool guarded = false;        // open, but protected mode and the Host count as for what is not open
  bool writes_by_get = false;  // a change that GET may do too (directive get-writes)
  bool redirects = false;      // `follower-writes auto` redirects it
  bool stream = false;         // its answer has no end: finish returns a stream
  bool alone = false;          // it begins when all before it on its connection are answered, as reads do
  RouteInputs inputs;          // what a request may carry
  RouteDoc doc{};              // what it says of itself
  OrRefusal<RouteCall> (*begin)(RouteRequest&);
  http::Response (*finish)(const RouteContext&, const RouteState&, const Answer&) = nullptr;
  // In place of finish, for an answer that takes longer; it calls `respond` once.
  void (*finish_later)(const RouteContext&, const RouteState&, const Answer&,
                       std::function<void(http::Response)> respond) = nullptr;

  [[nodiscard]] constexpr bool changes_state() const {
    return verb == security::Verb::write || verb == security::Verb::admin;
  }
};

// The rows of one subject.
struct RouteGroup {
  std::string_view name;
  std::string_view text;  // a sentence
  std::vector<std::span<const RouteSpec>> rows;
};
const std::vector<RouteGroup>& route_groups();
// The rows of all groups.
std::span<const RouteSpec> route_table();
// All paths of the table, for a sentence: "/event, /key, /key/{name} and ...".
const std::string& route_paths();

// The HTTP status of a refusal.
[[nodiscard]] int status_of(RefusalKind kind);
// The response to a refusal, with Wormhole-Index where it has an index. `changes_state`: with Wormhole-Outcome.
[[nodiscard]] http::Response refusal_response(const Refusal& refusal, bool changes_state);

// --- for the files of routes

// Each file's rows.
std::span<const RouteSpec> event_routes();
std::span<const RouteSpec> key_routes();
std::span<const RouteSpec> store_routes();
std::span<const RouteSpec> lease_routes();
std::span<const RouteSpec> queue_routes();
std::span<const RouteSpec> delivery_routes();
std::span<const RouteSpec> queue_admin_routes();
std::span<const RouteSpec> topic_routes();
std::span<const RouteSpec> cluster_routes();
std::span<const RouteSpec> node_routes();
std::span<const RouteSpec> page_routes();
std::span<const RouteSpec> activity_routes();

inline constexpr http::MethodMask kGet = http::bit(http::Method::get);
inline constexpr http::MethodMask kPost = http::bit(http::Method::post);
inline constexpr http::MethodMask kPut = http::bit(http::Method::put);
inline constexpr http::MethodMask kDelete = http::bit(http::Method::del);

// The JSON text and a newline, so that a terminal's prompt begins a new line.
http::Response json_response(int status, std::string json);
http::Response empty_response(int status);
// The head of an answer without end: Server-Sent Events. nginx must not buffer it (HAZARDS W11).
http::Response event_stream_response();
// Adds Wormhole-Index.
void add_index(http::Response& response, raft::Index index);
http::Response with_index(http::Response response, raft::Index index);
// Adds the fields of a form in the body to request.query. Refuses a field that is in both or unknown, and (wrong_type)
// a body that is no form.
std::optional<Refusal> read_params(RouteRequest& request);
// Reads the JSON object in the body into request.object. Also refuses an unknown member, and (wrong_type) another kind
// of body.
std::optional<Refusal> read_object(RouteRequest& request);
// Refuses (wrong_type) a body that says that it is not JSON; `what`: "a JSON object".
std::optional<Refusal> refuse_other_than_json(const http::Request& request, std::string_view what);

}  // namespace wh::api
