// Cluster time at a node: whose clocks count, and what the leader proposes on its own.
#include "versioned.h"

using namespace wh;
using namespace wh::node;

TEST_CASE(
    "cluster time is brought forward to what a majority's clocks have reached, and one wrong clock does nothing") {
  Versioned bench;
  bench.lead();
  bench.says(kOther, 2);
  bench.says(kThird, 2);
  bench.settle();
  REQUIRE(bench.node.cluster_version() == 2);
  constexpr Millis kNow = 1'800'000'000'000;
  bench.node.set_clock(kNow + 5'000'000'000, bench.now);  // this one is months ahead
  bench.answers(kOther, kNow);
  bench.answers(kThird, kNow - 3'000);
  bench.wait(300);
  bench.settle();
  const Millis time = bench.node.cluster_time_ms(bench.now);
  CHECK(time >= kNow);
  CHECK(time < kNow + 10'000);
  // A second behind and more, again.
  bench.answers(kOther, kNow + 60'000);
  bench.answers(kThird, kNow + 60'000);
  bench.wait(300);
  bench.settle();
  CHECK(bench.node.cluster_time_ms(bench.now) >= kNow + 60'000);
}

// What a voter said goes on by this node's clock only for as long as that is believed: it may leap.
TEST_CASE("a clock that was heard before this node stood still counts no more") {
  Versioned bench;
  bench.lead();
  bench.says(kOther, 2);
  bench.says(kThird, 2);
  bench.settle();
  constexpr Millis kNow = 1'800'000'000'000;
  bench.node.set_clock(kNow, bench.now);
  bench.answers(kOther, kNow);
  bench.answers(kThird, kNow);
  bench.wait(300);
  bench.settle();
  bench.answers(kOther, kNow);
  bench.answers(kThird, kNow);
  bench.now += 2'000'000;
  bench.node.set_clock(kNow + 10, bench.now);
  bench.turn();
  CHECK(bench.node.machine().cluster_time_ms() < kNow + 10'000);
}

TEST_CASE("a new leader's stamps go on from what it heard, though nothing was appended") {
  Versioned bench;
  bench.led(kOther, 2, raft::Index{1}, {"a"}, 1);
  raft::AppendEntries heartbeat{
      .term = raft::Term{2}, .prev_log_index = bench.last(), .prev_log_term = raft::Term{2}, .time_ms = 3'600'000};
  bench.node.receive(kOther, heartbeat, bench.now);
  bench.persist();
  bench.lead(false);
  CHECK(bench.node.raft()->log().last_time_ms() >= 3'600'000);
}

TEST_CASE(
    "what falls due is proposed by the leader when its time has come, and the time is said while anything is held") {
  Versioned bench;
  bench.lead();
  bench.says(kOther, 2);
  bench.says(kThird, 2);
  bench.settle();
  bench.node.submit_write(1, machine::encode_command(machine::PutSettings{{{"dedup_window", 3'000}}}), true, bench.now);
  bench.node.submit_write(2, keyed(), true, bench.now);
  bench.persist();
  bench.settle();
  REQUIRE(bench.node.machine().idempotency().size() == 1);
  const Millis began = bench.now;
  raft::Index before = bench.last();
  while (bench.now < began + 2'500) {
    bench.wait(100);
    bench.settle();
  }
  CHECK(bench.node.machine().idempotency().size() == 1);
  CHECK(bench.last() - before >= 2);  // a second is the most that is lost when all stop
  CHECK(bench.last() - before <= 4);
  for (int i = 0; i < 20 && bench.node.machine().idempotency().size() != 0; ++i) {
    bench.wait(100);
    bench.settle();
  }
  CHECK(bench.node.machine().idempotency().size() == 0);
  before = bench.last();
  for (int i = 0; i < 30; ++i) {
    bench.wait(100);
    bench.settle();
  }
  CHECK(bench.last() == before);  // nothing is held: an idle leader writes nothing
}

TEST_CASE("HAZARDS D10: a lone node's version and time make it no less absorbable") {
  NodeOptions options = newer();
  Bench bench(options, empty_disk());
  bench.persist();
  for (int i = 0; i < 20; ++i) {
    bench.node.set_clock(1'800'000'000'000, bench.now);
    bench.wait(100);
  }
  CHECK(bench.node.cluster_version() == kLatestVersion);
  CHECK(bench.node.standing() == Standing::absorbable);
  CHECK(bench.transport.identity.versions.lowest == kFirstVersion);
  bench.node.submit_write(1, machine::encode_command(machine::Enqueue{"event", "e"}), true, bench.now);
  bench.persist();
  CHECK(bench.node.cluster_time_ms(bench.now) >= 1'800'000'000'000);  // before its first write
}
