// Slow disks: an answer waits for the disks of a majority and for no others; a cluster with only slow disks elects and
// keeps a leader; a leader whose disk hangs steps down.
#include <algorithm>
#include <csignal>
#include <cstdio>

#include <doctest/doctest.h>

#include "load_support.h"

namespace wh::testing {
namespace {

constexpr int kSlowMs = 300;
constexpr double kFastMs = 150;

std::string control_file(const Trio& nodes, const Server& server) { return nodes.dir.path("slow-" + server.name); }

// Three nodes whose syncs can be slowed down while they run.
struct SlowTrio : Trio {
  SlowTrio()
      : Trio({}, [](Trio& nodes, Server& server) {
          server.environment["LD_PRELOAD"] = WORMHOLE_SLOW_SYNC;
          server.environment["SLOW_SYNC_FILE"] = control_file(nodes, server);
        }) {}

  // Renamed into place, so that it is never read half written.
  void slow_down(const Server& server, int ms) const {
    const std::string file = control_file(*this, server);
    REQUIRE(std::rename(dir.write("slow.tmp", std::to_string(ms)).c_str(), file.c_str()) == 0);
  }
  void slow_down_all(int ms) const {
    for (const Server* server : all) slow_down(*server, ms);
  }
};

// So many writes, one after the other; each must succeed. Their latencies in ms.
std::vector<double> write_some(const Server& server, size_t count) {
  static size_t number = 0;
  HttpClient http;
  std::vector<double> latencies;
  for (size_t i = 0; i < count; ++i) {
    const auto start = LoadClock::now();
    const HttpReply reply =
        http.request(server.port, "POST", "/set?key=slow-" + std::to_string(++number % 100) + "&value=x");
    CHECK(reply.status == 200);
    latencies.push_back(ms_since(start));
  }
  return latencies;
}

double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

}  // namespace

TEST_CASE("HAZARDS C1: an answer waits for the disks of a majority, and for no more") {
  allow_preloading(WORMHOLE_SLOW_SYNC);
  SlowTrio nodes;
  const size_t few = 6;
  Server& leader = await_leader(nodes.all);
  const Servers followers = others(nodes.all, leader);
  const std::string term = info(leader, "term");
  const auto fast = write_some(leader, 40);

  nodes.slow_down(*followers[0], kSlowMs);
  const auto one_slow = write_some(leader, 40);
  CHECK(percentile(one_slow, 0.5) < kFastMs);

  nodes.slow_down(*followers[1], kSlowMs);
  const auto followers_slow = write_some(leader, few);
  CHECK(least(followers_slow) >= kSlowMs);

  nodes.slow_down(leader, kSlowMs);
  const auto all_slow = write_some(leader, few);
  CHECK(least(all_slow) >= kSlowMs);
  const auto forwarded = write_some(*followers[1], few);
  CHECK(least(forwarded) >= kSlowMs);

  nodes.slow_down(*followers[0], 0);
  const auto leader_and_one_slow = write_some(leader, few);
  CHECK(least(leader_and_one_slow) >= kSlowMs);

  // HTTP is one way to write of several.
  for (const std::string command : {"SET k v", "RPUSH event e", "MSET a 1 b 2", "DEL k"}) {
    CAPTURE(command);
    DebugPipe pipe(leader.debug_port);
    const auto start = LoadClock::now();
    CHECK_FALSE(pipe.one(command).starts_with('-'));
    CHECK(ms_since(start) >= kSlowMs);
  }

  nodes.slow_down(*followers[1], 0);
  const auto leader_slow = write_some(leader, few);
  CHECK(percentile(leader_slow, 0.5) < kFastMs);
  CHECK(info(leader, "term") == term);
  figure("median of a write: all disks fast " + in_ms(percentile(fast, 0.5)) + ", one follower's +300 ms " +
         in_ms(percentile(one_slow, 0.5)) + ", both followers' " + in_ms(percentile(followers_slow, 0.5)) + ", all " +
         in_ms(percentile(all_slow, 0.5)) + ", through a follower " + in_ms(percentile(forwarded, 0.5)) +
         ", the leader's and one " + in_ms(percentile(leader_and_one_slow, 0.5)) + ", the leader's alone " +
         in_ms(percentile(leader_slow, 0.5)));
}

TEST_CASE("with default timeouts and every sync 300 ms slower, three nodes elect and keep their leader") {
  allow_preloading(WORMHOLE_SLOW_SYNC);
  SlowTrio nodes;
  nodes.slow_down_all(kSlowMs);
  std::string times;
  const size_t rounds = scaled(3);
  for (size_t round = 0; round < rounds; ++round) {
    CAPTURE(round);
    Server& leader = await_leader(nodes.all);
    const uint64_t term = info_number(leader, "term");
    CHECK(least(write_some(leader, 4)) >= kSlowMs);
    CHECK(info_number(leader, "term") == term);
    leader.kill();
    const Servers survivors = others(nodes.all, leader);
    const auto start = LoadClock::now();
    const uint64_t elected = info_number(await_leader(survivors), "term");
    times += (times.empty() ? "" : ", ") + in_ms(ms_since(start)) + " and " + std::to_string(elected - term) + " terms";
    leader.start_ready();
    CHECK(info_number(await_leader(nodes.all), "term") == elected);
  }
  for (Server* server : nodes.all) server->signal(SIGKILL);
  for (Server* server : nodes.all) server->kill();
  const auto start = LoadClock::now();
  for (Server* server : nodes.all) server->start();
  Server& leader = await_leader(nodes.all);
  const double took_ms = ms_since(start);
  const uint64_t term = info_number(leader, "term");
  CHECK(least(write_some(leader, 4)) >= kSlowMs);
  CHECK(info_number(leader, "term") == term);
  figure("every sync +300 ms: a new leader after " + times + "; all three started anew after " + in_ms(took_ms));
}

TEST_CASE("HAZARDS C9, C10: a leader whose disk stands still gives way, and does not answer from the past") {
  allow_preloading(WORMHOLE_SLOW_SYNC);
  SlowTrio nodes;
  Server& old = await_leader(nodes.all);
  const Servers rest = others(nodes.all, old);
  write_some(old, 3);
  constexpr int kStallMs = 4'000;
  nodes.slow_down(old, kStallMs);

  // Sent to the stalled leader: on its own it could acknowledge none of them once the others do not need it.
  std::vector<std::thread> threads;
  std::vector<HttpReply> replies(8);
  for (size_t i = 0; i < replies.size(); ++i)
    threads.emplace_back([&, i] {
      HttpClient http;
      replies[i] =
          http.request(old.port, "POST", "/set?key=stalled-" + std::to_string(i) + "&value=" + std::to_string(i));
    });
  const auto start = LoadClock::now();
  const bool moved = eventually([&] {
    return std::any_of(rest.begin(), rest.end(), [](Server* server) { return info(*server, "role") == "leader"; });
  });
  const double moved_ms = ms_since(start);
  CHECK(moved);
  CHECK(info(old, "role") != "leader");
  write_some(*rest[0], 3);
  const double written_ms = ms_since(start);
  nodes.slow_down(old, 0);
  for (std::thread& thread : threads) thread.join();
  await_leader(nodes.all);
  size_t done = 0;
  size_t refused = 0;
  size_t unknown = 0;
  for (size_t i = 0; i < replies.size(); ++i) {
    CAPTURE(i);
    CAPTURE(replies[i].status);
    CAPTURE(replies[i].header("wormhole-outcome"));
    const Answer there = rest[1]->get("/get?key=stalled-" + std::to_string(i));
    if (replies[i].status == 200) {
      ++done;
      CHECK(there.body == std::to_string(i));
    } else if (replies[i].header("wormhole-outcome") == "not-applied") {
      ++refused;
      CHECK(there.status == 404);
    } else {
      ++unknown;
      CHECK(replies[i].status == 504);
    }
  }
  await_same_state(nodes.all);
  figure("the leader's disk stood still for 4 s: another leads after " + in_ms(moved_ms) + ", 3 writes done by " +
         in_ms(written_ms) + "; its own clients: " + std::to_string(done) + " done, " + std::to_string(refused) +
         " refused, " + std::to_string(unknown) + " unknown");
}

TEST_CASE("SIGTERM while requests wait for slow disks: each is answered") {
  allow_preloading(WORMHOLE_SLOW_SYNC);
  SlowTrio nodes;
  Server& leader = await_leader(nodes.all);
  nodes.slow_down_all(kSlowMs);
  std::vector<std::thread> threads;
  std::vector<HttpReply> replies(20);
  for (size_t i = 0; i < replies.size(); ++i)
    threads.emplace_back([&, i] {
      HttpClient http;
      replies[i] = http.request(leader.port, "POST", "/set?key=waiting-" + std::to_string(i) + "&value=x");
    });
  const bool pending = eventually([&] { return info_number(leader, "pending_requests") == replies.size(); }, 5'000);
  const auto start = LoadClock::now();
  leader.signal(SIGTERM);
  const std::optional<int> status = leader.wait();
  const double took_ms = ms_since(start);
  for (std::thread& thread : threads) thread.join();
  CHECK(pending);
  CHECK(status == 0);
  CHECK(took_ms < 5'000);
  nodes.slow_down_all(0);
  Server& next = await_leader(nodes.all);
  std::map<int, size_t> answers;
  for (size_t i = 0; i < replies.size(); ++i) {
    CAPTURE(i);
    CAPTURE(replies[i].header("wormhole-outcome"));
    ++answers[replies[i].status];
    CHECK((replies[i].status == 200 || replies[i].status == 503 || replies[i].status == 504));
    if (replies[i].status == 504) continue;
    CHECK(next.get("/get?key=waiting-" + std::to_string(i)).status == (replies[i].status == 200 ? 200 : 404));
  }
  std::string text;
  for (const auto& [code, count] : answers) text += " " + std::to_string(count) + " x " + std::to_string(code);
  figure("SIGTERM with 20 requests waiting: ended after " + in_ms(took_ms) + "; answers:" + text);
}

}  // namespace wh::testing
