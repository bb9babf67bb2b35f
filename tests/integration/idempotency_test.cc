// Retries with an Idempotency-Key: the same request under one key has one effect and gets one answer, whichever node is
// asked and through any failover. Also the cluster's settings that limit what is kept.
#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

std::string post_event(const Server& server, const std::string& event, const std::string& key) {
  return "-L --post301 -H 'Idempotency-Key: " + key + "' -d event=" + event + " " + server.url("/event");
}

// An answer that was kept is the first one's: status, headers and body, but for the date.
void check_replay(const Answer& again, const Answer& first) {
  CHECK(again.status == first.status);
  CHECK(again.header("idempotency-replayed") == "true");
  CHECK(first.header("idempotency-replayed").empty());
  CHECK(again.body == first.body);
  for (const char* name : {"wormhole-index", "wormhole-event-id", "etag", "content-type"})
    CHECK(again.header(name) == first.header(name));
}

Answer put_settings(const Server& server, const TempDir& dir, const std::string& json) {
  return curl(dir, "-X PUT -H 'Content-Type: application/json' -d '" + json + "' " + server.url("/cluster/settings"));
}

}  // namespace

TEST_CASE("an event is enqueued once, whichever node is asked again and whoever leads") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  const Servers rest = others(nodes.all, leader);
  const Answer first = curl(nodes.dir, post_event(leader, "e", "k1"));
  CHECK(first.status == 201);
  for (const Server* server : nodes.all) check_replay(curl(nodes.dir, post_event(*server, "e", "k1")), first);
  CHECK(leader.kill() == 137);
  await_leader(rest);
  for (const Server* server : rest) check_replay(curl(nodes.dir, post_event(*server, "e", "k1")), first);
  // And after all of them were down.
  for (Server* server : rest) CHECK(server->kill() == 137);
  for (Server* server : nodes.all) server->start();
  await_leader(nodes.all);
  for (const Server* server : nodes.all) check_replay(curl(nodes.dir, post_event(*server, "e", "k1")), first);
  CHECK(nodes.a.redis("LLEN event") == "1");
  // Another request under it is refused for certain.
  const Answer other = curl(nodes.dir, post_event(nodes.a, "other", "k1"));
  CHECK(other.status == 422);
  CHECK(other.header("wormhole-outcome") == "not-applied");
  CHECK(nodes.a.redis("LLEN event") == "1");
}

TEST_CASE("every write of the store and the queue takes a key, which counts within its scope") {
  TempDir dir;
  Server node(dir, "alone");
  node.start_ready();
  const std::string key = "-H 'Idempotency-Key: one' ";
  const auto twice = [&](const std::string& arguments) {
    const Answer first = curl(dir, arguments);
    CHECK(first.status / 100 == 2);
    check_replay(curl(dir, arguments), first);
  };
  // The queue `event` and the store are two scopes.
  twice(key + "-d event=e " + node.url("/event"));
  CHECK(node.redis("LLEN event") == "1");
  twice(key + "-H 'Content-Type: application/json' -d '{\"a\":\"1\"}' " + node.url("/key"));
  CHECK(curl(dir, key + "-X POST '" + node.url("/set?key=a&value=1") + "'").status == 422);  // another request
  twice("-H 'Idempotency-Key: two' -X POST '" + node.url("/set?key=b&value=2") + "'");
  twice("-H 'Idempotency-Key: three' '" + node.url("/set?key=c&value=3") + "'");  // GET writes, from loopback
  twice("-H 'Idempotency-Key: four' -H 'Content-Type: application/json' -d '{\"value\":\"v\"}' " +
        node.url("/keys/d/"));
  twice("-H 'Idempotency-Key: five' -X DELETE " + node.url("/key/d"));
  twice("-H 'Idempotency-Key: six' -X POST '" + node.url("/remove?key=c") + "'");
  // What was done is not done again, whatever came since.
  CHECK(node.redis("SET b changed") == "OK");
  CHECK(curl(dir, "-H 'Idempotency-Key: two' -X POST '" + node.url("/set?key=b&value=2") + "'")
            .header("idempotency-replayed") == "true");
  CHECK(node.redis("GET b") == "changed");
  CHECK_FALSE(node.redis("RPUSH event f").empty());
  const std::string removal = "-H 'Idempotency-Key: eight' -X DELETE " + node.url("/event");
  const Answer removed = curl(dir, removal);
  CHECK(removed.status == 204);
  check_replay(curl(dir, removal), removed);
  CHECK(node.redis("LLEN event") == "1");
}

TEST_CASE("refusals are not kept, and what is no key is refused") {
  TempDir dir;
  Server node(dir, "alone");
  node.start_ready();
  const std::string conditional = "-H 'Idempotency-Key: k' -H 'If-Match: \"999\"' -X DELETE " + node.url("/event");
  CHECK(curl(dir, conditional).status == 412);
  CHECK(curl(dir, conditional).status == 412);
  CHECK(node.info("idempotency_keys") == "0");
  const auto status = [&](const std::string& header) {
    return curl(dir, "-H '" + header + "' -d event=e " + node.url("/event")).status;
  };
  CHECK(status("Idempotency-Key;") == 400);  // curl: an empty value
  CHECK(status("Idempotency-Key: " + std::string(256, 'k')) == 400);
  CHECK(status("Idempotency-Key: " + std::string(255, 'k')) == 201);
  CHECK(status("Idempotency-Key: \xc3\xa9") == 400);
  CHECK(status("Idempotency-Key: a' -H 'Idempotency-Key: b") == 400);
  CHECK(node.redis("LLEN event") == "1");
  // A read needs none and is not troubled by one; what has no answer to keep refuses it.
  CHECK(curl(dir, "-H 'Idempotency-Key: k' " + node.url("/event")).status == 200);
  CHECK(curl(dir, "-H 'Idempotency-Key: k' -H 'Content-Type: application/json' -d '{\"id\":\"alone\"}' " +
                      node.url("/cluster/transfer"))
            .status == 400);
}

TEST_CASE("the cluster's settings say for how long and how many, and are the same on every node") {
  ThreeNodes nodes;
  const std::string all = nodes.b.get("/cluster/settings").body;
  CHECK(json_field(all, "dedup_window") == "10m");
  CHECK(json_field(all, "dedup_max_keys") == "1000000");
  CHECK(json_field(all, "dedup_max_bytes") == "268435456");
  const Answer changed = put_settings(nodes.a, nodes.dir, R"({"dedup_window":"1s","dedup_max_keys":3})");
  CHECK(changed.status == 200);
  CHECK(json_field(changed.body, "dedup_window") == "1s");
  CHECK(json_field(changed.body, "dedup_max_bytes") == "268435456");
  for (const Server* server : nodes.all)
    CHECK(json_field(server->get("/cluster/settings").body, "dedup_max_keys") == "3");
  for (const char* bad : {R"({"dedup_window":"0s"})", R"({"dedup_window":"8d"})", R"({"no_such":1})",
                          R"({"dedup_max_keys":-1})", R"({"dedup_max_keys":"many"})", "[]", "{"})
    CHECK(put_settings(nodes.a, nodes.dir, bad).status == 400);
  // Beyond three the oldest go early, and are counted.
  Server& leader = await_leader(nodes.all);
  for (int i = 0; i < 5; ++i) CHECK(curl(nodes.dir, post_event(leader, "e", "many" + std::to_string(i))).status == 201);
  CHECK(std::stoul(leader.info("idempotency_keys")) <= 3);
  CHECK(std::stoul(leader.info("idempotency_evicted")) >= 2);
  // Over by itself, on an idle cluster, on every node.
  for (const Server* server : nodes.all) CHECK(eventually([&] { return server->info("idempotency_keys") == "0"; }));
  // The window is over: the same key is a new request.
  CHECK(curl(nodes.dir, post_event(leader, "e", "many4")).header("idempotency-replayed").empty());
}

TEST_CASE("what is kept is in backups and snapshots") {
  TempDir dir;
  Server node(dir, "alone");
  node.more = {"--raft-snapshot-entries", "5"};
  node.start_ready();
  const Answer first = curl(dir, post_event(node, "e", "k"));
  CHECK(first.status == 201);
  for (int i = 0; i < 20; ++i) CHECK(node.redis("SET k v") == "OK");
  CHECK(eventually([&] { return node.info("snapshot_index") != "0"; }));
  CHECK(curl(dir, "-o " + dir.path("backup") + " " + node.url("/backup")).status == 200);
  CHECK(node.stop() == 0);
  node.start_ready();
  check_replay(curl(dir, post_event(node, "e", "k")), first);
  CHECK(node.stop() == 0);

  Server restored(dir, "restored");
  restored.arguments = {{"--restore", dir.path("backup"), "--dir", restored.data_dir, "--node-id", "restored",
                         "--raft-port", std::to_string(restored.raft_port)}};
  restored.start();
  CHECK(restored.wait() == 0);
  restored.arguments.reset();
  restored.start_ready();
  check_replay(curl(dir, post_event(restored, "e", "k")), first);
  CHECK(restored.redis("LLEN event") == "1");
}

}  // namespace wh::testing
