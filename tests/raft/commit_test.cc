#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
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

TEST_CASE(
    "Figure 8, HAZARDS B1: entries of earlier terms are committed by one of the leader's own, never by counting") {
  Cluster c;
  lead(c, {1, 2}, 4, {1, 2, 3, 4, 5});
  REQUIRE(c.raft(1).role() == Role::leader);
  for (const Id id : {2, 3, 4, 5}) c.receive(1, id, accepted(4, 2));
  CHECK(c.raft(1).commit_index() == Index{0});
  CHECK_FALSE(c.raft(1).leads_for_certain());
  c.receive(1, 2, accepted(4, 3));
  CHECK(c.raft(1).commit_index() == Index{0});
  c.receive(1, 3, accepted(4, 3));
  CHECK(c.raft(1).commit_index() == Index{3});
  CHECK(c.raft(1).leads_for_certain());
  CHECK(c.at(1).applied.size() == 3);
}

TEST_CASE("HAZARDS B3: a follower commits what this leader has shown to match, not all it holds") {
  Cluster c;
  lone(c, {1, 1, 1, 1}, 1);
  c.receive(1, 2, append(2, 1, 1, {}, 4));  // a heartbeat that stands on 1
  CHECK(c.raft(1).commit_index() == Index{1});
  c.receive(1, 2, append(2, 1, 1, {entry_of(2, 1)}, 4));
  CHECK(c.raft(1).commit_index() == Index{2});
  CHECK(c.last<AppendEntriesReply>(1, 2)->match_index == Index{2});
  c.receive(1, 2, append(2, 3, 1, {}, 3));
  CHECK(c.raft(1).commit_index() == Index{3});
}

TEST_CASE("HAZARDS B3: what an earlier leader verified does not count for the next") {
  Cluster c;
  lone(c, {1}, 1);
  c.receive(1, 2, append(1, 1, 1, {entry_of(2, 1), entry_of(3, 1)}));
  CHECK(c.last<AppendEntriesReply>(1, 2)->match_index == Index{3});
  c.receive(1, 3, append(2, 1, 1, {}, 1));
  CHECK(c.last<AppendEntriesReply>(1, 3)->match_index == Index{1});
  c.receive(1, 3, append(2, 1, 1, {}, 3));
  CHECK(c.raft(1).commit_index() == Index{1});
}

TEST_CASE("HAZARDS B4: the commit index does not go down") {
  Cluster c;
  lone(c, {1, 1, 1}, 1);
  c.receive(1, 2, append(1, 3, 1, {}, 3));
  c.receive(1, 2, append(1, 3, 1, {}, 1));
  c.receive(1, 2, append(1, 1, 1, {}, 1));
  CHECK(c.raft(1).commit_index() == Index{3});
}

TEST_CASE("HAZARDS B7: a proposal is named by term and index, and whoever does not lead appends nothing") {
  Cluster c;
  lead(c, {}, 3);
  const uint64_t first = c.propose(1, "a");
  CHECK(c.proposal(first).index == Index{2});
  CHECK(c.proposal(first).term == Term{3});
  // Deposed: its index 2 becomes somebody else's entry, of another term.
  c.receive(1, 2, append(4, 1, 3, {entry_of(2, 4)}, 2));
  REQUIRE(c.at(1).applied.size() == 2);
  CHECK(c.at(1).applied[1].term == Term{4});
  const uint64_t second = c.propose(1, "b");
  CHECK(c.proposal(second).refusal == Refusal::not_leader);
  CHECK(c.raft(1).log().last_index() == Index{2});
}

TEST_CASE("committed entries come in portions, in order, each once") {
  Options options = test_options();
  options.max_apply_bytes = 200;
  Cluster c(options);
  lone(c, std::vector<uint64_t>(50, 1), 1);
  c.receive(1, 2, append(1, 50, 1, {}, 50));
  CHECK(c.at(1).applied.size() == 50);  // the harness checks order and asks while there is more
}

TEST_CASE("of what its owner does not take, a bounded part stays in memory, and the rest is loaded when it does") {
  Options options = test_options();
  options.log_cache_bytes = 1'000;
  Cluster c(options);
  lone(c, {1}, 1);
  const size_t applied = c.at(1).applied.size();
  c.at(1).raft->hold_committed(true);
  constexpr uint64_t kLast = 300;
  for (uint64_t index = 2; index <= kLast; ++index) {
    c.receive(1, 2, append(1, index - 1, 1, {entry_of(index, 1, "some value")}, index));
    CHECK(c.raft(1).log().cached_bytes() <= 4 * options.log_cache_bytes + 200);
  }
  CHECK(c.raft(1).commit_index() == Index{kLast});
  CHECK(c.at(1).applied.size() == applied);
  CHECK(c.at(1).loads == 0);
  c.at(1).raft->hold_committed(false);
  c.receive(1, 2, append(1, kLast, 1, {}, kLast));
  CHECK(c.at(1).applied.size() == kLast);
  CHECK(c.at(1).loads > 0);
}

TEST_CASE("a follower hears of a commitment at once, not at the next heartbeat") {
  Cluster c;
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  c.propose(1, "x");
  c.deliver_all();
  for (const Id id : {1, 2, 3}) CHECK(c.raft(id).commit_index() == Index{2});
}

TEST_CASE("HAZARDS B18: an idle cluster appends nothing") {
  Cluster c;
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  const Index last = c.raft(1).log().last_index();
  c.run(60'000);
  CHECK(c.raft(1).log().last_index() == last);
  CHECK(c.raft(1).current_term() == Term{1});
}
