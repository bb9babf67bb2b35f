// The promises while members die: no acknowledged write is lost, no POST becomes two events, and each client's events
// stay in order. Clients are shell loops around curl that record what was acknowledged.
#include <algorithm>
#include <csignal>
#include <map>
#include <sstream>

#include <doctest/doctest.h>

#include "harness.h"
#include "posting_client.h"

namespace wh::testing {
namespace {

// Empties the queue, in order, over the debug port: as an array of bulk strings, one LPOP each.
std::vector<std::string> drain(const ThreeNodes& nodes, const Server& server) {
  const size_t length = std::stoul(server.redis("LLEN event"));
  std::string commands;
  for (size_t i = 0; i < length; ++i) commands += "LPOP event\r\n";
  nodes.dir.write("drain", commands + "QUIT\r\n");
  std::istringstream lines(sh(nodes.dir, "nc -w 60 127.0.0.1 " + std::to_string(server.debug_port) + " < drain").out);
  std::vector<std::string> events;
  for (std::string line; std::getline(lines, line);)
    if (line.find('-') != std::string::npos) events.push_back(line.substr(0, line.find('\r')));
  CHECK(events.size() == length);
  CHECK(server.redis("LLEN event") == "0");
  return events;
}

void check_promises(const std::vector<std::string>& acknowledged, const std::vector<std::string>& drained) {
  std::map<std::string, int> times;
  for (const std::string& event : drained) ++times[event];
  for (const auto& [event, count] : times) CHECK_MESSAGE(count == 1, event, " is there more than once");
  for (const std::string& event : acknowledged)
    CHECK_MESSAGE(times[event] == 1, event, " was acknowledged and is lost");
  std::map<std::string, int> last;
  for (const std::string& event : drained) {
    const size_t dash = event.find('-');
    const int number = std::stoi(event.substr(dash + 1));
    int& before = last[event.substr(0, dash)];
    CHECK_MESSAGE(number > before, event, " is out of order");
    before = number;
  }
}

}  // namespace

TEST_CASE("leaders are killed and paused under load: nothing acknowledged is lost, nothing is doubled or reordered") {
  ThreeNodes nodes;
  PostingClient first(nodes.dir, nodes.all, "x");
  PostingClient second(nodes.dir, nodes.all, "y");
  const auto progress = [&] {
    const size_t before = first.acknowledged() + second.acknowledged();
    return eventually([&] { return first.acknowledged() + second.acknowledged() >= before + 10; });
  };
  CHECK(progress());
  for (int round = 0; round < 2; ++round) {
    Server& killed = await_leader(nodes.all);
    killed.kill();
    CHECK(progress());
    killed.start();
    Server& paused = await_leader(nodes.all);
    REQUIRE(paused.signal(SIGSTOP));
    await_leader(others(nodes.all, paused));
    REQUIRE(paused.signal(SIGCONT));
    CHECK(progress());
    Server& stopped = await_leader(nodes.all);
    CHECK(stopped.stop() == 0);
    CHECK(progress());
    stopped.start();
    await_leader(nodes.all);
  }
  nodes.dir.write("enough", "");
  std::vector<std::string> acknowledged = first.finish();
  for (std::string& event : second.finish()) acknowledged.push_back(std::move(event));
  CHECK(acknowledged.size() >= 70);
  check_promises(acknowledged, drain(nodes, await_leader(nodes.all)));
}

TEST_CASE("all nodes are killed at once: what was acknowledged is there again") {
  ThreeNodes nodes({"--raft-snapshot-entries", "25"});
  PostingClient client(nodes.dir, nodes.all, "z");
  CHECK(eventually([&] { return client.acknowledged() >= 60; }));
  for (Server* server : nodes.all) server->kill();
  nodes.dir.write("enough", "");
  const std::vector<std::string> acknowledged = client.finish();
  for (Server* server : nodes.all) server->start();
  check_promises(acknowledged, drain(nodes, await_leader(nodes.all)));
}

TEST_CASE("a stopped leader hands over: the clients of the others hardly notice") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& other = *others(nodes.all, leader).front();
  CHECK(leader.stop() == 0);
  const Answer answer = curl(nodes.dir, "-L -d event=after " + other.url("/event"));
  CHECK(answer.status == 201);
  CHECK(other.get("/event").body == "after");
}

TEST_CASE("follower-writes: forward, redirect, and forward where credentials would be lost") {
  ThreeNodes nodes;
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader).front();
  const std::string post = "-d event=x " + follower.url("/event");
  CHECK(curl(nodes.dir, post).status == 307);
  CHECK(curl(nodes.dir, "-H 'Authorization: Bearer none' " + post).status == 201);
  const std::string cloud_event = "-H 'Ce-Specversion: 1.0' -H 'Ce-Id: 1' -H 'Ce-Source: /s' -H 'Ce-Type: t' ";
  CHECK(curl(nodes.dir, cloud_event + post).status == 201);
  CHECK(follower.redis("CONFIG SET follower-writes forward") == "OK");
  CHECK(curl(nodes.dir, post).status == 201);
  CHECK(curl(nodes.dir, "-X DELETE " + follower.url("/event")).status == 204);
  CHECK(follower.redis("CONFIG SET follower-writes redirect") == "OK");
  const Answer redirected = curl(nodes.dir, "-d '{\"a\":\"b\"}' " + follower.url("/key/"));
  CHECK(redirected.status == 307);
  CHECK(redirected.header("location") == leader.url("/key/"));
  CHECK(curl(nodes.dir, "-L -d '{\"a\":\"b\"}' " + follower.url("/key/")).status == 200);
  CHECK(leader.get("/key/a").body == "{\"a\":\"b\"}\n");
}

}  // namespace wh::testing
