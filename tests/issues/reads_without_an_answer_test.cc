// A follower asked the leader for reads again and again, under new numbers, and never checked their time limit: if the
// leader did not answer, the client waited for ever.
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
