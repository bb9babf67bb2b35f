// A follower is away while many entries are written. It catches up by a snapshot, and writes go on meanwhile.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include <doctest/doctest.h>

#include "load_support.h"

namespace wh::testing {
namespace {

constexpr size_t kBurst = 128;  // in flight while the follower is away
constexpr size_t kSteady = 16;  // in flight while latencies are measured; or kBurst, to outrun the follower

constexpr uint64_t kNear = 1'000;  // entries behind the leader, which goes on: caught up

struct Plan {
  std::string how;
  size_t entries;  // that pass while the follower is away; each sets a key of its own
  size_t value_bytes;
  size_t snapshot_entries;  // raft-snapshot-entries
  size_t window;            // in flight while it catches up
  void (*away)(Server&);
  void (*back)(Server&);
};

struct Written {
  size_t count = 0;
  size_t failed = 0;
  bool whole = false;  // every write was answered
  std::string first_failure;
  std::vector<double> latencies_ms;
  double took_ms = 0;
};

// Pipelined SETs of the plan's keys as long as `more` says so.
Written write_pipelined(const Plan& plan, const Server& server, size_t window,
                        const std::function<bool(size_t)>& more) {
  Written written;
  DebugPipe pipe(server.debug_port);
  const auto start = LoadClock::now();
  const std::string value(plan.value_bytes, 'v');
  const auto command = [&](size_t i) { return "SET key-" + std::to_string(i % plan.entries) + " " + value; };
  written.whole = pipe.run(window, more, command, [&](size_t, std::string_view reply, double ms) {
    ++written.count;
    written.latencies_ms.push_back(ms);
    if (reply == "OK") return;
    if (++written.failed == 1) written.first_failure = reply;
  });
  written.took_ms = ms_since(start);
  return written;
}

std::string shown(const Written& written) {
  return std::to_string(written.count) + " writes, p50 " + in_ms(percentile(written.latencies_ms, 0.5)) + ", p99 " +
         in_ms(percentile(written.latencies_ms, 0.99)) + ", longest " + in_ms(percentile(written.latencies_ms, 1));
}

void check_written(const Written& written) {
  CAPTURE(written.first_failure);
  CHECK(written.whole);
  CHECK(written.failed == 0);
}

void catch_up(const Plan& plan) {
  Trio nodes({"--raft-snapshot-entries", std::to_string(plan.snapshot_entries), "--raft-election-timeout",
              kSteadyElectionTimeout});
  Server& leader = await_leader(nodes.all);
  Server& follower = *others(nodes.all, leader)[0];
  plan.away(follower);
  const Written burst = write_pipelined(plan, leader, kBurst, [&](size_t i) { return i < plan.entries; });
  check_written(burst);
  // Not before the leader takes it for gone: for a follower that answers, compaction waits.
  REQUIRE(eventually([&] { return info_number(leader, "snapshots_taken") > 0; }));

  const auto quiet_from = LoadClock::now();
  const Written before =
      write_pipelined(plan, leader, plan.window, [&](size_t) { return ms_since(quiet_from) < 2'000; });
  check_written(before);

  std::atomic<bool> reached{false};
  Written during;
  std::thread writer([&] { during = write_pipelined(plan, leader, plan.window, [&](size_t) { return !reached; }); });
  const auto start = LoadClock::now();
  plan.back(follower);
  const bool caught_up = eventually(
      [&] {
        const uint64_t committed = info_number(leader, "commit_index");
        return committed != 0 && info_number(follower, "applied_index") + kNear >= committed;
      },
      2 * kPatienceMs);
  const double took_ms = ms_since(start);
  reached = true;
  writer.join();
  CHECK(caught_up);
  check_written(during);
  CHECK(info_number(follower, "snapshots_installed") >= 1);
  CHECK(info(leader, "role") == "leader");
  await_same_state(nodes.all);
  figure(plan.how + " while " + std::to_string(burst.count) + " entries passed in " + in_ms(burst.took_ms) + " (" +
         std::to_string(static_cast<int>(static_cast<double>(burst.count) * 1000 / burst.took_ms)) +
         " a second): caught up by snapshot in " + in_ms(took_ms) + "; before: " + shown(before) +
         "; during: " + shown(during));
}

}  // namespace

TEST_CASE("HAZARDS F7: a killed follower catches up by snapshot after 200,000 entries") {
  const size_t entries = scaled(200'000, 20'000);
  catch_up({"killed", entries, 40, entries / 2, kSteady, [](Server& server) { server.kill(); },
            [](Server& server) { server.start(); }});
}

TEST_CASE("HAZARDS F7: a stopped follower catches up by snapshot") {
  const size_t entries = scaled(60'000, 20'000);
  catch_up({"stopped", entries, 40, entries / 2, kSteady, [](Server& server) { server.signal(SIGSTOP); },
            [](Server& server) { server.signal(SIGCONT); }});
}

TEST_CASE("HAZARDS F7: a follower catches up although the log is compacted again and again meanwhile") {
  const size_t entries = scaled(80'000, 20'000);
  catch_up({"killed", entries, 500, entries / 40, kBurst, [](Server& server) { server.kill(); },
            [](Server& server) { server.start(); }});
}

}  // namespace wh::testing
