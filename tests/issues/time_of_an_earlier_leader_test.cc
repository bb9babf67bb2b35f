// A server that led took the highest time that any leader had ever told it. A leader in between may not have heard of
// that time: it goes on from an earlier one, and leases that it granted were then over too early.
#include <doctest/doctest.h>

#include "../unit/node/member.h"

namespace wh::node {
namespace {

void tells(Member& bench, raft::NodeId leader, uint64_t term, Millis time_ms) {
  const raft::Index last = bench.last();
  bench.node.receive(leader,
                     raft::AppendEntries{.term = raft::Term{term},
                                         .prev_log_index = last,
                                         .prev_log_term = *bench.node.raft()->log().term_at(last),
                                         .time_ms = time_ms},
                     bench.now);
  bench.persist();
}

TEST_CASE("a new leader's stamps go on from what the leader before it told, and not one before that") {
  Member bench;
  bench.led(kOther, 2, raft::Index{1}, {"a"}, 1);
  tells(bench, kOther, 2, 3'600'000);
  // The next leader was cut off from the first, and continues from what it heard itself.
  bench.led(kThird, 3, raft::Index{2}, {"b"}, 2);
  tells(bench, kThird, 3, 60'000);
  tells(bench, kThird, 3, 50'000);  // was late
  bench.lead(false);
  CHECK(bench.node.raft()->log().last_time_ms() >= 60'000);
  CHECK(bench.node.raft()->log().last_time_ms() < 120'000);
}

TEST_CASE("a leader that tells no time leaves none of the leader before it") {
  Member bench;
  bench.led(kOther, 2, raft::Index{1}, {"a"}, 1);
  tells(bench, kOther, 2, 3'600'000);
  bench.led(kThird, 3, raft::Index{2}, {"b"}, 2);
  bench.lead(false);
  CHECK(bench.node.raft()->log().last_time_ms() < 60'000);
}

}  // namespace
}  // namespace wh::node
