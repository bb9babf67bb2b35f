// The leader's process dies: how long until the next write succeeds. A follower that was paused does not disturb the
// leader.
#include <algorithm>
#include <csignal>
#include <thread>

#include <doctest/doctest.h>

#include "load_support.h"

namespace wh::testing {

TEST_CASE("the leader is killed: the next write through a survivor, ten times") {
  Trio nodes;
  const size_t rounds = scaled(10, 3);
  std::vector<double> times;
  std::string each;
  for (size_t round = 0; round < rounds; ++round) {
    CAPTURE(round);
    Server& leader = await_leader(nodes.all);
    const Server& survivor = *others(nodes.all, leader)[round % 2];
    HttpClient http;
    const auto write = [&] {
      return http.request(survivor.port, "POST", "/set?key=round&value=" + std::to_string(round)).status;
    };
    CHECK(write() == 200);
    const auto start = LoadClock::now();
    leader.kill();
    CHECK(eventually([&] { return write() == 200; }));
    times.push_back(ms_since(start));
    each += (each.empty() ? "" : ", ") + in_ms(times.back());
    leader.start_ready();
  }
  CHECK(percentile(times, 1) < 5'000);
  figure("from SIGKILL of the leader to the next write: " + each);
}

TEST_CASE("HAZARDS A12: a follower stands still for 3 s, ten times, and the term does not rise") {
  Trio nodes;
  Server& leader = await_leader(nodes.all);
  const Servers followers = others(nodes.all, leader);
  const std::string term = info(leader, "term");
  HttpClient http;
  const size_t rounds = scaled(10, 2);
  size_t writes = 0;
  for (size_t round = 0; round < rounds; ++round) {
    CAPTURE(round);
    Server& follower = *followers[round % 2];
    const auto start = LoadClock::now();
    REQUIRE(follower.signal(SIGSTOP));
    while (ms_since(start) < 3'000) {
      CHECK(http.request(leader.port, "POST", "/set?key=k&value=" + std::to_string(++writes)).status == 200);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    REQUIRE(follower.signal(SIGCONT));
    await_same_state(nodes.all);
    CHECK(info(leader, "role") == "leader");
    for (const Server* server : nodes.all) CHECK(info(*server, "term") == term);
  }
  figure("stopped for 3 s " + std::to_string(rounds) + " times: the term stayed " + term + ", " +
         std::to_string(writes) + " writes meanwhile");
}

}  // namespace wh::testing
