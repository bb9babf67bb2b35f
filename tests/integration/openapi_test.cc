// GET /openapi.json beside a running server: each operation is carried out and refused, and each answer must be as the
// document says: its status, the fields of its header, its body's members. At last so must be all that the server
// counted.
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../api_document.h"
#include "harness.h"
#include "one_node.h"

using namespace wh::testing;

namespace {

struct Operation {
  std::string path;
  std::string method;
  Json described;
};

// The server, its document, and what it was asked.
class Described {
 public:
  OneNode node;
  ApiDocument document{node.ask("", "/openapi.json").body};
  std::map<std::string, Operation> operations = [this] {
    std::map<std::string, Operation> all;
    document.each_operation([&](const std::string& path, const std::string& method, const Json& operation) {
      all[operation.at("operationId").text] = {path, method, operation};
    });
    return all;
  }();
  std::map<std::string, std::set<int>> seen;  // by operation

  // Asks for the operation of this id; `target` must be one of its path.
  Answer ask(const std::string& id, const std::string& arguments, const std::string& target, int status) {
    CAPTURE(id);
    CAPTURE(target);
    CAPTURE(arguments);
    REQUIRE(operations.contains(id));
    const Operation& operation = operations.at(id);
    const std::regex path(std::regex_replace(operation.path, std::regex("\\{[a-z]+\\}"),
                                             operation.path.starts_with("/kv") ? ".+" : "[^/]+"));
    CHECK(std::regex_match(target.substr(0, target.find('?')), path));
    const Answer answer = node.ask("-X " + operation.method + " " + arguments, target);
    CAPTURE(answer.body);
    CHECK(answer.status == status);
    seen[id].insert(answer.status);
    check(operation.described, answer);
    return answer;
  }

 private:
  void check(const Json& operation, const Answer& answer) const {
    const Json* listed = operation.at("responses").find(std::to_string(answer.status));
    REQUIRE_MESSAGE(listed != nullptr, "the status " << answer.status << " is not described");
    const Json& response = document.resolved(*listed);
    std::set<std::string> fields;
    for (const auto& [name, field] : response.at("headers").members) {
      std::string lower = name;
      std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
      fields.insert(lower);
    }
    // These all answers may have; an event's attributes are named in words.
    const std::regex ours("etag|link|location|retry-after|allow|preference-applied|idempotency-.*|wormhole-.*");
    const std::regex known("wormhole-attribute-.*|wormhole-node-digest");
    for (const auto& [name, value] : answer.headers)
      if (std::regex_match(name, ours) && !std::regex_match(name, known))
        CHECK_MESSAGE(fields.contains(name), "the field " << name << " is not described");
    if (answer.body.empty()) return;
    const std::string type = answer.header("content-type").substr(0, answer.header("content-type").find(';'));
    const Json& contents = response.at("content");
    const Json* content = contents.find(type) != nullptr ? contents.find(type) : contents.find("*/*");
    REQUIRE_MESSAGE(content != nullptr, "the type " << type << " is not described");
    if (const Json* data = content->find("x-event-data")) return check_events(*data, answer.body);
    if (const Json* schema = content->find("schema"); schema != nullptr && type.ends_with("json"))
      CHECK(document.faults(*schema, read_json(answer.body)) == "");
  }
  void check_events(const Json& schema, const std::string& stream) const {
    const std::regex data("data: (.*)");
    size_t events = 0;
    for (std::sregex_iterator at(stream.begin(), stream.end(), data); at != std::sregex_iterator(); ++at, ++events)
      CHECK(document.faults(schema, read_json((*at)[1].str())) == "");
    CHECK(events != 0);
  }
};

const std::string kJson = "-H 'Content-Type: application/json' ";
const std::string kNoType = "-H 'If-Match: \"1\"' ";  // a precondition that most paths do not know

std::string data(const std::string& body) { return kJson + "--data-binary '" + body + "'"; }

void check_events(Described& d) {
  d.ask("postEvent", "-d event=one", "/event", 201);
  d.ask("postEvent", "-d evnt=one", "/event", 400);
  d.ask("postEvent", "-F event=one", "/event", 415);
  d.ask("postEvent", "-H 'Idempotency-Key: k' -d event=two", "/event", 201);
  d.ask("postEvent", "-H 'Idempotency-Key: k' -d event=two", "/event", 201);
  d.ask("postEvent", "-H 'Idempotency-Key: k' -d event=three", "/event", 422);
  d.ask("postEvent", "-H 'Content-Type: text/plain' --data-binary \"$(head -c 70000 /dev/zero | tr '\\0' x)\"",
        "/event", 413);
  const Answer front = d.ask("getEvent", "", "/event?consistency=stale", 200);
  d.ask("getEvent", "-H 'If-None-Match: " + front.header("etag") + "'", "/event", 304);
  d.ask("getEvent", "-H 'If-Match: \"999\"'", "/event", 412);
  d.ask("getEvent", "", "/event?x=1", 400);
  d.ask("deleteEvent", "-H 'If-Match: \"999\"'", "/event", 412);
  d.ask("deleteEvent", "-H 'Prefer: return=representation'", "/event", 200);
  d.ask("deleteEvent", "", "/event", 204);
}

void check_older_paths(Described& d) {
  d.ask("setKeys", data(R"({"color":"blue","size":"7"})"), "/key", 200);
  d.ask("setKeys", data("{}"), "/key", 400);
  d.ask("getNamedKey", "", "/key/color", 200);
  d.ask("getNamedKey", "", "/key/none", 404);
  d.ask("deleteNamedKey", "-H 'If-Match: \"1\"'", "/key/color", 412);
  d.ask("deleteNamedKey", "", "/key/color", 204);
  d.ask("setKeyByJson", data(R"({"value":"v"})"), "/keys/k", 200);
  d.ask("setKeyByJson", data(R"({"value":1})"), "/keys/k", 400);
  d.ask("getKeyAsJson", "", "/keys/k", 200);
  d.ask("getKeyAsJson", "", "/keys/k?x=1", 400);
  d.ask("setKey", "-d key=k -d value=v", "/set", 200);
  d.ask("setKey", "-d key=k", "/set", 400);
  d.ask("setKey", "--data-urlencode key=k -d 'value=%ff'", "/set", 200);
  d.ask("getNamedKey", "", "/key/k", 406);
  d.ask("getKeyAsJson", "", "/keys/k", 406);
  d.ask("setKeyByGet", "", "/set?key=k&value=v", 200);
  d.ask("setKeyByGet", "", "/set?key=k", 400);
  const Answer shown = d.ask("getKey", "", "/get?key=k", 200);
  d.ask("getKey", "-H 'If-None-Match: " + shown.header("etag") + "'", "/get?key=k", 304);
  d.ask("getKey", "", "/get?key=none", 404);
  d.ask("removeKeyByGet", "", "/remove?key=k", 200);
  d.ask("removeKeyByGet", "", "/remove", 400);
  d.ask("removeKey", "-d key=k", "/remove", 200);
  d.ask("removeKey", "-H 'If-Match: *' -d key=k", "/remove", 412);
}

void check_store(Described& d) {
  d.ask("putItem", "--data-binary red", "/kv/app/color?ttl=1h", 201);
  d.ask("putItem", "--data-binary blue", "/kv/app/color", 204);
  d.ask("putItem", "-H 'If-None-Match: *' --data-binary x", "/kv/app/color", 412);
  d.ask("putItem", "--data-binary x", "/kv/app/color?lease=99", 404);
  d.ask("putItem", "-H 'Content-Encoding: gzip' --data-binary x", "/kv/app/color", 415);
  const Answer shown = d.ask("getItem", "", "/kv/app/color", 200);
  d.ask("getItem", "-H 'If-None-Match: " + shown.header("etag") + "'", "/kv/app/color", 304);
  d.ask("getItem", "", "/kv/app/color?index=" + shown.header("wormhole-index") + "&wait=0s", 304);
  d.ask("getItem", "", "/kv/none", 404);
  d.ask("getItem", "-H 'If-Match: \"1\"'", "/kv/app/color", 412);
  d.ask("getItem", "--max-time 1", "/kv/app/color?watch&initial&prev", 200);
  d.ask("getItem", "", "/kv/app/color?watch&from=99999", 400);
  d.ask("putItem", "--data-binary $(printf '\\377')", "/kv/app/%ff", 201);
  d.ask("incrementItem", "", "/kv/app/count/incr?by=5", 200);
  d.ask("incrementItem", "", "/kv/app/color/incr", 409);
  d.ask("listItems", "", "/kv?prefix=app/", 200);
  const Answer page = d.ask("listItems", "", "/kv?limit=1&keys&consistency=stale", 200);
  CHECK(has(page.header("link"), "next"));
  d.ask("listItems", "", "/kv?limit=0", 400);
  d.ask("listItems", "--max-time 1", "/kv?watch&prefix=app/&initial", 200);
  d.ask("deleteItem", "-H 'If-Match: \"1\"'", "/kv/app/color", 412);
  d.ask("deleteItem", "", "/kv/app/color", 204);
  d.ask("deleteItems", "", "/kv", 400);
  d.ask("deleteItems", "", "/kv?prefix=app/", 200);

  const std::string lease = json_field(d.ask("grantLease", "", "/leases?ttl=1m", 201).body, "id");
  d.ask("grantLease", "", "/leases?ttl=1ms", 400);
  d.ask("putItem", "--data-binary x", "/kv/held?lease=" + lease, 201);
  d.ask("putItem", "--data-binary x", "/kv/h%ff?lease=" + lease, 201);
  d.ask("keepLeaseAlive", "", "/leases/" + lease + "/keepalive", 200);
  d.ask("getLease", "", "/leases/" + lease, 200);
  d.ask("listLeases", "", "/leases", 200);
  d.ask("listLeases", "", "/leases?limit=1001", 400);
  d.ask("revokeLease", "", "/leases/" + lease, 204);
  d.ask("revokeLease", "", "/leases/" + lease, 404);
  d.ask("getLease", "", "/leases/" + lease, 404);
  d.ask("keepLeaseAlive", "", "/leases/" + lease + "/keepalive", 404);

  d.ask("transact",
        data(R"({"compare":[{"key":"t","exists":false}],"success":[{"put":{"key":"t","value":"1"}},)"
             R"({"incr":{"key":"t"}},{"get":{"key":"t"}},{"get":{"prefix":"t"}},{"get":{"key":"none"}},)"
             R"({"enqueue":{"queue":"q","data":"e"}},{"delete":{"key":"t"}}]})"),
        "/txn", 200);
  d.ask("transact", data(R"({"success":[{"jump":{}}]})"), "/txn", 400);
  d.ask("transact", data(R"({"success":[{"put":{"key":"t","value":"1","lease":99}}]})"), "/txn", 404);
  d.ask("transact", data(R"({"success":[{"put":{"key":"t","value":"a"}},{"incr":{"key":"t"}}]})"), "/txn", 409);
}

void check_queues(Described& d) {
  const std::string event = "-H 'Content-Type: text/plain' -H 'Wormhole-Attribute-Type: order.new' --data-binary e";
  d.ask("putQueue", data(R"({"ttl":"1h","backoff":["1s"],"max_length":9})"), "/queues/orders", 200);
  d.ask("putQueue", data(R"({"tll":"1h"})"), "/queues/orders", 400);
  const Answer stored = d.ask("enqueueEvent", event, "/queues/orders/events?priority=1&group=g", 201);
  d.ask("enqueueEvent", event, "/queues/orders/events?priority=10", 400);
  d.ask("enqueueBatch", data(R"([{"data":"a"},{"data_base64":"/w=="}])"), "/queues/orders/batch", 201);
  d.ask("enqueueBatch", data(R"([{"date":"a"}])"), "/queues/orders/batch", 400);
  d.ask("getFront", "", "/queues/orders/front", 200);
  d.ask("getFront", "-H 'Accept: application/cloudevents+json'", "/queues/orders/front", 200);
  d.ask("getFront", "-H 'Accept: application/cloudevents-batch+json'", "/queues/orders/front", 200);
  d.ask("getFront", "", "/queues/none/front", 204);
  d.ask("getFront", "", "/queues/orders/front?wait=2m", 400);
  d.ask("listEvents", "", "/queues/orders/events?state=ready", 200);
  CHECK(has(d.ask("listEvents", "", "/queues/orders/events?limit=1", 200).header("link"), "next"));
  d.ask("listEvents", "", "/queues/none/events", 404);
  d.ask("getQueuedEvent", "", stored.header("location"), 200);
  d.ask("getQueuedEvent", "", "/queues/orders/events/9007199254740991", 404);
  d.ask("streamQueue", "--max-time 1", "/queues/orders/stream", 200);
  d.ask("streamQueue", "", "/queues/none/stream", 404);

  const auto receive = [&](const std::string& query) {
    const Answer one = d.ask("receiveEvents", "", "/queues/orders/receive" + query, 200);
    return std::pair{"/queues/orders/events/" + one.header("wormhole-event-id"), one.header("wormhole-receipt")};
  };
  auto [at, receipt] = receive("");
  d.ask("extendEvent", "", at + "/extend?receipt=" + receipt + "&visibility_timeout=1m", 200);
  d.ask("extendEvent", "", at + "/extend?receipt=none", 400);
  d.ask("releaseEvent", "", at + "/release?receipt=" + receipt + "&delay=0s", 204);
  d.ask("releaseEvent", "", at + "/release?receipt=" + receipt, 409);
  d.ask("acknowledgeEvent", "", at + "?receipt=" + receipt, 409);
  d.ask("acknowledgeEvent", "", at, 400);
  std::tie(at, receipt) = receive("?visibility_timeout=30s");
  d.ask("buryEvent", "", at + "/bury?receipt=" + receipt + "&reason=bad", 204);
  d.ask("buryEvent", "", at + "/bury?receipt=" + receipt, 409);
  d.ask("getQueuedEvent", "", "/queues/orders.dead" + at.substr(14), 200);
  d.ask("redriveQueue", "", "/queues/orders/redrive?from=orders.dead", 200);
  d.ask("redriveQueue", "", "/queues/orders/redrive?from=none", 404);
  std::tie(at, receipt) = receive("");
  d.ask("acknowledgeEvent", "", at + "?receipt=" + receipt, 204);
  const Answer many = d.ask("receiveEvents", "-H 'Accept: application/json'", "/queues/orders/receive?max=1", 200);
  d.ask("receiveEvents", "-H 'Accept: application/cloudevents-batch+json'", "/queues/orders/receive?max=10", 200);
  d.ask("receiveEvents", "", "/queues/orders/receive?max=0", 400);
  d.ask("receiveEvents", "", "/queues/none/receive", 204);
  const std::string receipts = R"([{"id":)" + json_field(many.body, "id") + R"(,"receipt":")" +
                               json_field(many.body, "receipt") + R"("},{"id":1,"receipt":"none"}])";
  for (const char* verb : {"extend", "release", "ack"}) {
    const std::string id = *verb == 'e' ? "extendEvents" : *verb == 'r' ? "releaseEvents" : "acknowledgeEvents";
    d.ask(id, data(receipts), "/queues/orders/" + std::string(verb), 200);
    d.ask(id, data(receipts), "/queues/none/" + std::string(verb), 404);
    d.ask(id, data("[]"), "/queues/orders/" + std::string(verb), 400);
  }
  d.ask("enqueueEvent", event, "/queues/orders/events", 201);
  d.ask("deleteFront", "-H 'If-Match: \"1\"'", "/queues/orders/front", 412);
  d.ask("deleteFront", "-H 'Prefer: return=representation'", "/queues/orders/front", 200);
  d.ask("deleteFront", "", "/queues/none/front", 204);

  d.ask("getQueue", "", "/queues/orders", 200);
  d.ask("getQueue", "", "/queues/none", 404);
  d.ask("listQueues", "", "/queues", 200);
  CHECK(has(d.ask("listQueues", "", "/queues?limit=1", 200).header("link"), "next"));
  d.ask("listQueues", "", "/queues?limit=x", 400);
  d.ask("pauseQueue", "", "/queues/orders/pause?direction=in", 200);
  d.ask("enqueueEvent", event, "/queues/orders/events", 429);
  d.ask("pauseQueue", "", "/queues/none/pause", 404);
  d.ask("resumeQueue", "", "/queues/orders/resume", 200);
  d.ask("resumeQueue", "", "/queues/orders/resume?direction=up", 400);
  d.ask("bindQueue", data(R"({"filter":{"type":"order.*"}})"), "/topics/t/queues/orders", 201);
  d.ask("bindQueue", "", "/topics/t/queues/orders", 204);
  d.ask("bindQueue", data(R"({"fitler":{}})"), "/topics/t/queues/orders", 400);
  d.ask("publishEvent", event, "/topics/t/events", 201);
  d.ask("publishEvent", event, "/topics/none/events", 404);
  d.ask("getTopic", "", "/topics/t", 200);
  d.ask("getTopic", "", "/topics/none", 404);
  d.ask("listTopics", "", "/topics", 200);
  d.ask("listTopics", "", "/topics?limit=x", 400);
  d.ask("unbindQueue", "", "/topics/t/queues/orders", 204);
  d.ask("unbindQueue", "", "/topics/t/queues/orders", 404);
  d.ask("removeEvents", data(R"([{"id":1}])"), "/queues/orders/remove", 200);
  d.ask("removeEvents", data(R"([{"id":1}])"), "/queues/none/remove", 404);
  d.ask("removeEvents", data(R"([{"id":"1"}])"), "/queues/orders/remove", 400);
  d.ask("purgeQueue", "", "/queues/orders/purge", 200);
  d.ask("purgeQueue", "", "/queues/none/purge", 404);
  d.ask("putQueue", data(R"({"dead_letter_queue":"orders.dead"})"), "/queues/orders", 200);
  d.ask("deleteQueue", "", "/queues/orders.dead", 409);
  d.ask("deleteQueue", "", "/queues/orders", 204);
  d.ask("deleteQueue", "", "/queues/orders", 404);
}

void check_cluster(Described& d) {
  d.ask("getCluster", "", "/cluster", 200);
  d.ask("getCluster", "", "/cluster?x=1", 400);
  d.ask("getClusterSettings", "", "/cluster/settings", 200);
  d.ask("getClusterSettings", "", "/cluster/settings?x=1", 400);
  d.ask("putClusterSettings", data(R"({"dedup_window":"1h"})"), "/cluster/settings", 200);
  d.ask("putClusterSettings", data(R"({"dedup_widnow":"1h"})"), "/cluster/settings", 400);
  d.ask("streamCluster", "--max-time 1", "/cluster/events", 200);
  d.ask("streamCluster", "", "/cluster/events?x=1", 400);
  d.ask("transferLeadership", data(R"({"id":"none"})"), "/cluster/transfer", 404);
  d.ask("transferLeadership", data(R"({"id":"api"})"), "/cluster/transfer", 200);
  Server other(d.node.dir, "other");
  other.start_ready();
  const std::string port = std::to_string(other.raft_port);
  d.ask("join", "-d nodeId=other -d raftPort=" + port + " -d host=127.0.0.1", "/join", 200);
  d.ask("join", "-d nodeId=other", "/join", 400);
  d.ask("joinByGet", "", "/join?nodeId=other&host=127.0.0.1&raftPort=" + port, 200);
  d.ask("joinByGet", "", "/join?nodeId=third&host=127.0.0.1&raftPort=" + port, 409);
  d.ask("addMember", data(R"({"id":"other","raft_address":"127.0.0.1:)" + port + R"("})"), "/cluster/members", 200);
  d.ask("addMember", data(R"({"id":"third","raft_address":"127.0.0.1:)" + port + R"("})"), "/cluster/members", 409);
  d.ask("getCluster", "", "/cluster", 200);
  d.ask("removeMember", "", "/cluster/members/none", 404);
  d.ask("removeMember", "", "/cluster/members/other", 200);
}

void check_node(Described& d) {
  d.ask("getBackup", "-o /dev/null", "/backup", 200);
  d.ask("getBackup", "", "/backup?x=1", 400);
  d.ask("getDescription", "", "/openapi.json", 200);
  d.ask("getDescription", kNoType, "/openapi.json", 400);
  d.ask("getHistory", "", "/node/history?last=1", 200);
  d.ask("getHistory", "", "/node/history?last=0", 400);
  d.ask("getMessages", "", "/node/messages?level=warning", 200);
  d.ask("getMessages", "", "/node/messages?level=debug", 400);
  d.ask("getPaths", "-H 'Accept: text/html'", "/", 302);
  for (const auto& [id, path] :
       {std::pair{"getMetrics", "/metrics"}, std::pair{"askAlive", "/healthz"}, std::pair{"askReady", "/readyz"},
        std::pair{"getPaths", "/"}, std::pair{"getPage", "/ui"}}) {
    d.ask(id, "", path, 200);
    d.ask(id, "-H 'Expect: wonders'", path, 417);
    d.ask(id, "-H 'Long: " + std::string(70'000, 'x') + "'", path, 431);
  }
}

}  // namespace

TEST_CASE("each operation of the document is carried out and refused, and each answer is as the document says") {
  Described d;
  REQUIRE(d.operations.size() > 60);
  check_events(d);
  check_older_paths(d);
  check_store(d);
  check_queues(d);
  check_cluster(d);
  check_node(d);
  for (const auto& [id, operation] : d.operations) {
    CAPTURE(id);
    const std::set<int>& seen = d.seen[id];
    CHECK(std::any_of(seen.begin(), seen.end(), [](int status) { return status < 300; }));
    CHECK(std::any_of(seen.begin(), seen.end(), [](int status) { return status >= 400; }));
  }

  // What the server counted was described too.
  std::map<std::pair<std::string, std::string>, const Json*> responses;
  for (const auto& [id, operation] : d.operations)
    responses[{operation.path, operation.method}] = &operation.described.at("responses");
  const std::string metrics = d.node.ask("", "/metrics").body;
  const std::regex row("wormhole_http_requests_total\\{route=\"([^\"]*)\",method=\"([^\"]*)\",code=\"([0-9]*)\"\\}");
  size_t rows = 0;
  for (std::sregex_iterator at(metrics.begin(), metrics.end(), row); at != std::sregex_iterator(); ++at) {
    const std::string path = std::regex_replace((*at)[1].str(), std::regex("\\.\\.\\."), "");
    if (path == "none") continue;
    ++rows;
    CAPTURE(at->str());
    const auto found = responses.find({path, (*at)[2].str()});
    REQUIRE(found != responses.end());
    CHECK(found->second->find((*at)[3].str()) != nullptr);
  }
  CHECK(rows > 120);
}

TEST_CASE("the document needs the password where one is set, and comes on any node, with or without a leader") {
  const TempDir dir;
  Server alone(dir, "alone");
  alone.more = {"--join", "127.0.0.1:1", "--requirepass", "secret"};
  alone.start();
  REQUIRE(eventually([&] { return alone.get("/healthz").status == 200; }));
  CHECK(alone.get("/openapi.json").status == 401);
  CHECK(alone.get("/openapi.json").header("www-authenticate") != "");
  const Answer shown = curl(dir, "-u any:secret " + alone.url("/openapi.json"));
  CHECK(shown.status == 200);
  CHECK(read_json(shown.body).at("openapi").text == "3.1.0");
  CHECK(curl(dir, "-H 'Authorization: Bearer secret' " + alone.url("/openapi.json")).body == shown.body);
}
