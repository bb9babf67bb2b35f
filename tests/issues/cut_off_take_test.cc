// A leader promises events to the takes that it has proposed. One whose entry the next leader cut off kept its promise
// until it was answered, at its deadline: led the server again, then others waited beside events that were there.
#include <doctest/doctest.h>

#include "../unit/node/queue_member.h"

namespace wh::node {
namespace {

TEST_CASE("HAZARDS Q29: what a take was promised whose entry was cut off, others may take at once") {
  QueueLeader bench;
  bench.enqueue(1, "q");
  const raft::Index before = bench.last();
  const uint64_t term = bench.node.raft()->current_term().value;
  for (Token token = 10; token < 15; ++token) bench.node.submit_write(token, put("other"), true, bench.now);
  bench.persist();
  bench.receive(2, "q", 10'000);
  REQUIRE(bench.last().value == before.value + 6);
  // The others never had these entries.
  bench.led(kOther, term + 1, before, {"of another leader"}, before.value);
  REQUIRE(bench.last().value == before.value + 1);
  bench.lead();
  bench.settle();
  REQUIRE(bench.last().value < before.value + 6);
  CHECK(bench.got(2) == -1);
  bench.receive(3, "q", 10'000);
  bench.settle();
  CHECK(bench.node.waiting_for("q") == 0);
  CHECK(bench.got(3) == 1);
}

}  // namespace
}  // namespace wh::node
