// Queues and topics over HTTP, on three real nodes: each path once through the leader and once through a follower, and
// what has broken other queues.
#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

struct Cluster : ThreeNodes {
  Server& leader = await_leader(all);
  Server& follower = *others(all, leader)[0];

  Answer ask(const Server& server, const std::string& arguments, const std::string& path) const {
    return curl(dir, arguments + " '" + server.url(path) + "'");
  }
  // Asks, and checks the status; no answer of these paths is a redirect.
  Answer expect(int status, const Server& server, const std::string& arguments, const std::string& path) const {
    const Answer answer = ask(server, arguments, path);
    CAPTURE(server.name);
    CAPTURE(arguments);
    CAPTURE(path);
    CAPTURE(answer.body);
    CHECK(answer.status == status);
    CHECK(!answer.header("wormhole-index").empty() == (status != 400));
    if (status >= 400) CHECK(answer.body.starts_with("{\"error\": \""));
    return answer;
  }
  Answer post(const Server& server, const std::string& path, const std::string& body = {}) const {
    return ask(server, body.empty() ? "-X POST" : "-H 'Content-Type: text/plain' -d '" + body + "'", path);
  }
};

std::string json(const std::string& body) { return "-H 'Content-Type: application/json' -d '" + body + "'"; }

// The values of all members of that name, in order.
std::vector<std::string> fields(std::string text, const std::string& name) {
  std::vector<std::string> found;
  const std::string key = "\"" + name + "\":";
  for (size_t at = text.find(key); at != std::string::npos; at = text.find(key)) {
    text.erase(0, at);
    found.push_back(json_field(text, name));
    text.erase(0, key.size());
  }
  return found;
}

std::string receipt_of(const Answer& received) { return received.header("wormhole-receipt"); }

std::string event_of(const std::string& queue, const Answer& received) {
  return "/queues/" + queue + "/events/" + received.header("wormhole-event-id");
}

}  // namespace

TEST_CASE("each path of queues, through the leader and through a follower") {
  Cluster c;
  for (const Server* server : {&c.leader, &c.follower}) {
    const Server& s = *server;
    const std::string q = "/queues/orders-" + s.name;
    // Stored, looked at, removed.
    const Answer put = c.expect(201, s, "-H 'Content-Type: image/png' -H 'Wormhole-Attribute-k: v w' -d one",
                                q + "/events?priority=0&group=g&ttl=1h");
    const std::string id = put.header("wormhole-event-id");
    CHECK(put.header("location") == q + "/events/" + id);
    CHECK(put.body.empty());
    const Answer batch =
        c.expect(201, s, json(R"([{"data":"two"},{"data_base64":"AP8=","priority":9}])"), q + "/batch");
    CHECK(fields(batch.body, "ids").size() == 1);
    const Answer front = c.expect(200, s, "", q + "/front");
    CHECK(front.body == "one");
    CHECK(front.header("content-type") == "image/png");
    CHECK(front.header("etag") == "\"" + id + "\"");
    CHECK(front.header("wormhole-event-id") == id);
    CHECK(front.header("wormhole-attribute-k") == "v%20w");
    CHECK(front.header("wormhole-deliveries") == "0");
    CHECK(front.header("wormhole-enqueued-at").size() == 24);
    CHECK(front.header("x-content-type-options") == "nosniff");
    CHECK(c.expect(200, s, "", q + "/front?consistency=stale&min_index=" + put.header("wormhole-index")).body == "one");
    c.expect(412, s, "-X DELETE -H 'If-Match: \"1\"'", q + "/front");
    const Answer removed =
        c.expect(200, s, "-X DELETE -H 'If-Match: \"" + id + "\"' -H 'Prefer: return=representation'", q + "/front");
    CHECK(removed.body == "one");
    CHECK(removed.header("wormhole-event-id") == id);
    c.expect(412, s, "-X DELETE -H 'If-Match: \"" + id + "\"'", q + "/front");
    // Received and settled, one by one.
    const Answer two = c.expect(200, s, "-X POST", q + "/receive?visibility_timeout=1m");
    CHECK(two.body == "two");
    CHECK(two.header("wormhole-deliveries") == "1");
    const std::string event = event_of("orders-" + s.name, two);
    const std::string receipt = "?receipt=" + receipt_of(two);
    CHECK(json_field(c.expect(200, s, "-X POST", event + "/extend" + receipt + "&visibility_timeout=5m").body,
                     "visible_at")
              .size() == 24);
    c.expect(204, s, "-X POST", event + "/release" + receipt + "&delay=0");
    c.expect(409, s, "-X POST", event + "/release" + receipt);
    const Answer again = c.expect(200, s, "-X POST", q + "/receive");
    CHECK(again.header("wormhole-deliveries") == "2");
    c.expect(204, s, "-X POST", event + "/bury?reason=bad&receipt=" + receipt_of(again));
    const Answer dead =
        c.expect(200, s, "", "/queues/orders-" + s.name + ".dead/events/" + two.header("wormhole-event-id"));
    CHECK(json_field(dead.body, "reason") == "bad");
    CHECK(json_field(dead.body, "source_queue") == "orders-" + s.name);
    CHECK(c.expect(200, s, "-X POST", q + "/redrive?from=orders-" + s.name + ".dead&max=5").body == "{\"moved\":1}\n");
    // Many at once.
    const Answer many = c.expect(200, s, "-X POST -H 'Accept: application/json'", q + "/receive?max=10");
    const std::vector<std::string> ids = fields(many.body, "id");
    const std::vector<std::string> receipts = fields(many.body, "receipt");
    REQUIRE(ids.size() == 2);
    REQUIRE(receipts.size() == 2);
    CHECK(has(many.body, "\"data_base64\":\"AP8=\""));
    const auto item = [&](size_t i) { return "{\"id\":" + ids[i] + ",\"receipt\":\"" + receipts[i] + "\"}"; };
    CHECK(c.expect(200, s, json("[" + item(0) + "]"), q + "/extend?visibility_timeout=1m").body ==
          "[{\"id\":" + ids[0] + ",\"outcome\":\"extended\"}]\n");
    CHECK(fields(c.expect(200, s, json("[" + item(1) + "]"), q + "/release?delay=1h").body, "outcome")[0] ==
          "released");
    const Answer acked = c.expect(200, s, json("[" + item(0) + "," + item(1) + "]"), q + "/ack");
    CHECK(fields(acked.body, "outcome") == std::vector<std::string>{"acknowledged", "stale"});
    CHECK(acked.header("wormhole-failed") == "1");
    // Lists and counts.
    const Answer list = c.expect(200, s, "", q + "/events?state=delayed&limit=1");
    CHECK(fields(list.body, "id") == std::vector<std::string>{ids[1]});
    const Answer shown = c.expect(200, s, "", q);
    for (const auto& [name, value] :
         std::vector<std::pair<std::string, std::string>>{{"name", "orders-" + s.name},
                                                          {"ready", "0"},
                                                          {"delayed", "1"},
                                                          {"reserved", "0"},
                                                          {"acknowledged_total", "2"},
                                                          {"redelivered_total", "1"},
                                                          {"dead_lettered_total", "1"},
                                                          {"waiting", server == &c.leader ? "0" : "null"},
                                                          {"paused", ""},
                                                          {"visibility_timeout", "30s"}}) {
      CAPTURE(name);
      CHECK(json_field(shown.body, name) == value);
    }
    CHECK(fields(c.expect(200, s, "", "/queues?prefix=orders-" + s.name).body, "name") ==
          std::vector<std::string>{"orders-" + s.name, "orders-" + s.name + ".dead"});
    CHECK(c.expect(200, s, "", "/queues?limit=1").header("link").ends_with(">; rel=\"next\""));
    // Removed by id.
    const std::string more = c.expect(201, s, "-d more", q + "/events").header("wormhole-event-id");
    CHECK(c.expect(200, s, "-X POST", q + "/receive").header("wormhole-event-id") == more);
    const std::string three = c.expect(201, s, "-d three", q + "/events").header("wormhole-event-id");
    const Answer gone =
        c.expect(200, s, json("[{\"id\":" + three + "},{\"id\":" + more + "},{\"id\":" + ids[0] + "}]"), q + "/remove");
    CHECK(fields(gone.body, "id") == std::vector<std::string>{three, more, ids[0]});
    CHECK(fields(gone.body, "outcome") == std::vector<std::string>{"removed", "reserved", "gone"});
    CHECK(gone.header("wormhole-failed") == "2");
    c.expect(400, s, json("[]"), q + "/remove");
    c.expect(404, s, json(R"([{"id":1}])"), q + "-none/remove");
    // Settings, pauses, purge, deletion.
    CHECK(json_field(c.expect(200, s, "-X PUT " + json(R"({"max_length":1,"backoff":["1s"]})"), q).body,
                     "max_length") == "1");
    const Answer full = c.expect(429, s, "-d x", q + "/events");
    CHECK(full.header("retry-after") == "1");
    CHECK(full.header("wormhole-outcome") == "not-applied");
    c.expect(400, s, "-X PUT " + json(R"({"max_lenght":1})"), q);
    c.expect(200, s, "-X POST", q + "/pause?direction=in");
    CHECK(json_field(c.expect(200, s, "", q).body, "paused") == "in");
    c.expect(429, s, "-d x", q + "/events");
    c.expect(200, s, "-X POST", q + "/resume");
    CHECK(c.expect(200, s, "-X POST", q + "/purge").body == "{\"removed\":2}\n");
    c.expect(204, s, "", q + "/front");
    c.expect(204, s, "-X POST", q + "/receive");
    c.expect(204, s, "-X DELETE", q + "/front");
    c.expect(204, s, "-X DELETE", q);
    c.expect(404, s, "", q);
    c.expect(404, s, "-X DELETE", q);
    c.expect(404, s, "", q + "/events");
    c.expect(404, s, "-X DELETE", event + receipt);
    c.expect(400, s, "-X DELETE", event + "?receipt=1-1");
  }
}

TEST_CASE("each path of topics, through the leader and through a follower") {
  Cluster c;
  for (const Server* server : {&c.leader, &c.follower}) {
    const Server& s = *server;
    const std::string t = "/topics/news-" + s.name;
    c.expect(404, s, "-d x", t + "/events");
    c.expect(201, s, "-X PUT " + json(R"({"filter":{"type":"order.*"}})"), t + "/queues/a-" + s.name);
    c.expect(201, s, "-X PUT", t + "/queues/b-" + s.name);
    c.expect(204, s, "-X PUT", t + "/queues/b-" + s.name);
    CHECK(c.expect(201, s, "-H 'Wormhole-Attribute-type: order.new' -d x", t + "/events").header("wormhole-queues") ==
          "2");
    CHECK(c.expect(201, s, "-d y", t + "/events").header("wormhole-queues") == "1");
    CHECK(fields(c.expect(200, s, "", t).body, "name").size() == 3);
    CHECK(has(c.expect(200, s, "", "/topics").body, "news-" + s.name));
    CHECK(json_field(c.expect(200, s, "", "/queues/b-" + s.name).body, "ready") == "2");
    c.expect(200, s, "-X POST", "/queues/a-" + s.name + "/pause?direction=in");
    c.expect(429, s, "-H 'Wormhole-Attribute-type: order.new' -d z", t + "/events");
    CHECK(json_field(c.expect(200, s, "", "/queues/b-" + s.name).body, "ready") == "2");
    c.expect(204, s, "-X DELETE", t + "/queues/a-" + s.name);
    c.expect(404, s, "-X DELETE", t + "/queues/a-" + s.name);
    c.expect(204, s, "-X DELETE", t + "/queues/b-" + s.name);
    c.expect(404, s, "", t);
  }
}

// Q1.
TEST_CASE("a late acknowledgement removes nothing that another holds") {
  Cluster c;
  CHECK(c.post(c.leader, "/queues/q/events", "work").status == 201);
  const Answer slow = c.post(c.follower, "/queues/q/receive?visibility_timeout=1s");
  REQUIRE(slow.status == 200);
  Answer next;
  CHECK(eventually([&] { return (next = c.post(c.leader, "/queues/q/receive?visibility_timeout=5m")).status == 200; }));
  CHECK(next.header("wormhole-event-id") == slow.header("wormhole-event-id"));
  CHECK(receipt_of(next) != receipt_of(slow));
  const std::string event = event_of("q", slow);
  const std::string late = "?receipt=" + receipt_of(slow);
  for (const Server* server : {&c.leader, &c.follower}) {
    c.expect(409, *server, "-X DELETE", event + late);
    for (const char* verb : {"/extend", "/release", "/bury"}) c.expect(409, *server, "-X POST", event + verb + late);
    const Answer acked =
        c.expect(200, *server,
                 json("[{\"id\":" + slow.header("wormhole-event-id") + ",\"receipt\":\"" + receipt_of(slow) + "\"}]"),
                 "/queues/q/ack");
    CHECK(fields(acked.body, "outcome") == std::vector<std::string>{"stale"});
  }
  CHECK(json_field(c.leader.get("/queues/q").body, "reserved") == "1");
  c.expect(204, c.follower, "-X DELETE", event + "?receipt=" + receipt_of(next));
  c.expect(204, c.leader, "-X DELETE", event + "?receipt=" + receipt_of(next));
  c.expect(409, c.leader, "-X POST", event + "/extend?receipt=" + receipt_of(next));
  // After its time, as long as nobody else got it, an acknowledgement still counts.
  CHECK(c.post(c.leader, "/queues/q/events", "more").status == 201);
  const Answer held = c.post(c.leader, "/queues/q/receive?visibility_timeout=1s");
  CHECK(eventually([&] { return json_field(c.leader.get("/queues/q").body, "ready") == "1"; }));
  c.expect(409, c.leader, "-X POST", event_of("q", held) + "/extend?receipt=" + receipt_of(held));
  c.expect(204, c.leader, "-X DELETE", event_of("q", held) + "?receipt=" + receipt_of(held));
  CHECK(json_field(c.leader.get("/queues/q").body, "ready") == "0");
}

// Q7.
TEST_CASE("a batch of acknowledgements says what became of each, in order") {
  Cluster c;
  for (const char* event : {"a", "b", "c"}) CHECK(c.post(c.leader, "/queues/q/events", event).status == 201);
  const Answer all = c.ask(c.follower, "-X POST", "/queues/q/receive?max=3");
  const std::vector<std::string> ids = fields(all.body, "id");
  const std::vector<std::string> receipts = fields(all.body, "receipt");
  REQUIRE(ids.size() == 3);
  const auto item = [](const std::string& id, const std::string& receipt) {
    return "{\"id\":" + id + ",\"receipt\":\"" + receipt + "\"}";
  };
  c.expect(204, c.leader, "-X DELETE", "/queues/q/events/" + ids[1] + "?receipt=" + receipts[1]);
  const Answer acked = c.expect(200, c.follower,
                                json("[" + item(ids[2], ids[2] + "-1.00000000") + "," + item(ids[0], receipts[0]) +
                                     "," + item(ids[1], receipts[1]) + "," + item(ids[2], receipts[0]) + "]"),
                                "/queues/q/ack");
  CHECK(fields(acked.body, "id") == std::vector<std::string>{ids[2], ids[0], ids[1], ids[2]});
  CHECK(fields(acked.body, "outcome") == std::vector<std::string>{"invalid", "acknowledged", "gone", "invalid"});
  CHECK(acked.header("wormhole-failed") == "3");
  // Enqueueing is all or nothing.
  c.expect(400, c.follower, json(R"([{"data":"x"},{"data":"y","priority":10}])"), "/queues/q/batch");
  CHECK(json_field(c.leader.get("/queues/q").body, "enqueued_total") == "3");
}

// Q10, Q12.
TEST_CASE("a worker that dies of one event takes no other along, and the dead letter is in one place") {
  Cluster c;
  CHECK(c.ask(c.leader, "-X PUT " + json(R"({"max_deliveries":3,"visibility_timeout":"1s"})"), "/queues/q").status ==
        200);
  // The dead letter queue is full and paused: what dies comes there all the same.
  CHECK(c.ask(c.leader, "-X PUT " + json(R"({"max_length":1})"), "/queues/q.dead").status == 200);
  CHECK(c.post(c.leader, "/queues/q.dead/events", "there").status == 201);
  CHECK(c.post(c.leader, "/queues/q.dead/pause?direction=in").status == 200);
  std::string batch;
  for (int i = 0; i < 20; ++i) {
    if (i > 0) batch += ",";
    batch += i == 7 ? R"({"data":"poison","attributes":{"k":"v"}})" : R"({"data":"good"})";
  }
  CHECK(c.ask(c.follower, json("[" + batch + "]"), "/queues/q/batch").status == 201);
  size_t acknowledged = 0;
  CHECK(eventually([&] {
    const Answer got = c.ask(c.follower, "-X POST", "/queues/q/receive?max=100");
    if (got.status != 200) return acknowledged == 19 && json_field(c.leader.get("/queues/q").body, "reserved") == "0";
    if (has(got.body, "poison")) return false;  // it dies with all that it holds
    std::string done;
    const std::vector<std::string> ids = fields(got.body, "id");
    const std::vector<std::string> receipts = fields(got.body, "receipt");
    for (size_t i = 0; i < ids.size(); ++i)
      done += (i == 0 ? "" : ",") + ("{\"id\":" + ids[i] + ",\"receipt\":\"" + receipts[i] + "\"}");
    const Answer acked = c.ask(c.leader, json("[" + done + "]"), "/queues/q/ack");
    acknowledged += count_of(acked.body, "\"acknowledged\"");
    return false;
  }));
  CHECK(acknowledged == 19);
  for (const Server* server : c.all) {
    const Answer dead = server->get("/queues/q.dead/events");
    CHECK(fields(dead.body, "data") == std::vector<std::string>{"there", "poison"});
    CHECK(fields(dead.body, "deliveries") == std::vector<std::string>{"0", "3"});
    CHECK(has(dead.body, R"("attributes":{"k":"v"})"));
    CHECK(json_field(server->get("/queues/q").body, "dead_lettered_total") == "1");
    CHECK(server->get("/queues/q/events").body == "[]\n");
  }
}

// Q36.
TEST_CASE("reads of any name, and receives that find nothing, change nothing") {
  Cluster c;
  CHECK(c.post(c.leader, "/queues/q/events", "e").status == 201);
  const std::string before = c.leader.get("/queues").body;
  std::string urls;
  for (int i = 0; i < 300; ++i)
    urls += "url = \"" + c.follower.url("/queues/n" + std::to_string(i) + "/front") + "\"\n";
  for (int i = 0; i < 100; ++i)
    urls += "url = \"" + c.follower.url("/queues/q/events?limit=" + std::to_string(i + 1)) + "\"\n";
  CHECK(sh(c.dir, "curl -sS -o /dev/null -K " + c.dir.write("urls", urls)).status == 0);
  for (int i = 0; i < 30; ++i) CHECK(c.post(c.follower, "/queues/n" + std::to_string(i) + "/receive").status == 204);
  const std::string after = c.leader.get("/queues").body;
  CHECK(fields(after, "name") == std::vector<std::string>{"q"});
  for (const char* name : {"ready", "reserved", "delayed", "enqueued_total", "redelivered_total"})
    CHECK(json_field(after, name) == json_field(before, name));
}

// Q40.
TEST_CASE("no attribute ends a header, and an event at the limit can be received") {
  Cluster c;
  for (const char* bad :
       {R"([{"data":"x","attributes":{"a":"v\r\nSet-Cookie: x"}}])", R"([{"data":"x","content_type":"a/b\r\nX: y"}])",
        R"([{"data":"x","attributes":{"a\n":"v"}}])", R"([{"data":"x","attributes":{"a":"\u0000"}}])"})
    c.expect(400, c.follower, json(bad), "/queues/q/batch");
  // As long as it may be once encoded: 2 + 2,730 x 3 = 8,192 bytes.
  std::string spaces(2'730, ' ');
  c.expect(201, c.follower, json("[{\"data\":\"x\",\"attributes\":{\"ab\":\"" + spaces + "\"}}]"), "/queues/q/batch");
  c.expect(400, c.follower, json("[{\"data\":\"x\",\"attributes\":{\"abc\":\"" + spaces + "\"}}]"), "/queues/q/batch");
  const Answer got = c.expect(200, c.follower, "-X POST", "/queues/q/receive");
  CHECK(got.header("wormhole-attribute-ab").size() == 8'190);
  CHECK(got.body == "x");
  // Sixty-four of them.
  std::string many;
  for (int i = 0; i < 64; ++i) many += " -H 'Wormhole-Attribute-n" + std::to_string(i) + ": v'";
  c.expect(201, c.follower, many + " -d x", "/queues/q/events");
  c.expect(400, c.follower, many + " -H 'Wormhole-Attribute-n64: v' -d x", "/queues/q/events");
  CHECK(c.expect(200, c.leader, "", "/queues/q/front").header("wormhole-attribute-n63") == "v");
}

// Q42, and the specification's examples.
TEST_CASE("a CloudEvent in any mode, from any node, never a redirect, and once") {
  Cluster c;
  const std::string binary =
      "-H 'ce-specversion: 1.0' -H 'ce-type: com.example.someevent' -H 'ce-time: 2018-04-05T03:56:24Z' "
      "-H 'ce-id: 1234-1234-1234' -H 'ce-source: /mycontext/subcontext' -H 'Content-Type: application/json' "
      "-d '{\"a\": 1}'";
  const std::string structured =
      "-H 'Content-Type: Application/CloudEvents+json; charset=utf-8' -H 'ce-type: ignored' -d '"
      R"({"specversion":"1.0","type":"com.example.someevent","time":"2018-04-05T03:56:24Z","id":"1234-1234-1234",)"
      R"("source":"/mycontext/subcontext","datacontenttype":"application/json","data":{"a": 1}})"
      "'";
  for (const char* path : {"/event", "/queues/event/events"}) {
    for (const Server* server : {&c.follower, &c.leader}) {
      const Answer first = c.expect(201, *server, binary, path);
      CHECK(first.body.empty());
      const Answer again = c.expect(201, *server, structured, path);
      CHECK(again.header("wormhole-event-id") == first.header("wormhole-event-id"));
      CHECK(again.header("idempotency-replayed") == "true");
    }
  }
  CHECK(c.leader.redis("LLEN event") == "1");
  // A form goes on as before: to the leader.
  CHECK(c.ask(c.follower, "-d event=e", "/event").status == 307);
  CHECK(c.ask(c.leader, "-H 'Content-Type: application/octet-stream' -d raw", "/event").status == 201);
  CHECK(c.leader.redis("LLEN event") == "2");
  const Answer front = c.expect(200, c.follower, "", "/queues/event/front");
  CHECK(front.body == "{\"a\": 1}");
  CHECK(front.header("ce-type") == "com.example.someevent");
  CHECK(front.header("ce-source") == "/mycontext/subcontext");
  CHECK(front.header("content-type") == "application/json");
  const Answer whole = c.expect(200, c.follower, "-H 'Accept: application/cloudevents+json'", "/queues/event/front");
  CHECK(whole.header("content-type") == "application/cloudevents+json");
  CHECK(has(whole.body, "\"data\":{\"a\": 1}"));
  const Answer held =
      c.expect(200, c.leader, "-X POST -H 'Accept: application/cloudevents+json'", "/queues/event/receive");
  CHECK(held.body == whole.body);
  CHECK(!receipt_of(held).empty());
  for (const auto& [arguments, named] : std::vector<std::pair<std::string, std::string>>{
           {"-H 'ce-id: 1' -d x", "specversion"},
           {"-H 'Content-Type: application/cloudevents+json' -d '[]'", "one JSON object"},
           {"-H 'Content-Type: application/cloudevents+json' -d '{\"id\":\"1\"}'", "specversion"},
           {"-H 'Content-Type: application/cloudevents-batch+json' -d '{}'", "JSON array"},
           {"-H 'Content-Type: application/cloudevents-batch+json' -d "
            "'[{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"},{}]'",
            "event 1"},
           {"-H 'Content-Type: application/cloudevents+json' -d "
            "'{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":1,\"data_base64\":\"\"}'",
            "not both"}})
    CHECK(has(c.expect(400, c.follower, arguments, "/event").body, named));
  CHECK(c.leader.redis("LLEN event") == "1");
}

TEST_CASE("a key of one's own: the first answer, on any node, after a failover") {
  Cluster c;
  const std::string put = "-H 'Idempotency-Key: k' -H 'Content-Type: text/plain' -d work";
  const Answer first = c.expect(201, c.leader, put, "/queues/q/events");
  const std::string receive = "-X POST -H 'Idempotency-Key: r'";
  const Answer got = c.expect(200, c.follower, receive, "/queues/q/receive?visibility_timeout=5m");
  CHECK(c.leader.kill() == 137);
  const Servers rest = others(c.all, c.leader);
  await_leader(rest);
  for (const Server* server : rest) {
    const Answer again = c.expect(201, *server, put, "/queues/q/events");
    CHECK(again.header("idempotency-replayed") == "true");
    for (const char* name : {"wormhole-event-id", "location", "wormhole-index"})
      CHECK(again.header(name) == first.header(name));
    const Answer held = c.expect(200, *server, receive, "/queues/q/receive?visibility_timeout=5m");
    CHECK(held.body == "work");
    CHECK(receipt_of(held) == receipt_of(got));
    CHECK(held.header("idempotency-replayed") == "true");
  }
  c.expect(204, *rest[0], "-X DELETE", event_of("q", got) + "?receipt=" + receipt_of(got));
  c.expect(204, *rest[1], receive, "/queues/q/receive?visibility_timeout=5m");
}

TEST_CASE("HAZARDS Q31: a queue's limits are the cluster's, whatever each node's own directives say") {
  Cluster c;
  CHECK(c.leader.redis("CONFIG SET maxmemory 1gb") == "OK");
  CHECK(c.follower.redis("CONFIG SET http-max-body 10kb") == "OK");
  CHECK(c.follower.redis("CONFIG SET maxmemory 1mb") == "OK");
  c.expect(200, c.leader, "-X PUT " + json(R"({"max_length":5,"max_bytes":"3000"})"), "/queues/refusing");
  c.expect(200, c.leader, "-X PUT " + json(R"({"max_length":5,"overflow":"drop_oldest"})"), "/queues/dropping");
  REQUIRE(c.follower.signal(SIGSTOP));
  for (int i = 0; i < 8; ++i) {
    CHECK(c.post(c.leader, "/queues/refusing/events", "e").status == (i < 5 ? 201 : 429));
    CHECK(c.post(c.leader, "/queues/dropping/events", "e").status == 201);
  }
  REQUIRE(c.follower.signal(SIGCONT));
  // It catches up, and has refused and dropped just what the others did.
  CHECK(eventually([&] {
    const std::string digest = c.leader.info("state_digest");
    return std::all_of(c.all.begin(), c.all.end(), [&](Server* one) { return one->info("state_digest") == digest; });
  }));
  for (const Server* server : c.all) {
    const std::string of = server->get("/queues/dropping?consistency=stale").body;
    CHECK(json_field(of, "ready") == "5");
    CHECK(json_field(of, "dropped_total") == "3");
    CHECK(json_field(server->get("/queues/refusing?consistency=stale").body, "ready") == "5");
  }
}

}  // namespace wh::testing
