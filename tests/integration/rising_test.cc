// The rise of a cluster from version 3 to 5, with this program alone: directive version-limit makes members that cannot
// do 5. Before it all members answer everything of version 3, and refuse what needs 4 by name of who cannot; it comes
// once, when all can; snapshots and backups of both sides are of the version that they say (HAZARDS-QUEUE-STORE, V).
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
namespace {

const std::vector<std::string> kLimit{"--version-limit", "3"};

void limit(Server& server) { server.more.insert(server.more.end(), kLimit.begin(), kLimit.end()); }

void unlimit(Server& server) {
  std::erase_if(server.more, [](const std::string& word) { return word == kLimit[0] || word == kLimit[1]; });
}

// Three members that are limited to version 3.
struct Trio {
  explicit Trio(const std::vector<std::string>& more = {}) {
    for (Server* server : all) {
      server->more = {"--join", a.raft_address() + " " + b.raft_address() + " " + c.raft_address()};
      server->more.insert(server->more.end(), more.begin(), more.end());
      limit(*server);
      server->start();
    }
    await_voters(all, 3);
    for (const Server* server : all) REQUIRE(eventually([&] { return server->info("cluster_version") == "3"; }));
  }
  // Starts a member anew, without its limit.
  static void lift(Server& server) {
    REQUIRE(server.stop() == 0);
    unlimit(server);
    server.start_ready();
  }
  void lead_by(const Server& wanted) {
    const Server& leader = await_leader(all);
    if (leader.name == wanted.name) return;
    const std::string command = "-d '{\"id\":\"" + wanted.name + "\"}' " + leader.url("/cluster/transfer");
    REQUIRE(eventually([&] { return curl(dir, command).status == 200; }));
    REQUIRE(await_leader(all).name == wanted.name);
  }
  void await_version(const std::string& version) {
    for (const Server* server : all) CHECK(eventually([&] { return server->info("cluster_version") == version; }));
  }

  TempDir dir;
  Server a{dir, "node_1"};
  Server b{dir, "node_2"};
  Server c{dir, "node_3"};
  Servers all{&a, &b, &c};
};

bool same_state(const Servers& servers) {
  std::set<std::string> states;
  for (const Server* server : servers) {
    const std::string info = server->redis("INFO raft");
    if (info_field(info, "state_digest").empty()) return false;
    states.insert(info_field(info, "applied_index") + " " + info_field(info, "state_digest"));
  }
  return states.size() == 1;
}

struct Row {
  int status;
  const char* arguments;
  const char* path;
};

// Each way to read, and its status while the cluster is of version 3: those alone that show what version 4 has are 501.
const Row kReads[] = {
    {200, "", "/get?key=old"},
    {200, "", "/key/old"},
    {200, "", "/keys/old"},
    {200, "", "/kv/old"},
    {404, "", "/kv/none"},
    {501, "-H 'If-None-Match: \"1\"'", "/kv/old"},
    {501, "", "/kv"},
    {501, "-m 5", "/kv?prefix=old&watch"},
    {404, "", "/leases/1"},
    {200, "", "/leases"},
    {200, "", "/event"},
    {200, "", "/queues"},
    {200, "", "/queues/q"},
    {200, "", "/queues/q/front"},
    {200, "", "/queues/q/events"},
    {200, "", "/topics"},
    {200, "", "/topics/t"},
    {200, "", "/cluster"},
    {200, "", "/cluster/settings"},
    {200, "", "/backup"},
    {200, "", "/metrics"},
    {200, "", "/healthz"},
    {200, "", "/readyz"},
};

// Each way to write that a member of version 3 does not know.
const Row kNewWrites[] = {
    {201, "-X PUT -d v", "/kv/new"},
    {200, "-X POST", "/kv/new-count/incr"},
    {200, "-d '{\"success\":[{\"put\":{\"key\":\"new\",\"value\":\"v\"}}]}'", "/txn"},
    {201, "-X POST", "/leases?ttl=1m"},
    {200, "-H 'If-None-Match: *' -X POST", "/set?key=new-set&value=v"},
    {200, "-X DELETE", "/kv?prefix=new"},
};

const char* const kNewCommands[] = {"SET new v EX 100", "INCR new-number",   "APPEND new-text a",
                                    "EXPIRE old 100",   "GETSET new-text b", "SETNX new-once c"};

std::string typed(const Row& row) { return std::string("-H 'Content-Type: application/json' ") + row.arguments; }

void check_reads(const Trio& trio, const Servers& at) {
  for (const Server* server : at) {
    CAPTURE(server->name);
    for (const Row& row : kReads) {
      CAPTURE(std::string(row.path));
      CHECK(curl(trio.dir, std::string(row.arguments) + " '" + server->url(row.path) + "' -o /dev/null").status ==
            row.status);
    }
    CHECK(server->redis("GET old") == "1");
    CHECK(server->redis("TTL old") == "-1");
    CHECK(server->redis("KEYS old*") == "old\nold2");
    CHECK(has(server->redis("SCAN 0"), "old2"));
    CHECK(has(server->redis("RANDOMKEY"), "old"));
    CHECK(server->redis("LRANGE q 0 -1") == "in the queue");
    CHECK(server->redis("TYPE old") == "string");
  }
}

}  // namespace

TEST_CASE("HAZARDS V1, V4: while one member cannot do version 5, all serve what they did, whoever leads") {
  Trio trio;
  REQUIRE(trio.a.get("/set?key=old&value=1").status == 200);
  REQUIRE(trio.b.get("/set?key=old2&value=1").status == 200);
  REQUIRE(trio.a.post("/event", "event=e", "application/x-www-form-urlencoded").status == 201);
  REQUIRE(trio.a.post("/queues/q/events", "in the queue").status == 201);
  REQUIRE(curl(trio.dir, "-X PUT " + trio.a.url("/topics/t/queues/q")).status / 100 == 2);
  Trio::lift(trio.a);
  Trio::lift(trio.b);
  for (const Server* leader : {&trio.c, &trio.a}) {  // one that cannot, one that can
    CAPTURE(leader->name);
    trio.lead_by(*leader);
    // It hears from the others first.
    const auto names_it = [&](const Server& server) {
      const Answer refused = curl(trio.dir, "-X PUT -d v " + server.url("/kv/new"));
      return refused.status == 501 && has(refused.body, "node_3 (can do 3)");
    };
    for (const Server* server : trio.all) {
      CAPTURE(server->name);
      CHECK(eventually([&] { return names_it(*server); }));
      for (const Row& row : kNewWrites) {
        CAPTURE(std::string(row.path));
        const Answer refused = curl(trio.dir, typed(row) + " '" + server->url(row.path) + "'");
        CAPTURE(refused.exit);
        CHECK(refused.status == 501);
        CHECK(refused.header("wormhole-outcome") == "not-applied");
        CHECK(has(refused.body, "node_3"));
        CHECK(has(refused.body, "version-limit"));
      }
      for (const char* command : kNewCommands) {
        CAPTURE(std::string(command));
        CHECK(has(server->redis(command), "node_3"));
      }
      CHECK(has(server->redis("WATCH old"), "node_3"));
      for (const Row& row : kReads) {
        if (row.status != 501) continue;
        CAPTURE(std::string(row.path));
        const Answer refused = curl(trio.dir, std::string(row.arguments) + " '" + server->url(row.path) + "'");
        CHECK(refused.status == 501);
        CHECK(has(refused.body, "upgrade node_3 (can do 3)"));
      }
      // What version 3 has goes on.
      CHECK(server->get("/set?key=old&value=1").status == 200);
      CHECK(curl(trio.dir, "-L -d event=e " + server->url("/event")).status == 201);
      CHECK(server->redis("RPUSH other a") != "");
      CHECK(server->post("/queues/other/receive").status == 200);
    }
    check_reads(trio, trio.all);
    trio.await_version("3");
    CHECK(eventually([&] { return same_state(trio.all); }));
  }
}

TEST_CASE("HAZARDS V1, V2, V5: the version rises once, when the last limit is lifted, and no member goes back") {
  Trio trio;
  REQUIRE(trio.a.get("/set?key=old&value=1").status == 200);
  REQUIRE(trio.a.redis("MSET old2 1 old3 1") == "OK");
  for (Server* server : trio.all) Trio::lift(*server);
  trio.await_version("5");
  // All that was there counts as made and last changed by the rise.
  const std::string rise = trio.a.get("/kv/old").header("wormhole-mod-index");
  CHECK(std::stoul(rise) > 3);
  for (const Server* server : trio.all) {
    for (const char* key : {"old", "old2", "old3"}) {
      const Answer shown = server->get(std::string("/kv/") + key);
      CHECK(shown.header("wormhole-mod-index") == rise);
      CHECK(shown.header("wormhole-create-index") == rise);
      CHECK(shown.header("etag") == '"' + rise + '"');
    }
    CHECK(count_of(server->log(), "the cluster's version is 5 now") == 1);
  }
  for (const Row& row : kNewWrites) {
    CAPTURE(std::string(row.path));
    CHECK(curl(trio.dir, typed(row) + " '" + trio.b.url(row.path) + "'").status == row.status);
  }
  CHECK(curl(trio.dir, "-X PUT -H 'If-Match: \"" + rise + "\"' -d 2 " + trio.c.url("/kv/old")).status == 204);
  CHECK(trio.a.get("/kv/old").header("wormhole-create-index") == rise);
  CHECK(std::stoul(trio.a.get("/kv/old").header("wormhole-mod-index")) > std::stoul(rise));
  // A leader by itself stamps and sweeps: all have the same.
  CHECK(trio.a.redis("SET short v PX 50") == "OK");
  CHECK(eventually([&] { return trio.b.redis("EXISTS short") == "0"; }));
  CHECK(eventually([&] { return same_state(trio.all); }));

  // Down again: it does not start, and says what to do. Up: it goes on.
  CHECK(trio.b.stop() == 0);
  limit(trio.b);
  trio.b.start();
  CHECK(trio.b.wait() == 1);
  CHECK(has(trio.b.log(), "raise version-limit"));
  unlimit(trio.b);
  trio.b.start_ready();
  CHECK(eventually([&] { return same_state(trio.all); }));
  CHECK(trio.b.get("/kv/old2").header("wormhole-mod-index") == rise);
}

TEST_CASE("HAZARDS V6: a member that is down holds the version; without it the others rise, and it may not come back") {
  Trio trio;
  REQUIRE(trio.a.get("/set?key=old&value=1").status == 200);
  REQUIRE(trio.c.stop() == 0);
  Trio::lift(trio.a);
  Trio::lift(trio.b);
  // All who are there can do it, and it does not come: the third is named instead.
  const Server& leader = await_leader({&trio.a, &trio.b});
  for (int i = 0; i < 5; ++i) {
    const Answer refused = curl(trio.dir, "-X PUT -d v " + leader.url("/kv/new"));
    CHECK(refused.status == 501);
    CHECK(has(refused.body, "node_3"));
  }
  CHECK(leader.info("cluster_version") == "3");
  REQUIRE(curl(trio.dir, "-X DELETE " + leader.url("/cluster/members/node_3")).status == 200);
  for (const Server* server : {&trio.a, &trio.b})
    CHECK(eventually([&] { return server->info("cluster_version") == "5"; }));
  CHECK(curl(trio.dir, "-X PUT -d v " + leader.url("/kv/new")).status == 201);

  // Empty, and limited: refused as a member, by the one that adds and by itself.
  Server old(trio.dir, "node_4");
  old.more = {"--join", trio.a.raft_address()};
  limit(old);
  old.start();
  const Answer added = curl(trio.dir, R"(-d '{"id":"node_4","raft_address":")" + old.raft_address() + R"("}' )" +
                                          leader.url("/cluster/members"));
  CHECK(added.status == 409);
  CHECK(has(added.body, "version"));
  CHECK(eventually([&] { return has(old.log(), "version"); }));
  CHECK_FALSE(has(leader.cluster(), "node_4"));
  old.stop();
  unlimit(old);
  old.start_ready();
  await_voters({&trio.a, &trio.b, &old}, 3);
  CHECK(old.get("/kv/new").body == "v");
}

TEST_CASE("HAZARDS V3: snapshots across the rise are of the version that they say, on members of either limit") {
  Trio trio({"--raft-snapshot-entries", "40"});
  REQUIRE(trio.a.get("/set?key=old&value=1").status == 200);
  Trio::lift(trio.a);
  Trio::lift(trio.b);
  trio.lead_by(trio.a);
  // A leader that can do 5 sends a snapshot to a member that cannot.
  REQUIRE(trio.c.kill() == 137);
  // So much that whoever leads keeps nothing any more of what the one that is down has.
  const auto write = [&](const std::string& command) {
    const Server& leader = await_leader(trio.all);
    const uint64_t before = std::stoul(leader.info("applied_index"));
    const std::string many = "redis-cli -p " + std::to_string(leader.debug_port) + " -r 300 ";
    REQUIRE(sh(trio.dir, many + command + " >/dev/null").status == 0);
    for (const Server* server : {&trio.a, &trio.b, &trio.c})
      if (server->pid() > 0)
        REQUIRE(eventually([&] { return std::stoul("0" + server->info("first_log_index")) > before + 1; }));
  };
  write("RPUSH filler x");
  trio.c.start_ready();
  CHECK(eventually([&] { return trio.c.info("snapshots_installed") == "1"; }));
  CHECK(eventually([&] { return same_state(trio.all); }));
  CHECK(trio.c.info("cluster_version") == "3");
  // And starts from it.
  CHECK(trio.c.stop() == 0);
  trio.c.start_ready();
  CHECK(trio.c.get("/get?key=old").body == "1");

  Trio::lift(trio.c);
  trio.await_version("5");
  const std::string rise = trio.a.get("/kv/old").header("wormhole-mod-index");
  REQUIRE(trio.a.redis("SET new v EX 1000") == "OK");
  // The first snapshots behind it.
  REQUIRE(trio.b.kill() == 137);
  write("APPEND log x");
  trio.b.start_ready();
  CHECK(eventually([&] { return trio.b.info("snapshots_installed") == "1"; }));
  CHECK(eventually([&] { return same_state(trio.all); }));
  CHECK(trio.b.get("/kv/old").header("wormhole-create-index") == rise);
  CHECK(trio.b.redis("STRLEN log") == "300");
  CHECK(std::stoi(trio.b.redis("TTL new")) > 900);
}

TEST_CASE("HAZARDS V3: backups across the rise are restored by who can, and number what they hold by their own rise") {
  const TempDir dir;
  Server server(dir, "node");
  limit(server);
  server.start_ready();
  const auto back_up = [&](const Server& from, const std::string& name) {
    REQUIRE(curl(dir, "-f -o " + name + " " + from.url("/backup")).status == 200);
    CHECK(sh(dir, server.program + " --verify " + name).status == 0);
  };
  REQUIRE(server.get("/set?key=old&value=1").status == 200);
  back_up(server, "before.db");
  Trio::lift(server);
  REQUIRE(eventually([&] { return server.info("cluster_version") == "5"; }));
  back_up(server, "at.db");
  REQUIRE(server.redis("SET new v EX 1000") == "OK");
  REQUIRE(curl(dir, "-X PUT -H 'Content-Type: text/css' -d 2 " + server.url("/kv/old")).status == 204);
  back_up(server, "after.db");

  for (const std::string name : {"before", "at", "after"}) {
    for (const bool limited : {true, false}) {
      CAPTURE(name);
      CAPTURE(limited);
      Server restored(dir, name + (limited ? "-limited" : ""));
      if (limited) limit(restored);
      const std::string words = limited ? " --version-limit 3" : "";
      const Output done =
          sh(dir, server.program + " --dir " + restored.data_dir + " --node-id " + restored.name + " --raft-port " +
                      std::to_string(restored.raft_port) + words + " --restore " + name + ".db");
      CHECK_MESSAGE(done.status == 0, done.err);
      if (limited && name != "before") {
        restored.start();
        CHECK(restored.wait() == 1);
        CHECK(has(restored.log(), "raise version-limit"));
        continue;
      }
      restored.start_ready();
      const std::string version = limited ? "3" : "5";
      CHECK(eventually([&] { return restored.info("cluster_version") == version; }));
      const Answer old = restored.get("/kv/old");
      CHECK(old.body == (name == "after" ? "2" : "1"));
      CHECK(old.header("etag").empty() == limited);
      CHECK(old.header("content-type") == (name == "after" ? "text/css" : "application/octet-stream"));
      CHECK((restored.redis("EXISTS new") == "1") == (name == "after"));
      if (limited) Trio::lift(restored);
      CHECK(eventually([&] { return restored.info("cluster_version") == "5"; }));
      CHECK_FALSE(restored.get("/kv/old").header("etag").empty());
    }
  }
}

}  // namespace wh::testing
