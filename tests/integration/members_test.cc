// Membership changes: a follower and the leader are removed, one member is removed while it is away, one is added again
// with its data, one loses its disk. Also which changes are refused, with which words, and what an operator is told
// about two voters.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

#include "harness.h"
#include "netns.h"

namespace wh::testing {
namespace {

Answer remove_at(const TempDir& dir, const Server& at, const std::string& name) {
  return curl(dir, "-X DELETE " + at.url("/cluster/members/" + name));
}

Answer add_at(const TempDir& dir, const Server& at, const Server& node) {
  return curl(dir, R"(-d '{"id":")" + node.name + R"(","raft_address":")" + node.raft_address() + R"("}' )" +
                       at.url("/cluster/members"));
}

// Several election timeouts, in which nothing may happen that an election would cause.
bool term_rises(const Server& server, const std::string& term) {
  return eventually([&] { return server.cluster_field("term") != term; }, 2'500);
}

// What an operator finds at a node that knows that it was removed. One that restarted does not know what of its log was
// committed, and has its last snapshot to show at the most.
void check_removed(const TempDir& dir, const Server& server, bool restarted) {
  CAPTURE(server.name);
  REQUIRE(eventually([&] { return server.cluster_field("removed") == "true"; }));
  CHECK(eventually([&] { return has(server.log(), server.name + " was removed from cluster "); }));
  CHECK(has(server.log(), "its files stay where they are"));
  const Answer ready = server.get("/readyz");
  CHECK(ready.status == 503);
  CHECK(has(ready.body, server.name + " was removed from the cluster"));
  const Answer read = server.get("/get?key=kept");
  CHECK(read.status == 503);
  CHECK(has(read.body, "was removed from the cluster"));
  const Answer write = curl(dir, "-X POST '" + server.url("/set?key=kept&value=new") + "'");
  CHECK(write.status == 503);
  CHECK(write.header("wormhole-outcome") == "not-applied");
  CHECK(server.get("/get?key=kept&consistency=stale").status == (restarted ? 404 : 200));
  CHECK(has(server.redis("INFO raft"), "removed:1"));
  CHECK(has(server.redis("SET a b"), "NOTAPPLIED"));
  CHECK(server.redis("SET a b").find("removed") != std::string::npos);
  CHECK_FALSE(read_file(server.data_dir + "/wormhole.db").empty());
}

}  // namespace

TEST_CASE("a member of an address where nobody is gets refused at once, with 409, and nothing is committed for it") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  const Servers followers = others(nodes.all, leader);
  const std::string last = leader.cluster_field("last_log_index");
  Server nobody(nodes.dir, "nobody");
  const auto refused = [&](const std::string& arguments, std::string_view why) {
    CAPTURE(arguments);
    const auto begun = std::chrono::steady_clock::now();
    const Answer answer = curl(nodes.dir, arguments);
    const auto took = std::chrono::steady_clock::now() - begun;
    CHECK(answer.status == 409);
    CHECK(answer.header("wormhole-outcome") == "not-applied");
    CHECK_MESSAGE(has(answer.body, why), answer.body);
    CHECK(has(answer.body, "nothing was changed"));
    return std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  };
  for (const Server* at : {&leader, followers.front()}) {
    CAPTURE(at->name);
    const std::string members = at->url("/cluster/members");
    const std::string body = R"(-d '{"id":"nobody","raft_address":")";
    // Generous for a busy machine, and still below request-timeout.
    CHECK(refused(body + nobody.raft_address() + R"("}' )" + members, "connection refused") < 4'000);
    CHECK(refused(body + R"(nosuch.invalid:1112"}' )" + members, "nosuch.invalid") < 4'900);
    CHECK(refused("-X POST '" + at->url("/join?nodeId=nobody&raftPort=") + std::to_string(nobody.raft_port) + "'",
                  "connection refused") < 4'000);
    // A port that answers with something else.
    CHECK(refused(body + "127.0.0.1:" + std::to_string(leader.port) + R"("}' )" + members, "no node answers") < 4'900);
  }
  CHECK(leader.cluster_field("last_log_index") == last);
  // One that is just starting is taken in all the same: nobody has to wait for it to listen.
  nobody.start();
  REQUIRE(eventually([&] { return nobody.get("/healthz").status == 200; }));
  CHECK(add_at(nodes.dir, leader, nobody).status == 200);
}

TEST_CASE(
    "a member that cannot be reached, as what is sent there gets lost: 409 well within request-timeout, from any "
    "node") {
  if (no_namespaces()) return;
  const TempDir dir;
  Network network(dir);
  Host& one = network.host("one", {"10.77.0.1/24"});
  Host& two = network.host("two", {"10.77.0.2/24"});
  Host& walled = network.host("walled", {"10.77.0.3/24"});
  Server a(dir, "node1", "10.77.0.1");
  Server b(dir, "node2", "10.77.0.2");
  a.netns = one.netns();
  b.netns = two.netns();
  for (Server* server : {&a, &b}) server->more = {"--protected-mode", "no"};
  a.start_ready();
  b.more.insert(b.more.end(), {"--join", a.raft_address()});
  b.start();
  await_voters({&a, &b}, 2);
  for (const Host* host : {&one, &two}) walled.drop_from(*host);
  const std::string last = a.cluster_field("last_log_index");
  for (const auto& [host, at] : {std::pair(&one, &a), std::pair(&two, &b)}) {
    for (const char* address : {"10.77.0.3:1112", "10.77.0.99:1112", "192.0.2.1:1112"}) {  // lost; nobody; no route
      CAPTURE(address);
      const auto begun = std::chrono::steady_clock::now();
      const Answer answer = host->curl(std::string("-d '{\"id\":\"x\",\"raft_address\":\"") + address + "\"}' " +
                                       at->url("/cluster/members"));
      const auto took = std::chrono::steady_clock::now() - begun;
      CHECK_MESSAGE(answer.status == 409, answer.body);
      CHECK(has(answer.body, std::string("no node answers at ") + address));
      CHECK(took < std::chrono::milliseconds(4'500));
    }
  }
  CHECK(a.cluster_field("last_log_index") == last);
}

// What is behind "leader_view" in GET /cluster; the members' fields before it are this node's own.
std::string leader_view(const Server& server) {
  const std::string cluster = server.cluster();
  const size_t at = cluster.find("\"leader_view\":");
  return at == std::string::npos ? "" : cluster.substr(at);
}

TEST_CASE("every node shows the members as the leader sees them, and what became of a killed one") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  const Servers followers = others(nodes.all, leader);
  for (Server* server : nodes.all)
    CHECK(eventually([&] {
      const std::string view = leader_view(*server);
      return has(view, "\"told_by\":\"" + leader.name + "\"") && has(view, "\"may_fail\":1") &&
             count_of(view, "\"silent\":false") == 3;
    }));
  followers.front()->kill();
  const std::string failed = "{\"id\":\"" + followers.front()->name + "\",\"silent\":true";
  for (Server* server : {&leader, followers.back()})
    CHECK(eventually([&] {
      const std::string view = leader_view(*server);
      return has(view, failed) && has(view, "\"may_fail\":0");
    }));
  // Without a leader the last word stays, and grows old.
  leader.kill();
  Server& last = *followers.back();
  const auto age = [&] {
    const std::string view = leader_view(last);
    const size_t at = view.find("\"age_ms\":");
    return at == std::string::npos ? -1 : std::atoi(view.c_str() + at + 9);
  };
  CHECK(eventually([&] { return age() > 1'500; }));
  CHECK(has(leader_view(last), failed));
}

TEST_CASE(
    "a follower is removed: told, silent, its files kept; two voters are warned of; it is added again with its data") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  const Servers followers = others(nodes.all, leader);
  Server& goes = *followers.front();
  Server& stays = *followers.back();
  CHECK(leader.get("/set?key=kept&value=data").status == 200);
  CHECK(eventually([&] { return goes.get("/get?key=kept&consistency=stale").body == "data"; }));
  CHECK(leader.cluster_field("tolerates") == "1");
  const std::string term = leader.cluster_field("term");

  CHECK(remove_at(nodes.dir, stays, goes.name).status == 200);  // forwarded
  CHECK(remove_at(nodes.dir, leader, goes.name).status == 404);
  check_removed(nodes.dir, goes, false);
  CHECK_FALSE(term_rises(leader, term));
  CHECK(leader.ready());
  CHECK(goes.cluster_field("term") == term);

  for (const Server* server : {&leader, &stays}) {
    CHECK(server->cluster_field("tolerates") == "0");
    CHECK(has(server->redis("INFO raft"), "tolerates:0"));
    CHECK(has(server->redis("INFO raft"), "tolerates_warning:the cluster has two voters"));
    CHECK(count_of(server->cluster(), "\"suffrage\"") == 2);
  }
  CHECK(eventually([&] { return has(leader.log(), "the cluster has two voters and tolerates no failure"); }));
  CHECK(count_of(leader.log(), "the cluster has two voters") == 1);

  CHECK(add_at(nodes.dir, stays, goes).status == 200);
  CHECK(eventually([&] { return goes.ready(); }));
  CHECK(goes.cluster_field("removed") == "false");
  CHECK(goes.get("/get?key=kept").body == "data");
  await_voters(nodes.all, 3);
}

TEST_CASE("the leader is removed: the client has its 200, another leads, no write is left in doubt") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  const Servers rest = others(nodes.all, leader);
  CHECK(leader.get("/set?key=kept&value=data").status == 200);
  Server client(nodes.dir, "client");
  client.program = "/bin/sh";
  client.arguments = {{"-c",
                       "i=0; while [ ! -e enough ]; do i=$((i+1)); curl -s -o /dev/null -w '%{http_code}\\n' "
                       "--max-time 20 -X POST \"" +
                           rest.front()->url("/set?key=k&value=$i") + "\"; done; exit 0"}};
  client.start();
  CHECK(eventually([&] { return count_of(client.log(), "200") >= 5; }));
  CHECK(remove_at(nodes.dir, leader, leader.name).status == 200);
  Server& next = await_leader(rest);
  CHECK(&next != &leader);
  check_removed(nodes.dir, leader, false);
  const size_t before = count_of(client.log(), "200");
  CHECK(eventually([&] { return count_of(client.log(), "200") >= before + 5; }));
  nodes.dir.write("enough", "");
  CHECK(client.wait() == 0);
  // Refused with 503, and so certainly without effect, at the most: what was on its way as leadership went over.
  CHECK(count_of(client.log(), "\n") == count_of(client.log(), "200") + count_of(client.log(), "503"));
  CHECK(count_of(client.log(), "503") <= 2);
  // The same again, asked of the other one: two voters become one.
  Server& last = *others(rest, next).front();
  CHECK(remove_at(nodes.dir, last, next.name).status == 200);
  CHECK(&await_leader({&last}) == &last);
  const Answer refused = remove_at(nodes.dir, last, last.name);
  CHECK(refused.status == 409);
  CHECK(has(refused.body, last.name + " is the last voter"));
  CHECK(last.get("/get?key=kept").body == "data");
}

TEST_CASE("removed while it was away: told when it is back, by whom it calls; an empty directory brings it in again") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  const Servers followers = others(nodes.all, leader);
  Server& goes = *followers.front();
  CHECK(leader.get("/set?key=kept&value=data").status == 200);
  CHECK(eventually([&] { return goes.get("/get?key=kept&consistency=stale").body == "data"; }));
  goes.kill();
  CHECK(remove_at(nodes.dir, leader, goes.name).status == 200);
  const std::string term = leader.cluster_field("term");
  const std::string warning = goes.name + " was removed from cluster ";
  goes.start();
  check_removed(nodes.dir, goes, true);
  CHECK(has(goes.log(), " says. It starts no election"));
  CHECK_FALSE(term_rises(leader, term));
  CHECK(eventually([&] { return has(leader.log(), "was removed from the cluster, or replaced"); }));
  CHECK(goes.stop() == 0);
  goes.start();
  CHECK(eventually([&] { return count_of(goes.log(), warning) == 2; }));
  CHECK(leader.cluster_field("term") == term);
  CHECK(goes.stop() == 0);
  sh(nodes.dir, "rm -r '" + goes.data_dir + "'");
  goes.start();
  await_voters(nodes.all, 3);
  CHECK(eventually([&] { return goes.ready(); }));
  CHECK(goes.cluster_field("removed") == "false");
  CHECK(goes.get("/get?key=kept").body == "data");
}

TEST_CASE("a disk is lost: the name is taken back while the old instance is silent, and the old one is told") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& lost = *others(nodes.all, leader).front();
  CHECK(leader.get("/set?key=kept&value=data").status == 200);

  Server twin(nodes.dir, "twin");  // another machine with the name of one that lives
  twin.name = lost.name;
  twin.more = {"--join", leader.raft_address()};
  twin.start();
  CHECK(eventually([&] { return has(twin.get("/readyz").body, "two machines must not have one name"); }));
  const Answer refused = add_at(nodes.dir, leader, twin);
  CHECK(refused.status == 409);
  CHECK(has(refused.body, "another node named " + lost.name + " is alive at " + lost.raft_address()));
  CHECK(twin.stop() == 0);
  CHECK(count_of(leader.cluster(), "\"suffrage\"") == 3);

  lost.kill();
  sh(nodes.dir, "mv '" + lost.data_dir + "' '" + lost.data_dir + ".old'");
  lost.start();
  CHECK(eventually([&] { return lost.ready() && lost.cluster_field("role") == "follower"; }));
  await_voters(nodes.all, 3);
  CHECK(lost.get("/get?key=kept").body == "data");
  CHECK(eventually([&] { return has(leader.log(), lost.name + " comes back with an empty disk"); }));

  // The old directory appears again, elsewhere.
  const std::string term = leader.cluster_field("term");
  Server old(nodes.dir, "old");
  old.name = lost.name;
  old.data_dir = lost.data_dir + ".old";
  old.start();
  CHECK(eventually([&] { return old.cluster_field("removed") == "true"; }));
  CHECK_FALSE(term_rises(leader, term));
  CHECK(lost.ready());
}

TEST_CASE("a removal that would break the quorum is refused, with the numbers and what to do") {
  ThreeNodes nodes({"--request-timeout", "2000"});
  Server& leader = await_leader(nodes.all);
  const Servers followers = others(nodes.all, leader);
  Server& dead = *followers.front();
  Server& alive = *followers.back();
  dead.kill();
  CHECK(eventually([&] { return has(leader.cluster(), "failed"); }));
  CHECK(leader.cluster_field("tolerates") == "0");
  const Answer refused = remove_at(nodes.dir, leader, alive.name);
  CHECK(refused.status == 409);
  CHECK(refused.header("wormhole-outcome") == "not-applied");
  CHECK(has(refused.body, "only 1 of 2 voters would be reachable, and 2 are needed"));
  CHECK(has(refused.body, "bring back or remove " + dead.name + " first"));
  CHECK(eventually([&] { return has(leader.log(), "tolerates no further failure: " + dead.name); }));
  CHECK(remove_at(nodes.dir, alive, dead.name).status == 200);  // the dead one goes
  CHECK(remove_at(nodes.dir, alive, "nobody").status == 404);
  // Two voters, one of them dead: nothing can be changed any more.
  alive.kill();
  CHECK(eventually([&] { return leader.cluster_field("leader_id") == "null"; }));
  const Answer stuck = remove_at(nodes.dir, leader, alive.name);
  CHECK(stuck.status == 409);
  CHECK(has(stuck.body,
            "only 1 of 2 voters can be reached and 2 are needed to change the members: bring back " + alive.name));
  CHECK(has(stuck.body, "--recover"));
  alive.start();
  CHECK(eventually([&] { return leader.ready() && alive.ready(); }));
}

}  // namespace wh::testing
