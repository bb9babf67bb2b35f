// A membership change whose entry was replaced by another leader's was answered "it may still take effect" at its
// timeout. The node only checked for a configuration at the change's index, but the next leader's first entry is a
// no-op. The change certainly had no effect, and the administrator can be told so at once.
#include <doctest/doctest.h>

#include "node_bench.h"

namespace wh::node {
namespace {

TEST_CASE("a change in whose place another leader's first entry stands had no effect, and is answered so at once") {
  Bench bench(bench_options(), member_disk());
  for (int i = 0; i < 50 && bench.node.raft()->role() != raft::Role::pre_candidate; ++i) bench.wait(100);
  const auto answer = [&](const PeerMessage& message) {
    bench.node.receive(kOther, message, bench.now);
    bench.persist();
  };
  answer(raft::RequestVoteReply{.term = raft::Term{2}, .pre_vote = true, .granted = true});
  answer(raft::RequestVoteReply{.term = raft::Term{2}, .granted = true});
  for (const raft::NodeId id : {kOther, kThird}) {
    bench.node.receive(
        id, raft::AppendEntriesReply{.term = raft::Term{2}, .success = true, .match_index = raft::Index{2}}, bench.now);
    bench.persist();
  }
  bench.node.submit_admin(1, {AdminKind::remove, "third", {}}, bench.now);
  bench.wait(60);
  REQUIRE(bench.node.raft()->log().last_index() == raft::Index{3});
  CHECK(bench.node.take_completions().empty());

  raft::AppendEntries next{.term = raft::Term{3},
                           .prev_log_index = raft::Index{2},
                           .prev_log_term = raft::Term{2},
                           .leader_commit = raft::Index{3}};
  next.entries.push_back(
      {.index = raft::Index{3}, .term = raft::Term{3}, .kind = raft::EntryKind::noop, .payload = {}});
  answer(next);
  const std::vector<Completion> done = bench.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].token == 1);
  CHECK(done[0].outcome == Outcome::dropped);
  CHECK(done[0].sentence.find("the leader changed") != std::string::npos);
  CHECK(bench.node.raft()->configuration().contains(kThird));
}

}  // namespace
}  // namespace wh::node
