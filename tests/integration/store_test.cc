// The store against real nodes: conditions, transactions over keys and queues, leases and watches, through a leader's
// death; keys of any bytes and any length.
#include <csignal>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"
#include "listener.h"

namespace wh::testing {
namespace {

Answer put(const TempDir& dir, const Server& server, const std::string& key, const std::string& value,
           const std::string& more = {}) {
  return curl(dir, "-X PUT --data-binary '" + value + "' " + more + " '" + server.url("/kv/" + key) + "'");
}

Answer txn(const Server& server, const std::string& body) { return server.post("/txn", body, "application/json"); }

// The values of one member in a stream's data, in order.
std::vector<std::string> values_in(const std::string& text, const std::string& name) {
  std::vector<std::string> found;
  for (size_t at = text.find("\ndata: "); at != std::string::npos; at = text.find("\ndata: ", at + 1))
    found.push_back(json_field(text.substr(at + 7, text.find('\n', at + 7) - at - 7), name));
  return found;
}

std::string watch_of(const std::string& prefix, const std::string& more = {}) {
  return "/kv?prefix=" + prefix + "&watch" + more;
}

}  // namespace

TEST_CASE("a key is changed only as it was expected to be, by any node, and its tag says what is there") {
  TempDir dir;
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  const Answer made = put(dir, follower, "app/config", "1", "-H 'If-None-Match: *' -H 'Content-Type: text/plain'");
  REQUIRE(made.status == 201);
  const std::string tag = made.header("etag");
  CHECK(put(dir, leader, "app/config", "2", "-H 'If-None-Match: *'").status == 412);
  const Answer shown = leader.get("/kv/app/config");
  CHECK(shown.body == "1");
  CHECK(shown.header("etag") == tag);
  CHECK(shown.header("content-type") == "text/plain");
  CHECK(shown.header("x-content-type-options") == "nosniff");
  CHECK(curl(dir, "-H 'If-None-Match: " + tag + "' " + follower.url("/kv/app/config")).status == 304);
  const Answer changed = put(dir, follower, "app/config", "2", "-H 'If-Match: " + tag + "'");
  CHECK(changed.status == 204);
  const Answer late = put(dir, leader, "app/config", "3", "-H 'If-Match: " + tag + "'");
  CHECK(late.status == 412);
  CHECK(late.header("etag") == changed.header("etag"));
  CHECK(late.header("wormhole-outcome") == "not-applied");
  CHECK(curl(dir, "-X DELETE -H 'If-Match: " + tag + "' " + leader.url("/kv/app/config")).status == 412);
  CHECK(curl(dir, "-X DELETE -H 'If-Match: " + changed.header("etag") + "' " + leader.url("/kv/app/config")).status ==
        204);
  CHECK(leader.get("/kv/app/config").status == 404);
  // The older paths are the same keys.
  CHECK(leader.get("/set?key=app/config&value=4").status == 200);
  const Answer old_path = follower.get("/get?key=app/config");
  CHECK(old_path.body == "4");
  CHECK(old_path.header("etag") == leader.get("/kv/app/config").header("etag"));
}

TEST_CASE("keys of any bytes and any length are written and read by every path, and listed page by page") {
  TempDir dir;
  Server server(dir, "keys");
  server.start_ready();
  std::string longest;
  for (int i = 0; i < 2'048; ++i) longest += "%C3%BC";
  const std::vector<std::string> keys{"a", "a/", "/a", "a//b", "%00", "%FF%FE", "%2Fx", "a%3Fb", "a+b", "%25", longest};
  for (const std::string& key : keys) {
    CAPTURE(key.substr(0, 20));
    CHECK(put(dir, server, key, "v").status == 201);
    CHECK(server.get("/kv/" + key).body == "v");
  }
  CHECK(server.get("/kv/").status == 400);
  std::string path = "/kv?limit=2&keys";
  size_t listed = 0;
  for (int pages = 0; pages < 20 && !path.empty(); ++pages) {
    const Answer page = server.get(path);
    REQUIRE(page.status == 200);
    listed += count_of(page.body, "\"create_index\"");
    CHECK_FALSE(has(page.body, "\"value\""));
    const std::string link = page.header("link");
    path = link.empty() ? std::string() : link.substr(1, link.find('>') - 1);
  }
  CHECK(path.empty());
  CHECK(listed == keys.size());
  CHECK(json_field(server.get("/kv?prefix=%FF").body, "key_base64") == "//4=");
  CHECK(curl(dir, "-X DELETE '" + server.url("/kv?prefix=a") + "'").body == "{\"deleted\":5}\n");
}

TEST_CASE("a transaction acknowledges an event, writes its result and enqueues what follows, once") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  REQUIRE(leader.post("/queues/orders/events", "order 7").status == 201);
  const Answer got = follower.post("/queues/orders/receive");
  REQUIRE(got.status == 200);
  const std::string receipt = R"("queue":"orders","id":)" + got.header("wormhole-event-id") + R"(,"receipt":")" +
                              got.header("wormhole-receipt") + "\"";
  const std::string step = R"({"success":[{"acknowledge":{)" + receipt +
                           R"(}},{"put":{"key":"orders/7","value":"paid"}},{"incr":{"key":"paid"}},)"
                           R"({"enqueue":{"queue":"parcels","data":"parcel 7"}}]})";
  const Answer done = txn(follower, step);
  CHECK(done.status == 200);
  CHECK(json_field(done.body, "succeeded") == "true");
  // Again: the receipt holds nothing any more, and nothing is done twice.
  const Answer again = txn(leader, step);
  CHECK(again.status == 409);
  CHECK(again.header("wormhole-outcome") == "not-applied");
  CHECK(leader.get("/kv/paid").body == "1");
  CHECK(leader.get("/kv/orders/7").body == "paid");
  CHECK(json_field(leader.get("/queues/parcels").body, "ready") == "1");
  CHECK(json_field(leader.get("/queues/orders").body, "reserved") == "0");
  // Under an idempotency key the answer comes again instead.
  TempDir dir;
  const std::string keyed = "-H 'Idempotency-Key: k1' -H 'Content-Type: application/json' -d '" +
                            std::string(R"({"success":[{"incr":{"key":"paid","by":41}}]})") + "' ";
  const Answer first = curl(dir, keyed + leader.url("/txn"));
  const Answer repeat = curl(dir, keyed + follower.url("/txn"));
  CHECK(first.body == repeat.body);
  CHECK(repeat.header("idempotency-replayed") == "true");
  CHECK(leader.get("/kv/paid").body == "42");
}

TEST_CASE("HAZARDS S8: who lost its lock cannot write any more, whatever it still believes") {
  TempDir dir;
  Server server(dir, "locks");
  server.start_ready();
  const auto take_lock = [&](const std::string& owner) {
    const Answer lease = server.post("/leases?ttl=5s");
    REQUIRE(lease.status == 201);
    const std::string id = json_field(lease.body, "id");
    const Answer locked =
        txn(server, R"({"compare":[{"key":"lock","exists":false}],"success":[{"put":{"key":"lock","value":")" + owner +
                        R"(","lease":)" + id + "}}]}");
    return std::pair{json_field(locked.body, "succeeded") == "true",
                     server.get("/kv/lock").header("wormhole-create-index")};
  };
  const auto write = [&](const std::string& token, const std::string& value) {
    return txn(server, R"({"compare":[{"key":"lock","create_index":)" + token +
                           R"(}],"success":[{"put":{"key":"data","value":")" + value + "\"}}]}");
  };
  const auto [first_has_it, first] = take_lock("first");
  CHECK(first_has_it);
  CHECK_FALSE(take_lock("second").first);
  CHECK(json_field(write(first, "by the first").body, "succeeded") == "true");
  // The first one is paused: it keeps nothing alive, and the second one gets the lock.
  std::string second;
  REQUIRE(eventually([&] {
    const auto [has_it, token] = take_lock("second");
    second = token;
    return has_it;
  }));
  CHECK(json_field(write(first, "late").body, "succeeded") == "false");
  CHECK(json_field(write(second, "by the second").body, "succeeded") == "true");
  CHECK(server.get("/kv/data").body == "by the second");
}

TEST_CASE("HAZARDS S1, S3: a lease outlives its leader while it is kept alive, and then ends with its keys") {
  TempDir dir;
  ThreeNodes nodes;
  Server& old_leader = await_leader(nodes.all);
  Server& other = *others(nodes.all, old_leader)[0];
  const std::string id = json_field(other.post("/leases?ttl=8s").body, "id");
  REQUIRE(curl(dir, "-X PUT --data-binary x '" + other.url("/kv/services/web/1?lease=" + id) + "'").status < 300);
  Listener listener(other, {}, 0, watch_of("services/"));
  REQUIRE(eventually([&] { return listener.sees("id: "); }));
  old_leader.kill();
  // An election or two take part of its time; who keeps it alive does not lose it.
  for (int i = 0; i < 8; ++i)
    CHECK(eventually([&] { return other.post("/leases/" + id + "/keepalive").status == 200; }, 7'000));
  CHECK(other.get("/kv/services/web/1").status == 200);
  CHECK(has(other.get("/leases/" + id).body, "\"keys\":[\"services/web/1\"]"));
  // And who does not, loses it once, everywhere.
  CHECK(eventually([&] { return listener.sees("event: expire"); }));
  CHECK(other.get("/kv/services/web/1").status == 404);
  CHECK(other.post("/leases/" + id + "/keepalive").status == 404);
  CHECK(count_of(listener.text(), "event: expire") == 1);
}

TEST_CASE("HAZARDS W7: a long poll is answered when its key changes, is deleted or made, and by nothing else") {
  TempDir dir;
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& other = *others(nodes.all, leader)[0];
  REQUIRE(put(dir, leader, "k", "1").status == 201);
  const auto index_of = [&](const std::string& key) { return leader.get("/kv/" + key).header("wormhole-index"); };
  const auto poll = [&](const std::string& key, const std::string& index) {
    return "/kv/" + key + "?wait=30s&index=" + index;
  };
  // Nothing comes of another key.
  CHECK(other.get("/kv/k?wait=100ms&index=" + index_of("k")).status == 304);
  Listener waits(other, {}, 0, poll("k", index_of("k")));
  REQUIRE(eventually([&] { return other.info("waiting_requests") == "1"; }));
  REQUIRE(put(dir, leader, "k2", "1").status == 201);
  CHECK(other.info("waiting_requests") == "1");
  REQUIRE(put(dir, leader, "k", "2").status == 204);
  CHECK(eventually([&] { return waits.sees("\r\n\r\n2"); }));
  // Deleted before, during, and long before the poll.
  const std::string before = index_of("k");
  Listener deleted(other, {}, 0, poll("k", before));
  REQUIRE(eventually([&] { return other.info("waiting_requests") == "1"; }));
  REQUIRE(curl(dir, "-X DELETE " + leader.url("/kv/k")).status == 204);
  CHECK(eventually([&] { return deleted.sees("HTTP/1.1 404"); }));
  CHECK(other.get(poll("k", before)).status == 404);
  Listener made(other, {}, 0, poll("k", index_of("k")));
  REQUIRE(eventually([&] { return other.info("waiting_requests") == "1"; }));
  REQUIRE(put(dir, leader, "k", "3").status == 201);
  CHECK(eventually([&] { return made.sees("\r\n\r\n3"); }));
  CHECK(other.redis("CONFIG SET watch-history 0") == "OK");
  REQUIRE(curl(dir, "-X DELETE " + leader.url("/kv/k")).status == 204);
  REQUIRE(put(dir, leader, "k2", "2").status == 204);
  CHECK(other.get(poll("k", "1")).status == 404);  // it cannot know, so it does not wait
  CHECK(other.get("/kv/k?wait=1s").status == 400);
}

TEST_CASE("HAZARDS W10, W3: a watch goes on at another node, without a gap or a repeat, while leaders die") {
  TempDir dir;
  ThreeNodes nodes;
  await_leader(nodes.all);
  std::vector<std::string> values;
  std::string id;
  int written = 0;
  for (int round = 0; round < 3; ++round) {
    Server& leader = await_leader(nodes.all);
    Server& watched = *others(nodes.all, leader)[0];
    Listener listener(watched, id.empty() ? "" : "Last-Event-ID: " + id + "\r\n", 0, watch_of("n/"));
    REQUIRE(eventually([&] { return listener.sees("text/event-stream"); }));
    if (round == 0) REQUIRE(eventually([&] { return listener.sees("id: "); }));
    for (int i = 0; i < 20; ++i) {
      // Two keys in one step: both come, or neither.
      ++written;
      const std::string body = R"({"success":[{"put":{"key":"n/a","value":")" + std::to_string(written) +
                               R"("}},{"put":{"key":"other","value":"x"}},{"put":{"key":"n/b","value":")" +
                               std::to_string(written) + "\"}}]}";
      REQUIRE(eventually([&] { return txn(watched, body).status == 200; }));
      if (i == 10) leader.kill();
    }
    const std::string last = "\"value\":\"" + std::to_string(written) + "\"";
    REQUIRE(eventually([&] { return listener.sees("\"key\":\"n/b\"," + last); }));
    const std::vector<std::string> seen = values_in(listener.text(), "value");
    values.insert(values.end(), seen.begin(), seen.end());
    id = last_id(listener.text());
    leader.start_ready();
  }
  // A write that was tried again may stand there twice, one after the other.
  std::vector<std::string> once;
  for (size_t i = 0; i < values.size(); i += 2) {
    REQUIRE(i + 1 < values.size());
    CHECK(values[i] == values[i + 1]);
    if (once.empty() || once.back() != values[i]) once.push_back(values[i]);
  }
  std::vector<std::string> expected;
  for (int i = 1; i <= written; ++i) expected.push_back(std::to_string(i));
  CHECK(once == expected);
}

TEST_CASE(
    "HAZARDS W2, W5: what a node does not know any more is 410 with the oldest index, and the items come first "
    "instead") {
  TempDir dir;
  Server server(dir, "forgets");
  server.start_ready();
  REQUIRE(put(dir, server, "k", "1").status == 201);
  const std::string first = server.get("/kv/k").header("wormhole-mod-index");
  REQUIRE(put(dir, server, "k", "2").status == 204);
  {
    Listener all(server, {}, 0, "/kv/k?watch&from=" + first);
    CHECK(eventually([&] { return all.sees("\"value\":\"2\""); }));
    CHECK(has(all.text(), "\"value\":\"1\""));
  }
  REQUIRE(server.redis("CONFIG SET watch-history 0") == "OK");
  REQUIRE(put(dir, server, "k", "3").status == 204);
  const Answer gone = server.get("/kv/k?watch&from=" + first);
  CHECK(gone.status == 410);
  CHECK(has(gone.body, "the oldest are of index "));
  CHECK(has(gone.body, std::to_string(std::stoull(server.info("watch_history_oldest")))));
  Listener listener(server, {}, 0, "/kv/k?watch&initial");
  CHECK(eventually([&] { return listener.sees("\"value\":\"3\""); }));
  REQUIRE(put(dir, server, "k", "4").status == 204);
  CHECK(eventually([&] { return listener.sees("\"value\":\"4\""); }));
  CHECK(curl(dir, "'" + server.url("/kv/k?watch&from=999999999") + "'").status == 400);
}

}  // namespace wh::testing
