// Reads that wait for an index, and the waits of streams, at the node.
#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "member.h"

namespace wh::node {
namespace {

const Topic kClusterNews{Topic::Kind::cluster, {}};

NodeOptions with_waiting(size_t most) {
  NodeOptions options = bench_options();
  options.max_waiting = most;
  return options;
}

// Answers the last question of a follower for the leader's commit index.
void confirm(Member& bench, uint64_t index) {
  const auto asked = bench.sent_to<raft::ReadIndexRequest>(kOther);
  REQUIRE(!asked.empty());
  bench.node.receive(
      kOther,
      raft::ReadIndexReply{.term = raft::Term{2}, .token = asked.back().token, .ok = true, .index = raft::Index{index}},
      bench.now);
  bench.persist();
}

}  // namespace

TEST_CASE("a stale read with an index waits until this node has applied it, and asks nobody") {
  Member bench;
  bench.led(kOther, 2, raft::Index{1}, {"2", "3"}, 2);
  bench.node.submit_read(1, bench.now, {.stale = true, .min_index = raft::Index{2}});
  REQUIRE(bench.answer(1) != nullptr);
  bench.node.submit_read(2, bench.now, {.stale = true, .min_index = raft::Index{3}});
  bench.persist();
  CHECK(bench.answer(2) == nullptr);
  CHECK(bench.node.waiting() == 1);
  bench.led(kOther, 2, raft::Index{3}, {}, 3);
  REQUIRE(bench.answer(2) != nullptr);
  CHECK(bench.answer(2)->outcome == Outcome::applied);
  CHECK(bench.answer(2)->index == raft::Index{3});
  CHECK(bench.node.waiting() == 0);
  CHECK(bench.sent_to<raft::ReadIndexRequest>(kOther).empty());
}

TEST_CASE("a linearizable read with an index holds both: the index, and what the leader confirms after it") {
  Member bench;
  bench.led(kOther, 2, raft::Index{1}, {"2"}, 1);
  bench.node.submit_read(1, bench.now, {.min_index = raft::Index{2}});
  bench.persist();
  CHECK(bench.sent_to<raft::ReadIndexRequest>(kOther).empty());
  bench.led(kOther, 2, raft::Index{2}, {"3"}, 2);
  CHECK(bench.answer(1) == nullptr);
  confirm(bench, 3);
  CHECK(bench.answer(1) == nullptr);
  bench.led(kOther, 2, raft::Index{3}, {}, 3);
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::applied);
  CHECK(bench.answer(1)->index == raft::Index{3});
}

TEST_CASE("an index that does not come in time is answered with the one that is applied") {
  for (const bool stale : {false, true}) {
    Member bench;
    bench.led(kOther, 2, raft::Index{1}, {"2"}, 2);
    bench.node.submit_read(1, bench.now, {.stale = stale, .min_index = raft::Index{1'000}});
    bench.persist();
    bench.wait(bench_options().request_timeout_ms - 1);
    CHECK(bench.answer(1) == nullptr);
    CHECK(bench.node.next_deadline() <= bench.now + 1);
    bench.wait(1);
    REQUIRE(bench.answer(1) != nullptr);
    CHECK(bench.answer(1)->outcome == Outcome::dropped);
    CHECK(has(bench.answer(1)->sentence, "applied index 2,"));
    CHECK(has(bench.answer(1)->sentence, "1000"));
  }
}

TEST_CASE("after a restart an index counts as applied only when the leader has said that it is committed") {
  Member bench;
  bench.node.submit_read(1, bench.now, {.stale = true, .min_index = raft::Index{1}});
  bench.persist();
  CHECK(bench.answer(1) == nullptr);
  bench.led(kOther, 2, raft::Index{1}, {}, 1);
  CHECK(bench.answer(1) != nullptr);
}

TEST_CASE("a read whose asker is gone is given up wherever it stands, and others are not") {
  Member bench;
  bench.led(kOther, 2, raft::Index{1}, {"2"}, 2);
  // Before it is asked of the leader, while it is asked, while its index is not applied, while it waits for an index.
  const auto pending_after = [&](Token token) {
    bench.node.cancel(token);
    bench.persist();
    return bench.node.pending() + bench.node.waiting();
  };
  bench.node.submit_read(1, bench.now);
  CHECK(pending_after(1) == 0);
  CHECK(bench.sent_to<raft::ReadIndexRequest>(kOther).empty());
  bench.node.submit_read(2, bench.now);
  bench.node.submit_read(3, bench.now);
  bench.persist();
  CHECK(pending_after(2) == 1);
  bench.node.submit_read(4, bench.now, {.min_index = raft::Index{9}});
  CHECK(pending_after(4) == 1);
  confirm(bench, 3);
  CHECK(bench.node.pending() == 1);
  CHECK(pending_after(3) == 0);
  bench.led(kOther, 2, raft::Index{2}, {"3"}, 3);
  bench.wait(2 * bench_options().request_timeout_ms);
  for (Token token = 1; token <= 4; ++token) CHECK(bench.answer(token) == nullptr);
  CHECK(bench.node.counters().calls_cancelled == 4);
}

TEST_CASE("all of one batch of reads gone, and the batch's answer comes") {
  Member bench;
  bench.led(kOther, 2, raft::Index{1}, {"2"}, 2);
  bench.node.submit_read(1, bench.now);
  bench.persist();
  bench.node.cancel(1);
  bench.persist();
  confirm(bench, 5);
  bench.wait(bench_options().request_timeout_ms);
  CHECK(bench.answer(1) == nullptr);
  CHECK(bench.node.pending() == 0);
}

TEST_CASE("beyond max-waiting a wait is refused at once, and says which limit it is") {
  Member bench(with_waiting(1));
  bench.led(kOther, 2, raft::Index{1}, {}, 1);
  bench.node.submit_wait(1, {.topic = kClusterNews, .lasting = true}, bench.now);
  bench.node.submit_read(2, bench.now, {.stale = true, .min_index = raft::Index{9}});
  bench.node.submit_wait(3, {.topic = kClusterNews, .lasting = true}, bench.now);
  bench.node.submit_read(4, bench.now, {.stale = true, .min_index = raft::Index{1}});  // waits for nothing
  bench.persist();
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::applied);
  for (const Token token : {2, 3}) {
    REQUIRE(bench.answer(token) != nullptr);
    CHECK(bench.answer(token)->outcome == Outcome::overloaded);
    CHECK(has(bench.answer(token)->sentence, "max-waiting"));
  }
  REQUIRE(bench.answer(4) != nullptr);
  CHECK(bench.answer(4)->outcome == Outcome::applied);
  CHECK(bench.node.counters().waits_refused == 2);
  bench.node.set_max_waiting(2);
  bench.node.submit_wait(5, {.topic = kClusterNews, .lasting = true}, bench.now);
  bench.persist();
  REQUIRE(bench.answer(5) != nullptr);
  CHECK(bench.answer(5)->outcome == Outcome::applied);
  CHECK(bench.node.waiting() == 2);
}

TEST_CASE("a topic wakes its streams, and a change of leaders those waits that end with it") {
  Member bench;
  bench.led(kOther, 2, raft::Index{1}, {}, 1);
  bench.node.submit_wait(1, {.topic = kClusterNews, .lasting = true}, bench.now);
  bench.node.submit_wait(2, {.topic = Topic{Topic::Kind::queue, "q"}, .ends_with_leader = true}, bench.now);
  bench.node.submit_wait(3, {.topic = Topic{Topic::Kind::queue, "q"}, .until = bench.now + 50}, bench.now);
  bench.persist();
  bench.node.wake(kClusterNews);
  bench.persist();
  bench.node.wake(kClusterNews);
  bench.persist();
  bench.collect();
  CHECK(std::count_if(bench.done.begin(), bench.done.end(), [](const Completion& c) { return c.token == 1; }) == 3);
  bench.wait(50);
  REQUIRE(bench.answer(3) != nullptr);
  CHECK(bench.answer(3)->outcome == Outcome::timed_out);
  CHECK(bench.answer(2) == nullptr);
  bench.led(kThird, 3, raft::Index{1}, {}, 1);
  REQUIRE(bench.answer(2) != nullptr);
  CHECK(bench.answer(2)->outcome == Outcome::dropped);
  CHECK(has(bench.answer(2)->sentence, "leader changed"));
  CHECK(bench.node.waiting() == 1);
}

TEST_CASE("a node that is being stopped answers all who wait, and takes on no more") {
  Member bench;
  bench.led(kOther, 2, raft::Index{1}, {}, 1);
  bench.node.submit_wait(1, {.topic = kClusterNews, .lasting = true}, bench.now);
  bench.node.submit_read(2, bench.now, {.min_index = raft::Index{9}});
  bench.persist();
  CHECK_FALSE(bench.node.quiet());
  REQUIRE(bench.answer(1) != nullptr);
  bench.done.clear();
  bench.node.begin_shutdown(bench.now);
  bench.node.submit_read(3, bench.now, {.stale = true, .min_index = raft::Index{9}});
  bench.node.submit_wait(4, {.topic = kClusterNews}, bench.now);
  bench.persist();
  for (Token token = 1; token <= 4; ++token) {
    REQUIRE(bench.answer(token) != nullptr);
    CHECK(bench.answer(token)->outcome == Outcome::shutting_down);
  }
  CHECK(bench.node.waiting() == 0);
  CHECK(bench.node.quiet());
}

TEST_CASE("what a leader said before this node stood still is as old as that, until all that it said is read") {
  for (const raft::NodeId half_read : {raft::kNobody, kThird, kOther}) {
    Member bench;
    bench.led(kOther, 2, raft::Index{1}, {"2"}, 2);
    const auto hear = [&] {
      const raft::Index last = bench.node.raft()->log().last_index();
      bench.node.receive(
          kOther,
          raft::AppendEntries{
              .term = raft::Term{2}, .prev_log_index = last, .prev_log_term = raft::Term{2}, .leader_commit = last},
          bench.now);
      bench.node.drain(bench.now);
    };
    bench.now += 1;
    hear();
    REQUIRE(bench.node.staleness(bench.now) == 0u);
    bench.now += 450;
    hear();
    CHECK(bench.node.staleness(bench.now) >= 450u);
    if (half_read) bench.transport.half_read = {half_read};
    for (int turn = 0; turn < 3; ++turn) {
      bench.now += 1;
      hear();
    }
    // The stream of another member tells nothing of the leader's.
    if (half_read == kOther)
      CHECK(bench.node.staleness(bench.now) >= 450u);
    else
      CHECK(bench.node.staleness(bench.now) <= 2u);
    bench.transport.half_read.clear();
    for (int turn = 0; turn < 3; ++turn) {
      bench.now += 1;
      hear();
    }
    CHECK(bench.node.staleness(bench.now) <= 2u);
  }
}

TEST_CASE("a node says how long it has not heard from its leader, and how old its state may be") {
  Member bench;
  CHECK_FALSE(bench.node.last_contact(bench.now));
  CHECK_FALSE(bench.node.staleness(bench.now));
  bench.led(kOther, 2, raft::Index{1}, {"2"}, 3);  // more is committed than it holds
  bench.now += 40;
  CHECK(bench.node.last_contact(bench.now) == 40u);
  CHECK_FALSE(bench.node.staleness(bench.now));
  bench.led(kOther, 2, raft::Index{2}, {"3"}, 3);
  CHECK(bench.node.staleness(bench.now) == 0u);
  bench.now += 30;
  // Whoever else speaks is no leader: not in an older term, nor beside the leader.
  bench.node.receive(kThird, raft::AppendEntries{.term = raft::Term{1}, .prev_log_index = raft::Index{1}}, bench.now);
  CHECK(bench.node.last_contact(bench.now) == 30u);

  Member leader;
  leader.lead();
  CHECK(leader.node.last_contact(leader.now) == 0u);
  CHECK(leader.node.staleness(leader.now) == 0u);
  leader.led(kOther, 9, raft::Index{1}, {}, 1);
  leader.now += 20;
  CHECK(leader.node.last_contact(leader.now) == 20u);
}

}  // namespace wh::node
