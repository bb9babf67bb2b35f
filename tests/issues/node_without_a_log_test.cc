// Two bugs of a node in no cluster: its deadline was in the past while it waited for answers, so the loop spun; and an
// administrator's request to it was never answered.
#include <doctest/doctest.h>

#include "node_bench.h"

namespace wh::node {
namespace {

TEST_CASE("a seeking node sleeps while its questions are under way") {
  Bench bench(listed(), empty_disk());
  bench.persist();
  REQUIRE(bench.transport.asked.size() == 3);
  bench.wait(5'000);
  CHECK(bench.node.next_deadline() > bench.now);
}

TEST_CASE("a node in no cluster answers an administrator in time") {
  Bench bench(listed(), empty_disk());
  bench.persist();
  bench.node.submit_admin(9, {AdminKind::add, "other", "a:1"}, bench.now);
  bench.persist();
  bench.wait(2'000);
  const std::vector<Completion> completions = bench.node.take_completions();
  REQUIRE(completions.size() == 1);
  CHECK(completions[0].token == 9);
  CHECK(completions[0].outcome == Outcome::dropped);
}

}  // namespace
}  // namespace wh::node
