// The table of HTTP's routes, row by row: methods, what a request may carry, what an answer says about the outcome.
#include "api/http/routes.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "api/http/openapi/openapi.h"
#include "api/http/receipts.h"
#include "fixture.h"

namespace wh::api {
namespace {

using http::Method;

constexpr Method kMethods[] = {Method::get, Method::post, Method::put, Method::del};
constexpr std::string_view kJson = "Content-Type: application/json\r\n";

// A request that its route takes. Of a path with names, each is `n`, and an event's id is 1.
struct Sample {
  std::string query;
  std::string body;
  std::string_view fields;
  int status = 404;  // that the answer may have too, besides a success
};

// By method and pattern, and the parameter that tells it from another row of its path. A new route needs a line here.
const std::map<std::pair<Method, std::string>, Sample>& requests() {
  static const std::map<std::pair<Method, std::string>, Sample> all{
      {{Method::post, "/event"}, {"", "event=e", test::kForm}},
      {{Method::get, "/event"}, {}},
      {{Method::del, "/event"}, {}},
      {{Method::post, "/queues/{q}/events"}, {"", "e", "Content-Type: text/plain\r\n"}},
      {{Method::get, "/queues/{q}/events"}, {}},
      {{Method::post, "/queues/{q}/batch"}, {"", R"([{"data":"e"}])", kJson}},
      {{Method::get, "/queues/{q}/front"}, {}},
      {{Method::del, "/queues/{q}/front"}, {}},
      {{Method::get, "/queues/{q}/events/{id}"}, {}},
      {{Method::get, "/queues/{q}/stream"}, {}},
      {{Method::post, "/queues/{q}/receive"}, {}},
      {{Method::del, "/queues/{q}/events/{id}"}, {"receipt=" + format_receipt({1, 1}, "n"), "", {}}},
      {{Method::post, "/queues/{q}/events/{id}/extend"}, {"receipt=" + format_receipt({1, 1}, "n"), "", {}, 409}},
      {{Method::post, "/queues/{q}/events/{id}/release"}, {"receipt=" + format_receipt({1, 1}, "n"), "", {}, 409}},
      {{Method::post, "/queues/{q}/events/{id}/bury"}, {"receipt=" + format_receipt({1, 1}, "n"), "", {}, 409}},
      {{Method::post, "/queues/{q}/ack"},
       {"", R"([{"id":1,"receipt":")" + format_receipt({1, 1}, "n") + R"("}])", kJson}},
      {{Method::post, "/queues/{q}/extend"},
       {"", R"([{"id":1,"receipt":")" + format_receipt({1, 1}, "n") + R"("}])", kJson}},
      {{Method::post, "/queues/{q}/release"},
       {"", R"([{"id":1,"receipt":")" + format_receipt({1, 1}, "n") + R"("}])", kJson}},
      {{Method::post, "/queues/{q}/remove"}, {"", R"([{"id":1}])", kJson}},
      {{Method::get, "/queues"}, {}},
      {{Method::get, "/queues/{q}"}, {}},
      {{Method::put, "/queues/{q}"}, {"", R"({"ttl":"1h"})", kJson}},
      {{Method::del, "/queues/{q}"}, {}},
      {{Method::post, "/queues/{q}/pause"}, {}},
      {{Method::post, "/queues/{q}/resume"}, {}},
      {{Method::post, "/queues/{q}/purge"}, {}},
      {{Method::post, "/queues/{q}/redrive"}, {"from=n.dead", "", {}}},
      {{Method::post, "/topics/{t}/events"}, {"", "e", "Content-Type: text/plain\r\n"}},
      {{Method::put, "/topics/{t}/queues/{q}"}, {"", R"({"filter":{"type":"a*"}})", kJson}},
      {{Method::del, "/topics/{t}/queues/{q}"}, {}},
      {{Method::get, "/topics/{t}"}, {}},
      {{Method::get, "/topics"}, {}},
      {{Method::post, "/key"}, {"", R"({"a":"1"})", kJson}},
      {{Method::get, "/key/{name}"}, {}},
      {{Method::del, "/key/{name}"}, {}},
      {{Method::post, "/keys/{key}"}, {"", R"({"value":"1"})", kJson}},
      {{Method::get, "/keys/{key}"}, {}},
      {{Method::get, "/set"}, {"key=k&value=v", "", {}}},
      {{Method::post, "/set"}, {"key=k&value=v", "", {}}},
      {{Method::get, "/get"}, {"key=k", "", {}}},
      {{Method::get, "/remove"}, {"key=k", "", {}}},
      {{Method::post, "/remove"}, {"key=k", "", {}}},
      {{Method::get, "/kv/{key...}"}, {"", "", {}, 404}},
      {{Method::get, "/kv/{key...}?watch"}, {"watch", "", {}}},
      {{Method::get, "/kv?watch"}, {"watch&prefix=a", "", {}}},
      {{Method::put, "/kv/{key...}"}, {"", "v", {}}},
      {{Method::del, "/kv/{key...}"}, {}},
      {{Method::post, "/kv/{key...}/incr"}, {"by=-2", "", {}}},
      {{Method::get, "/kv"}, {"prefix=a", "", {}}},
      {{Method::del, "/kv"}, {"prefix=a", "", {}}},
      {{Method::post, "/txn"}, {"", R"({"success":[{"put":{"key":"k","value":"v"}}]})", kJson}},
      {{Method::post, "/leases"}, {"ttl=5s", "", {}}},
      {{Method::get, "/leases"}, {}},
      {{Method::get, "/leases/{id}"}, {"", "", {}, 404}},
      {{Method::del, "/leases/{id}"}, {"", "", {}, 404}},
      {{Method::post, "/leases/{id}/keepalive"}, {"", "", {}, 404}},
      {{Method::get, "/join"}, {"nodeId=n&raftPort=1&host=h", "", {}}},
      {{Method::post, "/join"}, {"nodeId=n&raftPort=1&host=h", "", {}}},
      {{Method::get, "/cluster"}, {}},
      {{Method::get, "/cluster/events"}, {}},
      {{Method::get, "/cluster/settings"}, {}},
      {{Method::put, "/cluster/settings"}, {"", R"({"dedup_max_keys":5})", kJson}},
      {{Method::post, "/cluster/members"}, {"", R"({"id":"n","raft_address":"h:1"})", kJson}},
      {{Method::del, "/cluster/members/{id}"}, {}},
      {{Method::post, "/cluster/transfer"}, {"", R"({"id":"n"})", kJson}},
      {{Method::get, "/backup"}, {}},
      {{Method::get, "/metrics"}, {}},
      {{Method::get, "/openapi.json"}, {}},
      {{Method::get, "/healthz"}, {}},
      {{Method::get, "/readyz"}, {}},
      {{Method::get, "/"}, {}},
      {{Method::get, "/ui"}, {}},
      {{Method::get, "/node/history"}, {}},
      {{Method::get, "/node/messages"}, {}},
  };
  return all;
}

bool has(const Parameters& all, const Parameter& one) { return find_parameter(all, one.name) == &one; }

// The values for the names of a pattern, in its order.
std::vector<std::string> params_of(std::string_view pattern) {
  std::vector<std::string> params;
  for (size_t at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at + 1))
    params.emplace_back(pattern.substr(at).starts_with("{id}") &&
                                (pattern.starts_with("/queues/") || pattern.starts_with("/leases/"))
                            ? "1"
                            : "n");
  return params;
}

std::string path_of(std::string_view pattern) {
  std::string path;
  for (const std::string& value : params_of(pattern)) {
    const size_t brace = pattern.find('{');
    path += std::string(pattern.substr(0, brace)) + value;
    pattern.remove_prefix(pattern.find('}') + 1);
  }
  return path + std::string(pattern);
}

std::string with_query(std::string_view pattern, const std::string& query) {
  return path_of(pattern) + (query.empty() ? "" : "?" + query);
}

// For each route and each of its methods.
template <typename Use>
void each_route(Use use) {
  for (const RouteSpec& route : route_table())
    for (const Method method : kMethods) {
      if ((route.methods & http::bit(method)) == 0) continue;
      const std::string when = route.when.empty() ? std::string() : "?" + std::string(route.when);
      const auto sample = requests().find({method, std::string(route.pattern) + when});
      CAPTURE(route.pattern);
      CAPTURE(http::method_name(method));
      REQUIRE_MESSAGE(sample != requests().end(), "a route without a sample here");
      use(route, method, sample->second);
    }
}

}  // namespace

TEST_CASE("each route makes an operation of the verb that its row says") {
  size_t rows = 0;
  each_route([&](const RouteSpec& route, Method method, const Sample& sample) {
    ++rows;
    http::Request request;
    request.method = method;
    request.body = sample.body;
    http::test::Wire wire;
    const http::test::MemoryStream stream(wire);
    RouteRequest made{request, route.inputs, stream, {}, *http::parse_form(sample.query)};
    made.params = params_of(route.pattern);
    if (sample.fields.starts_with("Content-Type: text/plain"))
      request.headers.push_back({"Content-Type", "text/plain"});
    const OrRefusal<RouteCall> call = route.begin(made);
    REQUIRE(call.ok());
    CHECK(traits_of(call->operation).verb == route.verb);
    // What takes ?consistency= is a look at the state, and the other way round; but /metrics never waits.
    const auto* read = std::get_if<Read>(&call->operation);
    const auto* watch = std::get_if<Watch>(&call->operation);
    const bool looks = (read != nullptr && !std::holds_alternative<ShowMetrics>(*read)) ||
                       (watch != nullptr && !std::holds_alternative<WatchCluster>(*watch));
    CHECK(looks == has(route.inputs.query, kConsistency));
    if (const auto* write = std::get_if<Write>(&call->operation))
      CHECK(machine::adds_data(encode(*write, {})) == documented_statuses(route, method).contains(507));
    CHECK((route.finish == nullptr) == (route.finish_later != nullptr));
    CHECK(std::holds_alternative<Watch>(call->operation) == route.stream);
  });
  CHECK(rows == requests().size());
}

TEST_CASE("each route: the sample is taken, and says what a write became") {
  test::Fronts fronts(kLatestVersion);
  each_route([&](const RouteSpec& route, Method method, const Sample& sample) {
    if (route.finish_later != nullptr || route.stream || std::string_view(route.pattern) == "/join" ||
        route.pattern.starts_with("/cluster/"))
      return;  // they need more than one node, or a disk, or do not end
    const http::test::Answer answer =
        fronts.ask(std::string(http::method_name(method)), with_query(route.pattern, sample.query), sample.body,
                   std::string(sample.fields));
    CHECK((answer.status / 100 == 2 || answer.status == 404 || answer.status == sample.status));
    const bool data = route.verb == security::Verb::write || has(route.inputs.query, kConsistency);
    CHECK((answer.header("Wormhole-Index") != nullptr) == data);
    CHECK(answer.header("Date") != nullptr);
    CHECK((answer.header("Wormhole-Outcome") == nullptr) == (answer.status / 100 == 2 || !route.changes_state()));
  });
}

TEST_CASE("each path: other methods are 405 with Allow, OPTIONS names them too") {
  test::Fronts fronts;
  std::map<std::string_view, unsigned> methods;
  for (const RouteSpec& route : route_table()) methods[route.pattern] |= route.methods;
  for (const auto& [pattern, own] : methods) {
    CAPTURE(pattern);
    // Such a path is a key's too.
    const unsigned mask = own | (pattern == "/kv/{key...}/incr" ? methods.at("/kv/{key...}") : 0);
    std::set<std::string> allowed{"OPTIONS"};
    for (const Method method : kMethods)
      if ((mask & http::bit(method)) != 0) allowed.emplace(http::method_name(method));
    if (allowed.contains("GET")) allowed.insert("HEAD");
    const auto listed = [](const http::test::Answer& answer) {
      std::set<std::string> names;
      REQUIRE(answer.header("Allow") != nullptr);
      std::string text = *answer.header("Allow");
      for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find(", ", at), text.size());
        names.insert(text.substr(at, end - at));
        at = end + 2;
      }
      return names;
    };
    const http::test::Answer options = fronts.ask("OPTIONS", path_of(pattern));
    CHECK(options.status == 204);
    CHECK(listed(options) == allowed);
    for (const Method method : kMethods) {
      if ((mask & http::bit(method)) != 0) continue;
      const http::test::Answer answer = fronts.ask(std::string(http::method_name(method)), path_of(pattern));
      CHECK(answer.status == 405);
      CHECK(listed(answer) == allowed);
      if (method != Method::get) CHECK(*answer.header("Wormhole-Outcome") == "not-applied");
    }
  }
}

TEST_CASE("each route: a parameter that it does not know is refused, and nothing is done") {
  test::Fronts fronts;
  const raft::Index before = fronts.node.raft()->log().last_index();
  each_route([&](const RouteSpec& route, Method method, const Sample& sample) {
    const std::string query = sample.query.empty() ? "zzz=1" : sample.query + "&zzz=1";
    if (route.inputs.anything || route.finish_later != nullptr) return;
    const http::test::Answer answer =
        fronts.ask(std::string(http::method_name(method)), with_query(route.pattern, query), sample.body,
                   std::string(sample.fields));
    CHECK(answer.status == 400);
    CHECK(test::sentence_of(answer).starts_with("the parameter 'zzz' is not known here"));
    CHECK((answer.header("Wormhole-Outcome") != nullptr) == route.changes_state());
    if (route.changes_state()) CHECK(*answer.header("Wormhole-Outcome") == "not-applied");
  });
  CHECK(fronts.node.raft()->log().last_index() == before);
}

TEST_CASE("each route that reads no body: one is refused and says where parameters belong, an empty one is taken") {
  test::Fronts fronts(kLatestVersion);
  const raft::Index before = fronts.node.raft()->log().last_index();
  size_t refused = 0;
  each_route([&](const RouteSpec& route, Method method, const Sample& sample) {
    const RouteInputs& inputs = route.inputs;
    if (inputs.anything || inputs.reads_body()) return;
    CHECK(sample.body.empty());
    ++refused;
    for (const auto& [body, fields] : std::vector<std::pair<std::string, std::string>>{
             {"zzz=1", test::kForm}, {R"({"x":1})", std::string(kJson)}, {" ", ""}}) {
      const http::test::Answer answer =
          fronts.ask(std::string(http::method_name(method)), with_query(route.pattern, sample.query), body, fields);
      CHECK(answer.status == 400);
      const std::string sentence = test::sentence_of(answer);
      CHECK(sentence.starts_with("this path reads no body"));
      CHECK((sentence.find("in the query") != std::string::npos) == !inputs.query.empty());
    }
  });
  CHECK(refused > 25);
  CHECK(fronts.node.raft()->log().last_index() == before);
  // As curl sends `-d ''` and `--json ''`.
  CHECK(fronts.ask("PUT", "/queues/q").status == 200);
  for (const std::string& fields : {test::kForm, std::string(kJson)})
    CHECK(fronts.ask("POST", "/queues/q/purge", "", fields + "Content-Length: 0\r\n").status == 200);
  CHECK(fronts.ask("POST", "/queues/q/purge", "{}", std::string(kJson)).status == 200);
  CHECK(
      test::sentence_of(fronts.ask("POST", "/queues/q/pause", "direction=in", test::kForm)) ==
      "this path reads no body, so the request is refused rather than done without it: parameters belong in the query, "
      "?direction=..., and are 'direction'");
}

TEST_CASE("each route: a precondition that it does not evaluate is refused, not ignored") {
  test::Fronts fronts;
  each_route([&](const RouteSpec& route, Method method, const Sample& sample) {
    if (route.inputs.anything) return;
    for (const std::string name : {"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}) {
      if ((name == "If-Match" && route.inputs.entity_tags) || (name == "If-None-Match" && route.inputs.not_entity_tags))
        continue;
      CAPTURE(name);
      const http::test::Answer answer =
          fronts.ask(std::string(http::method_name(method)), with_query(route.pattern, sample.query), sample.body,
                     name + ": \"1\"\r\n" + std::string(sample.fields));
      CHECK(answer.status == 400);
      CHECK(test::sentence_of(answer).starts_with("the precondition " + name + " is not evaluated here"));
    }
  });
}

TEST_CASE("each route that reads a body: another media type is 415, a field or member it does not know 400") {
  test::Fronts fronts;
  each_route([&](const RouteSpec& route, Method method, const Sample& sample) {
    if (method != Method::post || route.inputs.any_body) return;
    const auto post = [&](const std::string& body, std::string_view fields) {
      return fronts.ask("POST", with_query(route.pattern, sample.query), body, std::string(fields));
    };
    if (sample.body.empty() && route.inputs.form.empty()) return;  // reads none
    CHECK(post("x", "Content-Type: multipart/form-data; boundary=b\r\n").status == 415);
    if (sample.body.starts_with('[')) {
      CHECK(post(R"([{"zzz":"1"}])", kJson).status == 400);
    } else if (!route.inputs.form.empty()) {
      const http::test::Answer answer = post("zzz=1", test::kForm);
      CHECK(answer.status == 400);
      CHECK(test::sentence_of(answer).starts_with("the form field 'zzz' is not known here"));
    } else if (!route.inputs.any_members) {
      const http::test::Answer answer = post(R"({"zzz":"1"})", kJson);
      CHECK(answer.status == 400);
      CHECK(test::sentence_of(answer).starts_with("the member 'zzz' is not known here"));
    }
  });
}

TEST_CASE("each route: without the password 401 and not applied, but what is open to all") {
  test::Fronts fronts;
  fronts.options.requirepass = "secret";
  const raft::Index before = fronts.node.raft()->log().last_index();
  each_route([&](const RouteSpec& route, Method method, const Sample& sample) {
    const http::test::Answer answer =
        fronts.ask(std::string(http::method_name(method)), with_query(route.pattern, sample.query), sample.body,
                   std::string(sample.fields));
    CHECK((answer.status == 401) == (route.verb != security::Verb::open));
    CHECK((answer.header("WWW-Authenticate") != nullptr) == (route.verb != security::Verb::open));
    CHECK((answer.header("Wormhole-Outcome") != nullptr) == route.changes_state());
  });
  CHECK(fronts.node.raft()->log().last_index() == before);
  CHECK(fronts.ask("GET", "/event", "", "Authorization: Bearer secret\r\n").status == 200);
}

TEST_CASE("each route: another site's page may change nothing, nor make this node work for it") {
  test::Fronts fronts;
  each_route([&](const RouteSpec& route, Method method, const Sample& sample) {
    if (!route.changes_state() && route.finish_later == nullptr && !route.stream) return;
    for (const std::string field : {"Sec-Fetch-Site: cross-site\r\n", "Origin: http://evil.example\r\n"})
      CHECK(fronts
                .ask(std::string(http::method_name(method)), with_query(route.pattern, sample.query), sample.body,
                     field + std::string(sample.fields))
                .status == 403);
  });
}

TEST_CASE("writes by GET: only the routes that have them, not by HEAD, and not where the directive says no") {
  test::Fronts fronts;
  each_route([&](const RouteSpec& route, Method method, const Sample& sample) {
    if (method != Method::get) return;
    CHECK(route.writes_by_get == route.changes_state());
    if (!route.writes_by_get) return;
    const std::string target = with_query(route.pattern, sample.query);
    fronts.options.get_writes = config::GetWrites::loopback;
    CHECK(fronts.ask("HEAD", target).status == 405);
    fronts.options.get_writes = config::GetWrites::no;
    const http::test::Answer answer = fronts.ask("GET", target);
    CHECK(answer.status == 405);
    CHECK(*answer.header("Allow") == "POST, OPTIONS");
    CHECK(*answer.header("Wormhole-Outcome") == "not-applied");
  });
}

TEST_CASE("each kind of refusal has its status, and says whether a write was not applied") {
  const std::map<RefusalKind, int> statuses{
      {RefusalKind::malformed, 400},  {RefusalKind::unauthenticated, 401}, {RefusalKind::forbidden, 403},
      {RefusalKind::not_found, 404},  {RefusalKind::wrong_method, 405},    {RefusalKind::not_presentable, 406},
      {RefusalKind::conflict, 409},   {RefusalKind::precondition, 412},    {RefusalKind::too_large, 413},
      {RefusalKind::wrong_type, 415}, {RefusalKind::too_many, 429},        {RefusalKind::unavailable, 503},
      {RefusalKind::overloaded, 503}, {RefusalKind::timed_out, 504},       {RefusalKind::no_room, 507},
      {RefusalKind::gone, 410},       {RefusalKind::elsewhere, 503},       {RefusalKind::unprocessable, 422},
      {RefusalKind::unsupported, 501}};
  CHECK(statuses.size() == static_cast<size_t>(RefusalKind::elsewhere) + 1);
  for (const auto& [kind, status] : statuses) {
    CHECK(status_of(kind) == status);
    CHECK(http::reason_phrase(status) != "Unknown");
    for (const bool not_applied : {true, false}) {
      const http::Response response = refusal_response(
          {.kind = kind, .sentence = "why", .not_applied = not_applied, .index = raft::Index{7}}, true);
      CHECK(response.status == status);
      CHECK(response.body.view() == "{\"error\": \"why\"}\n");
      const auto has = [&](std::string_view name, std::string_view value) {
        const std::vector<http::Header> fields = response.headers.list();
        return std::any_of(fields.begin(), fields.end(),
                           [&](const http::Header& field) { return field.name == name && field.value == value; });
      };
      CHECK(has("Wormhole-Outcome", not_applied ? "not-applied" : "unknown"));
      CHECK(has("Wormhole-Index", "7"));
      CHECK(has("Retry-After", "1") == (status == 503 || status == 429));
    }
    const http::Response read = refusal_response({.kind = kind, .sentence = "why"}, false);
    for (const http::Header& field : read.headers.list()) CHECK(field.name != "Wormhole-Outcome");
  }
}

TEST_CASE("consistency is one of two words") {
  test::Fronts fronts;
  CHECK(fronts.ask("GET", "/event?consistency=stale").status == 200);
  CHECK(fronts.ask("GET", "/event?consistency=linearizable").status == 200);
  CHECK(fronts.ask("GET", "/event?consistency=eventual").status == 400);
}

TEST_CASE("the paths are named where there is nothing") {
  test::Fronts fronts;
  const http::test::Answer answer = fronts.ask("GET", "/nothing");
  CHECK(answer.status == 404);
  for (const RouteSpec& route : route_table())
    CHECK(test::sentence_of(answer).find(route.pattern) != std::string::npos);
}

TEST_CASE("a stream begins with what is so, is ended with its client, and HEAD begins none") {
  test::Fronts fronts;
  http::test::Wire wire;
  fronts.http.accept(std::make_unique<http::test::MemoryStream>(wire));
  wire.handler->on_data("HEAD /cluster/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  CHECK(wire.output.starts_with("HTTP/1.1 200 "));
  CHECK(wire.output.ends_with("\r\n\r\n"));
  CHECK(fronts.http.counters().streams == 0);
  wire.handler->on_close("");
  wire = {};
  fronts.http.accept(std::make_unique<http::test::MemoryStream>(wire));
  wire.handler->on_data("GET /cluster/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  for (int turn = 0; turn < 10; ++turn) fronts.pump();
  CHECK(fronts.http.streams() == 1);
  CHECK(wire.output.find("text/event-stream") != std::string::npos);
  CHECK(wire.output.find("event: role") != std::string::npos);
  wire.handler->on_close("");
  fronts.http.reap();
  CHECK(fronts.http.streams() == 0);
  CHECK(fronts.node.waiting() == 0);
}

}  // namespace wh::api
