// Clients post events while nodes are killed or stopped: each acknowledged event is there exactly once, and in order.
#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>

#include "load_support.h"

namespace wh::testing {
namespace {

std::string shown(const Tally& tally) {
  return std::to_string(tally.acknowledged) + " acknowledged, " + std::to_string(tally.refused) + " refused, " +
         std::to_string(tally.unknown) + " unknown of which " + std::to_string(tally.unknown_there) + " took effect";
}

// Waits until so many more events are acknowledged; fails the test when that takes too long.
void await_acknowledged(const Crowd& crowd, size_t count) {
  REQUIRE_MESSAGE(eventually([&] { return crowd.acknowledged() >= count || crowd.ended(); }),
                  "the clients get no further: ", crowd.acknowledged(), " of ", count);
}

}  // namespace

TEST_CASE("the leader is killed while three nodes take 1,000 events each") {
  Trio nodes;
  constexpr size_t kClients = 8;
  const size_t wanted = scaled(1'000, 200) / kClients;
  const auto start = LoadClock::now();
  Crowd crowd(nodes.all, kClients, wanted);
  const size_t all = wanted * crowd.clients.size();
  await_acknowledged(crowd, all / 3);
  Server& leader = await_leader(nodes.all);
  CHECK(leader.kill() == 137);
  const size_t at_kill = crowd.acknowledged();
  await_acknowledged(crowd, std::min(at_kill + all / 10, all * 2 / 3));
  leader.start_ready();  // its own clients go on
  REQUIRE(eventually([&] { return crowd.ended(); }, 2 * kPatienceMs));
  crowd.join();
  const double took_ms = ms_since(start);
  await_leader(nodes.all);

  // Each event's id is the one under which any node shows it.
  uint64_t least = UINT64_MAX;
  for (const auto& client : crowd.clients)
    for (const Attempt& attempt : client->attempts)
      if (attempt.fate == Attempt::Fate::acknowledged) least = std::min(least, attempt.id);
  for (const Server* server : nodes.all) {
    const Answer front = server->get("/event");
    CHECK(front.status == 200);
    CHECK(std::strtoull(front.header("wormhole-event-id").c_str(), nullptr, 10) <= least);
  }

  const Tally tally = check_queue(nodes.b, crowd);
  CHECK(tally.acknowledged == all);
  await_same_state(nodes.all);
  figure("leader killed under load: " + shown(tally) + "; " + in_ms(took_ms));
}

TEST_CASE("all three nodes are killed under load, ten times, with snapshots every 200 entries") {
  Trio nodes({"--raft-snapshot-entries", "200"});
  Crowd crowd(nodes.all, 4, SIZE_MAX);
  const size_t rounds = scaled(10, 3);
  const auto start = LoadClock::now();
  for (size_t round = 0; round < rounds; ++round) {
    CAPTURE(round);
    await_acknowledged(crowd, crowd.acknowledged() + 300);
    for (Server* server : nodes.all) server->signal(SIGKILL);
    for (Server* server : nodes.all) CHECK(server->kill() == 137);
    for (Server* server : nodes.all) server->start();
    await_leader(nodes.all);
  }
  crowd.stop();
  crowd.join();
  const double took_ms = ms_since(start);
  const Tally tally = check_queue(await_leader(nodes.all), crowd);
  await_same_state(nodes.all);
  for (const Server* server : nodes.all) CHECK(info_number(*server, "snapshot_index") > 0);
  figure("all killed " + std::to_string(rounds) + " times: " + shown(tally) + "; " + in_ms(took_ms));
}

TEST_CASE("HAZARDS C10: the leader stands still under load, another takes over, and the first goes on") {
  Trio nodes;
  Crowd crowd(nodes.all, 4, SIZE_MAX);
  const size_t rounds = scaled(3, 2);
  for (size_t round = 0; round < rounds; ++round) {
    CAPTURE(round);
    await_acknowledged(crowd, crowd.acknowledged() + 200);
    Server& leader = await_leader(nodes.all);
    REQUIRE(leader.signal(SIGSTOP));
    await_leader(others(nodes.all, leader));
    await_acknowledged(crowd, crowd.acknowledged() + 50);
    REQUIRE(leader.signal(SIGCONT));
    await_leader(nodes.all);
  }
  crowd.stop();
  crowd.join();
  const Tally tally = check_queue(await_leader(nodes.all), crowd);
  await_same_state(nodes.all);
  figure("leader stopped and continued " + std::to_string(rounds) + " times under load: " + shown(tally));
}

TEST_CASE("HAZARDS C19: SIGTERM under load ends the leader within 5 s and loses nothing") {
  Trio nodes;
  Crowd crowd(nodes.all, 4, SIZE_MAX);
  const size_t rounds = scaled(3, 2);
  std::string times;
  for (size_t round = 0; round < rounds; ++round) {
    CAPTURE(round);
    await_acknowledged(crowd, crowd.acknowledged() + 200);
    Server& leader = await_leader(nodes.all);
    const auto start = LoadClock::now();
    REQUIRE(leader.signal(SIGTERM));
    const std::optional<int> status = leader.wait();
    const double took_ms = ms_since(start);
    CHECK(status == 0);
    CHECK(took_ms < 5'000);
    times += (times.empty() ? "" : ", ") + in_ms(took_ms);
    leader.start_ready();
  }
  crowd.stop();
  crowd.join();
  const Tally tally = check_queue(await_leader(nodes.all), crowd);
  await_same_state(nodes.all);
  figure("SIGTERM under load: " + shown(tally) + "; the leader ended after " + times);
}

}  // namespace wh::testing
