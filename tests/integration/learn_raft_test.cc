// The learn-raft walk-through: three lone nodes configured by environment variables, /join, pump.sh, /get, /remove,
// snapshots.
#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {

TEST_CASE("the learn-raft walk-through") {
  const TempDir dir;
  Server n1(dir, "n1");
  Server n2(dir, "n2");
  Server n3(dir, "n3");
  const Servers all{&n1, &n2, &n3};
  for (Server* server : all) {
    server->arguments.emplace();
    server->environment = {{"HTTP_SERVER_PORT", std::to_string(server->port)},
                           {"RAFT_SERVER_PORT", std::to_string(server->raft_port)},
                           {"RAFT_NODE_ID", server->name},
                           {"RAFT_VOLUME_DIR", server->data_dir},
                           {"WORMHOLE_DEBUG_PORT", std::to_string(server->debug_port)},
                           {"WORMHOLE_RAFT_SNAPSHOT_ENTRIES", "30"}};
    server->start_ready();
    CHECK(server->cluster_field("role") == "leader");  // of itself alone
    CHECK(server->cluster_field("node_id") == server->name);
  }

  const std::string base = "http://localhost:" + std::to_string(n1.port);
  const auto joins = [&](const Server& server) {
    const Output output = sh(dir, "curl -sS -w '%{http_code}' \"" + base + "/join?nodeId=" + server.name +
                                      "&raftPort=" + std::to_string(server.raft_port) + "\"");
    return output.out;
  };
  CHECK(joins(n2) == "200");
  CHECK(joins(n3) == "200");
  CHECK(joins(n3) == "200");  // was already
  await_voters(all, 3);
  CHECK(&await_leader(all) == &n1);

  // pump.sh
  dir.write("pump.sh",
            "for i in $(seq 1 60); do\n  curl -sS -f \"" + base + "/set?key=$i&value=$i\" || exit 1\ndone\n");
  const Output pumped = sh(dir, "sh pump.sh");
  CHECK(pumped.status == 0);
  CHECK(pumped.out.empty());
  for (const Server* server : all)
    for (const char* key : {"1", "30", "60"}) {
      const Answer answer = server->get(std::string("/get?key=") + key);
      CHECK(answer.status == 200);
      CHECK(answer.body == key);
    }
  // "If you send a set request to the follower": it is forwarded.
  CHECK(n2.get("/set?key=follower&value=n2").status == 200);
  CHECK(n3.get("/get?key=follower").body == "n2");

  CHECK(n1.get("/remove?key=30").status == 200);
  CHECK(n3.get("/remove?key=30").status == 200);
  for (const Server* server : all) CHECK(server->get("/get?key=30").status == 404);
  CHECK(n2.get("/get?key=").status == 400);
  CHECK(n2.get("/set?key=a").status == 400);

  // Snapshots: taken as the log grew, and a node that comes back from one has everything.
  for (Server* server : all) {
    CHECK(eventually([&] {
      const std::string files = sh(dir, "find '" + server->data_dir + "' -type f").out;
      return files.find("snapshot") != std::string::npos;
    }));
  }
  for (Server* server : all) CHECK(server->stop() == 0);
  for (Server* server : all) server->start();
  await_leader(all);
  for (const Server* server : all) {
    CHECK(server->get("/get?key=1").body == "1");
    CHECK(server->get("/get?key=60").body == "60");
    CHECK(server->get("/get?key=30").status == 404);
    CHECK(server->redis("DBSIZE") == "60");
  }
}

TEST_CASE("/join refuses what does not fit") {
  const TempDir dir;
  Server one(dir, "one");
  Server two(dir, "two");
  one.start_ready();
  two.start_ready();
  const auto join = [&](const std::string& id, uint16_t port) {
    return one.get("/join?nodeId=" + id + "&raftPort=" + std::to_string(port));
  };

  SUBCASE("the node there calls itself otherwise: both names are told") {
    const Answer answer = join("tow", two.raft_port);
    CHECK(answer.status == 409);
    CHECK(answer.body.find("tow") != std::string::npos);
    CHECK(answer.body.find("two") != std::string::npos);
    CHECK(two.cluster_field("role") == "leader");
  }
  SUBCASE("the node there holds data") {
    CHECK(two.get("/set?key=a&value=b").status == 200);
    CHECK(join("two", two.raft_port).status == 409);
    CHECK(two.get("/get?key=a").body == "b");
  }
  SUBCASE("the node there belongs to another cluster") {
    Server three(dir, "three");
    three.start_ready();
    CHECK(two.get("/join?nodeId=three&raftPort=" + std::to_string(three.raft_port)).status == 200);
    CHECK(join("three", three.raft_port).status == 409);
    CHECK(join("two", two.raft_port).status == 409);
  }
  SUBCASE("parameters") {
    for (const char* bad :
         {"/join", "/join?nodeId=a", "/join?raftPort=1", "/join?nodeId=a&raftPort=0", "/join?nodeId=a&raftPort=65536",
          "/join?nodeId=a%20b&raftPort=1", "/join?nodeId=&raftPort=1"}) {
      CAPTURE(bad);
      CHECK(one.get(bad).status == 400);
    }
  }
  CHECK(count_of(one.cluster(), "\"suffrage\"") == 1);
}

}  // namespace wh::testing
