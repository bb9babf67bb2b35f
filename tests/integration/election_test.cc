// The /keys/ example's walk-through: set and get through any node, stop the leader, watch the election, start it again.
#include <algorithm>
#include <csignal>
#include <map>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {
TEST_CASE("the /keys/ example's walk-through") {
  ThreeNodes nodes;
  const auto shows = [&](const std::string& command, const std::string& expected) {
    CAPTURE(command);
    const Output output = sh(nodes.dir, command);
    CHECK(output.status == 0);
    CHECK(output.out == expected);
  };
  const std::string some_key = "'http://127.0.0.1:" + std::to_string(nodes.a.port) + "/keys/some-key/'";
  shows("curl " + some_key, "{\"value\":\"\"}\n");
  shows("curl " + some_key + R"( -H 'Content-Type: application/json' -d '{"value": "some-value"}')",
        "{\"value\":\"some-value\"}\n");
  shows("curl " + some_key, "{\"value\":\"some-value\"}\n");

  // To any node; and from any.
  for (Server* server : nodes.all) {
    const Answer posted = curl(nodes.dir, "-d '{\"value\":\"by " + server->name + "\"}' " + server->url("/keys/who"));
    CHECK(posted.status == 200);
    CHECK(posted.body == "{\"value\":\"by " + server->name + "\"}\n");
    for (const Server* reader : nodes.all)
      CHECK(reader->get("/keys/who/").body == "{\"value\":\"by " + server->name + "\"}\n");
  }

  // The election: the old leader exits with 137, one of the two others leads, the old one follows when it is back.
  Server& old_leader = await_leader(nodes.all);
  const uint64_t old_term = std::stoull(old_leader.cluster_field("term"));
  CHECK(old_leader.kill() == 137);
  Server& leader = await_leader(nodes.all);
  CHECK(&leader != &old_leader);
  CHECK(std::stoull(leader.cluster_field("term")) > old_term);
  CHECK(leader.get("/keys/some-key/").body == "{\"value\":\"some-value\"}\n");
  CHECK(curl(nodes.dir, "-d '{\"value\":\"meanwhile\"}' " + leader.url("/keys/some-key/")).status == 200);

  old_leader.start_ready();
  CHECK(&await_leader(nodes.all) == &leader);
  CHECK(old_leader.cluster_field("role") == "follower");
  CHECK(old_leader.cluster_field("leader_id") == leader.name);
  CHECK(old_leader.get("/keys/some-key/").body == "{\"value\":\"meanwhile\"}\n");
}

TEST_CASE("a paused leader is replaced, and follows once it goes on") {
  ThreeNodes nodes;
  Server& old_leader = await_leader(nodes.all);
  REQUIRE(old_leader.signal(SIGSTOP));
  const Servers rest = others(nodes.all, old_leader);
  Server& leader = await_leader(rest);
  CHECK(leader.get("/set?key=while&value=paused").status == 200);
  REQUIRE(old_leader.signal(SIGCONT));
  // It must never answer from what it knew: it either finds the new leader or refuses.
  const Answer answer = old_leader.get("/get?key=while");
  CHECK((answer.status == 503 || answer.body == "paused"));
  CHECK(&await_leader(nodes.all) == &leader);
  CHECK(old_leader.get("/get?key=while").body == "paused");
}

TEST_CASE("without a majority: linearizable reads and writes are refused, stale reads are not") {
  ThreeNodes nodes({"--request-timeout", "1000"});
  CHECK(nodes.a.get("/set?key=k&value=v").status == 200);
  CHECK(nodes.c.get("/get?key=k").body == "v");
  nodes.a.kill();
  nodes.b.kill();
  CHECK(eventually([&] { return nodes.c.get("/readyz").status == 503; }));
  CHECK(nodes.c.get("/healthz").status == 200);
  CHECK(nodes.c.get("/get?key=k").status == 503);
  const Answer stale = nodes.c.get("/get?key=k&consistency=stale");
  CHECK(stale.status == 200);
  CHECK(stale.body == "v");
  const Answer write = nodes.c.get("/set?key=k&value=w");
  CHECK((write.status == 503 || write.status == 504));
  CHECK(write.header("wormhole-outcome") == (write.status == 503 ? "not-applied" : "unknown"));
  CHECK(nodes.c.cluster_field("node_id") == "node_3");

  nodes.a.start();
  await_leader(nodes.all);
  CHECK(nodes.c.get("/get?key=k").body == "v");
}

TEST_CASE("a member that lost its disk founds nothing and is taken back") {
  ThreeNodes nodes;
  CHECK(nodes.b.get("/set?key=kept&value=yes").status == 200);
  // The first by name: what founds a cluster where all are empty.
  Server& founder = **std::min_element(nodes.all.begin(), nodes.all.end(),
                                       [](const Server* x, const Server* y) { return x->name < y->name; });
  const std::string cluster_id = founder.cluster_field("cluster_id");
  REQUIRE(cluster_id.size() > 8);
  founder.kill();
  await_leader(nodes.all);
  REQUIRE(sh(nodes.dir, "rm -r '" + founder.data_dir + "' && mkdir '" + founder.data_dir + "'").status == 0);
  founder.start_ready();
  await_leader(nodes.all);
  await_voters(nodes.all, 3);
  CHECK(founder.cluster_field("cluster_id") == cluster_id);
  CHECK(founder.get("/get?key=kept&consistency=stale").body == "yes");
  CHECK(curl(nodes.dir, "-d event=x " + founder.url("/event") + " -L").status == 201);
}

TEST_CASE("a lone member of a list waits, and says for whom") {
  const TempDir dir;
  Server alone(dir, "alone");
  Server absent(dir, "absent");
  Server third(dir, "third");
  alone.more = {"--join", alone.raft_address(), absent.raft_address(), third.raft_address()};
  alone.start();
  CHECK(eventually([&] { return alone.log().find(absent.raft_address()) != std::string::npos; }));
  CHECK(alone.get("/readyz").status == 503);
  CHECK(alone.get("/healthz").status == 200);
  const std::string state = alone.cluster();
  CHECK(json_field(state, "role") == "learner");
  CHECK(json_field(state, "cluster_id") == "null");
  CHECK(json_field(state, "leader_id") == "null");
  CHECK(state.find("\"members\":[]") != std::string::npos);
  CHECK(alone.stop() == 0);
}

TEST_CASE("leadership is handed over on request, members leave and come") {
  ThreeNodes nodes;
  Server& old_leader = await_leader(nodes.all);
  Server& heir = *others(nodes.all, old_leader).front();
  const auto transfer = [&](const std::string& id) {
    return curl(nodes.dir, "-d '{\"id\":\"" + id + "\"}' " + nodes.c.url("/cluster/transfer")).status;
  };
  CHECK(transfer(heir.name) == 200);
  CHECK(&await_leader(nodes.all) == &heir);
  CHECK(transfer("nobody") / 100 == 4);
  CHECK(&await_leader(nodes.all) == &heir);

  const auto remove = [&](const std::string& id) {
    return curl(nodes.dir, "-X DELETE " + heir.url("/cluster/members/" + id)).status;
  };
  CHECK(remove("nobody") == 404);
  CHECK(remove(old_leader.name) == 200);
  await_voters(nodes.all, 2);
  CHECK(heir.get("/set?key=a&value=b").status == 200);
}

TEST_CASE("all members are stopped together, as by Ctrl-C: a normal end, of which no log warns") {
  ThreeNodes nodes;
  for (int round = 0; round < 3; ++round) {
    CAPTURE(round);
    Server& leader = await_leader(nodes.all);
    // Its followers first, or itself: who goes last differs.
    Servers order = others(nodes.all, leader);
    order.insert(round == 0 ? order.begin() : order.end(), &leader);
    std::map<std::string, size_t> before;
    for (const Server* server : nodes.all) before[server->name] = server->log().size();
    for (Server* server : order) REQUIRE(server->signal(SIGTERM));
    for (Server* server : order) CHECK(server->wait() == 0);
    for (const Server* server : nodes.all) {
      const std::string log = server->log().substr(before[server->name]);
      CHECK(log.find("stopped") != std::string::npos);
      CHECK_MESSAGE(log.find(" # ") == std::string::npos, log);  // a warning
    }
    for (Server* server : nodes.all) server->start();
  }
}

TEST_CASE("leadership that is handed over as it was asked for: no log warns of it") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& next = *others(nodes.all, leader).front();
  std::map<std::string, size_t> before;
  for (const Server* server : nodes.all) before[server->name] = server->log().size();
  CHECK(curl(nodes.dir, "--json '{\"id\":\"" + next.name + "\"}' " + leader.url("/cluster/transfer")).status == 200);
  REQUIRE(eventually([&] { return next.cluster_field("role") == "leader"; }));
  for (const Server* server : nodes.all) {
    const std::string log = server->log().substr(before[server->name]);
    CHECK_MESSAGE(log.find(" # ") == std::string::npos, log);
  }
}

}  // namespace wh::testing
