#include <doctest/doctest.h>

#include "cluster.h"

using namespace wh::raft;
using namespace wh::raft::test;

TEST_CASE("three servers elect a leader, which commits what it is given") {
  Cluster c;
  c.nodes({1, 2, 3});
  REQUIRE(c.run_until([&] { return c.leader() != 0; }));
  const Id lead = c.leader();
  const uint64_t token = c.propose(lead, "a");
  CHECK(c.converge() == "");
  CHECK(c.proposal(token).refusal == Refusal::none);
  CHECK(c.has_committed("a"));
  for (Id id : {1, 2, 3}) CHECK(c.values(id) == std::vector<std::string>{"a"});
}
