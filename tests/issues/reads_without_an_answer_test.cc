// Reads were asked of the leader again and again, under new numbers, and their own time limit was never looked at: a
// leader that does not answer kept a client for ever.
#include <doctest/doctest.h>

#include "node_bench.h"

namespace wh::node {
namespace {

TEST_CASE("a read that the leader never answers ends in time") {
  Bench bench(bench_options(), member_disk());
  bench.heartbeat(raft::Term{2});
  bench.node.submit_read(5, bench.now);
  bench.persist();
  std::vector<Completion> completions;
  for (int i = 0; i < 30 && completions.empty(); ++i) {
    bench.heartbeat(raft::Term{2});
    bench.wait(100);
    completions = bench.node.take_completions();
  }
  REQUIRE(completions.size() == 1);
  CHECK(completions[0].token == 5);
  CHECK(completions[0].outcome == Outcome::dropped);
}

}  // namespace
}  // namespace wh::node
