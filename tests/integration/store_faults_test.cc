// The store while nodes are paused, cut off, and change leaders: leases end at their time and not before, and a watch
// from a node that was behind skips nothing.
#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"
#include "listener.h"

namespace wh::testing {
namespace {

using Clock = std::chrono::steady_clock;

int64_t ms_since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

// A lease with a key of that name under it.
std::string lease_with_key(const Server& server, const std::string& ttl, const std::string& key) {
  const Answer lease = server.post("/leases?ttl=" + ttl);
  REQUIRE(lease.status == 201);
  const std::string id = json_field(lease.body, "id");
  REQUIRE(server
              .post("/txn", R"({"success":[{"put":{"key":")" + key + R"(","value":"v","lease":)" + id + "}}]}",
                    "application/json")
              .status == 200);
  return id;
}

bool keep_alive(const Server& server, const std::string& lease) {
  return server.post("/leases/" + lease + "/keepalive").status == 200;
}

// Hands leadership to another node; that node.
Server& hand_over(const Servers& servers, Server& leader) {
  Server& to = *others(servers, leader)[0];
  REQUIRE(eventually([&] {
    return leader.post("/cluster/transfer", "{\"id\":\"" + to.name + "\"}", "application/json").status == 200;
  }));
  return await_leader(servers);
}

void put(const Server& server, const std::string& key, const std::string& value) {
  REQUIRE(eventually([&] {
    return server
               .post("/txn", R"({"success":[{"put":{"key":")" + key + R"(","value":")" + value + "\"}}]}",
                     "application/json")
               .status == 200;
  }));
}

// The values in a stream's data, in order.
std::vector<std::string> values_in(const std::string& text) {
  std::vector<std::string> found;
  for (size_t at = text.find("\ndata: "); at != std::string::npos; at = text.find("\ndata: ", at + 1))
    found.push_back(json_field(text.substr(at + 7, text.find('\n', at + 7) - at - 7), "value"));
  return found;
}

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> all;
  for (int i = from; i <= to; ++i) all.push_back(std::to_string(i));
  return all;
}

}  // namespace

TEST_CASE("HAZARDS S1: with a new leader every half ttl, the time that a lease has left never rises, and it ends") {
  ThreeNodes nodes;
  Server* leader = &await_leader(nodes.all);
  const auto granted = Clock::now();
  const std::string id = lease_with_key(nodes.a, "4s", "k");
  long left = 4'000;
  bool rose = false;
  auto changed = Clock::now();
  int changes = 0;
  while (true) {
    const Answer shown = nodes.b.get("/leases/" + id);
    if (shown.status == 404) break;
    if (shown.status == 200) {
      const long now = std::stol(json_field(shown.body, "remaining_ms"));
      rose = rose || now > left;
      left = now;
    }
    REQUIRE(ms_since(granted) < kPatienceMs);
    if (ms_since(changed) < 2'000) continue;
    leader = &hand_over(nodes.all, *leader);
    changed = Clock::now();
    ++changes;
  }
  CHECK_FALSE(rose);
  CHECK(changes >= 1);
  CHECK(ms_since(granted) >= 3'900);
  CHECK(nodes.c.get("/kv/k").status == 404);
}

TEST_CASE("HAZARDS S2: a leader that was frozen for twice a ttl revokes nothing that was kept alive at the next one") {
  ThreeNodes nodes;
  Server& frozen = await_leader(nodes.all);
  const Servers awake = others(nodes.all, frozen);
  const std::string id = lease_with_key(frozen, "4s", "k");
  Listener watch(*awake[0], {}, 0, "/kv/k?watch");
  REQUIRE(eventually([&] { return watch.sees("id: "); }));
  REQUIRE(frozen.signal(SIGSTOP));
  const auto begun = Clock::now();
  int kept = 0;
  while (ms_since(begun) < 8'500) {
    // What was sent on to the frozen leader is not answered before request-timeout: who waits for less asks again.
    if (curl(nodes.dir, "-m 1 -X POST " + awake[1]->url("/leases/" + id + "/keepalive")).status == 200) ++kept;
    watch.take(100);
  }
  CHECK(kept > 2);
  REQUIRE(frozen.signal(SIGCONT));
  // It follows the new one by now, and says nothing else about the lease.
  REQUIRE(eventually([&] { return frozen.get("/kv/k").status == 200; }));
  CHECK(keep_alive(frozen, id));
  for (Server* server : nodes.all) CHECK(has(server->get("/leases/" + id).body, "\"keys\":[\"k\"]"));
  CHECK_FALSE(watch.sees("event: "));
}

TEST_CASE("HAZARDS S3: a deadline in a time without a quorum: then lease and key live on or end, both together") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  const Servers rest = others(nodes.all, leader);
  const std::string id = lease_with_key(leader, "3s", "k");
  for (Server* server : rest) REQUIRE(server->signal(SIGSTOP));
  CHECK_FALSE(eventually([&] { return keep_alive(leader, id); }, 6'000));
  for (Server* server : rest) REQUIRE(server->signal(SIGCONT));
  // Nobody could keep it alive meanwhile, so it has its time back; it ends by itself, and its key with it.
  REQUIRE(eventually([&] { return leader.ready(); }));
  bool apart = false;
  REQUIRE(eventually([&] {
    const Answer both =
        leader.post("/txn",
                    R"({"compare":[{"key":"k","exists":true}],"success":[{"put":{"key":"probe","value":"v","lease":)" +
                        id + R"(}}],"failure":[{"get":{"key":"k"}}]})",
                    "application/json");
    // One entry sees both or none: a key that is there has a lease that is.
    apart = apart || both.status == 404;
    return json_field(both.body, "succeeded") == "false";
  }));
  CHECK_FALSE(apart);
  CHECK(leader.get("/leases/" + id).status == 404);
  CHECK(leader.post("/leases/" + id + "/keepalive").status == 404);
  CHECK(leader.get("/kv/probe").status == 404);
}

TEST_CASE("HAZARDS W6: a watch at a node that is behind waits for what is committed, stale or not, and no further") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  TempDir dir;
  for (const std::string& more : {std::string(), std::string("&consistency=stale")}) {
    CAPTURE(more);
    put(leader, "k", "0");
    REQUIRE(follower.signal(SIGSTOP));
    for (const std::string& value : numbers(1, 30)) put(leader, "k", value);
    const uint64_t last = std::stoull(leader.get("/kv/k").header("wormhole-mod-index"));
    Listener behind(follower, "Last-Event-ID: " + std::to_string(last) + "\r\n", 0, "/kv/k?watch" + more);
    REQUIRE(follower.signal(SIGCONT));
    put(leader, "k", "31");
    REQUIRE(eventually([&] { return behind.sees("\"value\":\"31\""); }));
    CHECK(has(behind.text(), "HTTP/1.1 200 "));
    CHECK(values_in(behind.text()) == numbers(31, 31));
    const std::string future = std::to_string(last + 1'000'000);
    CHECK(follower.get("/kv/k?watch&from=" + future + more).status == 400);
  }
}

TEST_CASE("HAZARDS W5: a watch at a node that is given a snapshot ends, and resumed it skips nothing unsaid") {
  ThreeNodes nodes({"--raft-snapshot-entries", "50"});
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  Listener first(follower, {}, 0, "/kv/k?watch");
  REQUIRE(eventually([&] { return first.sees("id: "); }));
  put(leader, "k", "1");
  REQUIRE(eventually([&] { return first.sees("\"value\":\"1\""); }));
  REQUIRE(follower.signal(SIGSTOP));
  for (const std::string& value : numbers(2, 400)) put(leader, "k", value);
  REQUIRE(eventually([&] { return std::stoull(leader.info("snapshot_index")) > 300; }));
  REQUIRE(follower.signal(SIGCONT));
  REQUIRE(eventually([&] { return first.has_ended(); }));
  CHECK(follower.info("snapshots_installed") == "1");
  const std::vector<std::string> seen = values_in(first.text());
  CHECK(seen == numbers(1, static_cast<int>(seen.size())));
  // The node that was given a snapshot does not know what came before; another one does.
  const std::string resume = "Last-Event-ID: " + last_id(first.text()) + "\r\n";
  REQUIRE(eventually([&] { return follower.ready(); }));
  CHECK(seen.size() < 400);
  Listener again(follower, resume, 0, "/kv/k?watch");
  CHECK(eventually([&] { return again.sees("HTTP/1.1 410"); }));
  Listener at_leader(leader, resume, 0, "/kv/k?watch");
  put(leader, "k", "401");
  REQUIRE(eventually([&] { return at_leader.sees("\"value\":\"401\""); }));
  CHECK(values_in(at_leader.text()) == numbers(static_cast<int>(seen.size()) + 1, 401));
}

TEST_CASE("all nodes are killed: keys, their numbers, leases, reservations and kept answers are there again") {
  ThreeNodes nodes;
  TempDir dir;
  Server& leader = await_leader(nodes.all);
  put(leader, "plain", "1");
  put(leader, "plain", "2");
  const std::string lease = lease_with_key(leader, "60s", "leased");
  const std::string once = "-H 'Idempotency-Key: once' -X POST ";
  REQUIRE(curl(dir, once + leader.url("/kv/n/incr")).body == "{\"value\":1}\n");
  REQUIRE(leader.post("/queues/q/events", "work").status == 201);
  const Answer held = leader.post("/queues/q/receive?visibility_timeout=10m");
  REQUIRE(held.status == 200);
  const std::string tag = leader.get("/kv/plain").header("etag");
  const std::string list = leader.get("/kv?keys").body;
  for (Server* server : nodes.all) CHECK(server->kill() == 137);
  for (Server* server : nodes.all) server->start();
  Server& next = await_leader(nodes.all);
  CHECK(next.get("/kv/plain").body == "2");
  CHECK(next.get("/kv/plain").header("etag") == tag);
  const std::string items = list.substr(list.find("\"items\""));
  CHECK(has(next.get("/kv?keys").body, items));
  CHECK(keep_alive(next, lease));
  CHECK(has(next.get("/leases/" + lease).body, "\"keys\":[\"leased\"]"));
  const Answer again = curl(dir, once + next.url("/kv/n/incr"));
  CHECK(again.body == "{\"value\":1}\n");
  CHECK(again.header("idempotency-replayed") == "true");
  CHECK(next.post("/queues/q/receive").status == 204);
  CHECK(curl(dir, "-X DELETE " + next.url("/queues/q/events/" + held.header("wormhole-event-id")) +
                      "?receipt=" + held.header("wormhole-receipt"))
            .status == 204);
  CHECK(next.get("/queues/q/front").status == 204);
}

TEST_CASE(
    "HAZARDS V7: after a restore no index names other data: a watch of before is 410, and tags are not met again") {
  TempDir dir;
  std::string id;
  std::string tag;
  {
    Server old(dir, "old");
    old.start_ready();
    put(old, "k", "1");
    REQUIRE(curl(dir, "-o " + dir.path("backup.db") + " " + old.url("/backup")).exit == 0);
    // What came after the backup is known to clients, and is not in it.
    for (const std::string& value : numbers(2, 20)) put(old, "k", value);
    id = old.get("/kv/k").header("wormhole-mod-index");
    tag = old.get("/kv/k").header("etag");
    CHECK(old.stop() == 0);
  }
  Server server(dir, "restored");
  const Output restored =
      sh(dir, std::string(WORMHOLE_SERVER) + " --dir " + server.data_dir + " --node-id restored --raft-port " +
                  std::to_string(server.raft_port) + " --restore " + dir.path("backup.db"));
  REQUIRE_MESSAGE(restored.status == 0, restored.err);
  server.start_ready();
  CHECK(server.get("/kv/k").body == "1");
  const Answer resumed = curl(dir, "-H 'Last-Event-ID: " + id + "' '" + server.url("/kv/k?watch") + "'");
  CHECK(resumed.status == 410);
  // The list that it begins with anew is of a higher index than any before.
  CHECK(std::stoull(resumed.header("wormhole-index")) > std::stoull(id) + 1'000);
  for (const std::string& value : numbers(2, 40)) {
    put(server, "k", value);
    CHECK(server.get("/kv/k").header("etag") != tag);
  }
}

}  // namespace wh::testing
