// What the leader tells the members of each other, so that every node can show it (node/overview.h).
#include "versioned.h"

using namespace wh;
using namespace wh::node;

namespace {

const MemberSeen* seen_of(const std::optional<Overview::View>& view, raft::NodeId id) {
  if (!view) return nullptr;
  for (const MemberSeen& seen : view->seen.members)
    if (seen.id == id) return &seen;
  return nullptr;
}

}  // namespace

TEST_CASE("a leader shows how far each member's log has come, who is silent and how many more may fail") {
  Versioned bench;
  CHECK_FALSE(bench.node.overview().has_value());
  bench.lead();
  const raft::Index one = bench.last();
  bench.write(1, "v");
  bench.holds(kOther, bench.last());
  auto view = bench.node.overview();
  REQUIRE(view.has_value());
  CHECK(view->leader == bench.node.raft()->self());
  CHECK(view->age_ms == 0);
  CHECK(view->seen.members.size() == 3);
  REQUIRE(seen_of(view, kOther) != nullptr);
  CHECK(seen_of(view, kOther)->alive);
  CHECK(seen_of(view, kOther)->match_index == bench.last());
  CHECK(seen_of(view, bench.node.raft()->self())->match_index == bench.node.raft()->durable_index());
  REQUIRE(seen_of(view, kThird) != nullptr);
  CHECK(seen_of(view, kThird)->match_index < one);
  // The third says nothing for two election timeouts, the other does.
  for (int i = 0; i < 30; ++i) {
    bench.wait(100);
    bench.holds(kOther, bench.last());
  }
  bench.turn();
  view = bench.node.overview();
  REQUIRE(seen_of(view, kThird) != nullptr);
  CHECK_FALSE(seen_of(view, kThird)->alive);
  CHECK(seen_of(view, kOther)->alive);
  CHECK(view->seen.tolerates == 0);
}

TEST_CASE("the leader tells it once a second, and only to members that know the message") {
  Versioned bench;
  bench.lead();
  bench.says(kOther, Overview::kVersion);
  bench.says(kThird, Overview::kVersion - 1);
  bench.transport.sent.clear();
  for (int i = 0; i < 40; ++i) {
    bench.wait(50);
    bench.holds(kOther, bench.last());
    bench.holds(kThird, bench.last());
  }
  const auto told = bench.sent_to<MembersSeen>(kOther);
  CHECK(told.size() >= 1);
  CHECK(told.size() <= 3);
  CHECK(told.back().term == bench.node.raft()->current_term());
  CHECK(told.back().tolerates == 1);
  CHECK(told.back().members.size() == 3);
  CHECK(bench.sent_to<MembersSeen>(kThird).empty());
}

TEST_CASE("a follower believes only the leader that it follows, in its term, and says how old the word is") {
  Versioned follower;
  follower.led(kOther, 2, raft::Index{1}, {"v"}, 2);
  const MembersSeen seen{.term = raft::Term{2}, .tolerates = 1, .members = {{kThird, false, raft::Index{1}}}};
  const auto told = [&](raft::NodeId by, MembersSeen message) { follower.node.receive(by, message, follower.now); };
  told(kThird, seen);  // it does not lead
  CHECK_FALSE(follower.node.overview().has_value());
  told(kOther, {.term = raft::Term{1}, .tolerates = 9, .members = {}});
  told(kOther, {.term = raft::Term{3}, .tolerates = 9, .members = {}});
  CHECK_FALSE(follower.node.overview().has_value());
  CHECK(follower.node.raft()->current_term() == raft::Term{2});
  told(kOther, seen);
  follower.turn();
  auto view = follower.node.overview();
  REQUIRE(view.has_value());
  CHECK(view->leader == kOther);
  CHECK(view->seen == seen);
  CHECK(view->age_ms == 0);
  follower.wait(300);
  view = follower.node.overview();
  REQUIRE(view.has_value());
  CHECK(view->age_ms == 300);
}
