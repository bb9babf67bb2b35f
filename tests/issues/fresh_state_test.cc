// A node called its state fresh when it was not: a leader without an entry of its term may know a lower commit index
// than its predecessor did; a leader that stood still, or is cut off, does not know whether it still leads; and a
// message may be read long after it was sent.
#include <doctest/doctest.h>

#include "../unit/node/member.h"

namespace wh::node {
namespace {

TEST_CASE("a state is not fresh before an entry of the leader's term is applied") {
  Member bench;
  // All were restarted: the new leader knows of nothing committed but what it had written down.
  bench.led(kOther, 2, raft::Index{1}, {"acknowledged in an earlier life", "first of the term"}, 1);
  CHECK(bench.node.last_contact(bench.now) == 0u);
  CHECK_FALSE(bench.node.staleness(bench.now));
  bench.led(kOther, 2, raft::Index{3}, {}, 3);
  CHECK(bench.node.staleness(bench.now) == 0u);
}

TEST_CASE("a leader's state is as old as the last message that a quorum answered") {
  Member bench;
  bench.lead();
  bench.pass(200);
  CHECK(bench.node.staleness(bench.now) == 0u);
  // It stood still: neither the turn after that nor answers to what it sent before make its state fresh.
  const Millis before = bench.now;
  bench.now += 3'000;
  bench.turn();
  CHECK(bench.node.staleness(bench.now) == 3'000u);
  Member slow;
  slow.lead();
  slow.now += 400;
  slow.node.receive(kOther,
                    raft::AppendEntriesReply{.term = slow.node.raft()->current_term(),
                                             .success = true,
                                             .match_index = slow.last(),
                                             .sent_at = slow.now - 400},
                    slow.now);
  slow.turn();
  REQUIRE(slow.node.raft()->leads_for_certain());
  CHECK(slow.node.staleness(slow.now) == 400u);
  CHECK(before < bench.now);
}

TEST_CASE("what a new leader sent while this process stood still does not make the state fresh") {
  Member bench;
  bench.lead();
  bench.pass(200);
  bench.now += 3'000;
  SUBCASE("which it reads at once") {}
  SUBCASE("which it reads after a turn") { bench.node.drain(bench.now); }
  bench.led(kOther, 3, bench.last(), {"first of the term"}, bench.last().value + 1);
  CHECK(*bench.node.staleness(bench.now) >= 3'000u);
  bench.led(kOther, 3, bench.last(), {}, bench.last().value);
  CHECK(bench.node.staleness(bench.now) == 0u);
}

TEST_CASE("a message read late does not make the state fresh") {
  Member bench;
  bench.led(kOther, 2, raft::Index{1}, {"a"}, 2);
  const auto heartbeat = [&](Millis sent_at) {
    bench.node.receive(kOther,
                       raft::AppendEntries{.term = raft::Term{2},
                                           .prev_log_index = raft::Index{2},
                                           .prev_log_term = raft::Term{2},
                                           .leader_commit = raft::Index{2},
                                           .sent_at = sent_at},
                       bench.now);
    bench.persist();
  };
  heartbeat(700'000);
  bench.now += 4'000;
  heartbeat(700'100);
  CHECK(*bench.node.staleness(bench.now) >= 3'890u);
  bench.turn();
  heartbeat(704'000);
  CHECK(*bench.node.staleness(bench.now) <= 10u);
}

}  // namespace
}  // namespace wh::node
