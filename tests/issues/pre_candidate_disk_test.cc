// A node's disk hung while the node asked for pre-votes, and the granted ones made it a candidate nevertheless (HAZARDS
// C9: a stalled disk). It could tell nobody until the disk recovered; by then another node led, and stepped down
// because of the higher term.
#include <doctest/doctest.h>

#include "raft/raft.h"

namespace wh::raft {
namespace {

Member voter(uint64_t id) {
  return {.id = NodeId{id},
          .name = "n" + std::to_string(id),
          .raft_address = "a:" + std::to_string(id),
          .http_address = {},
          .https_address = {}};
}

Raft asking_for_pre_votes(Millis& now) {
  Recovered recovered;
  recovered.hard_state = {Term{3}, kNobody};
  recovered.log.configurations.push_back({Index{}, Configuration({voter(1), voter(2), voter(3)})});
  Raft raft({.self = NodeId{1}, .election_timeout_ms = 100}, std::move(recovered), 1, now);
  now += 300;
  raft.step(now, Tick{});
  (void)raft.take_output(now);
  return raft;
}

const RequestVoteReply kGranted{.term = Term{4}, .pre_vote = true, .granted = true};

TEST_CASE("a pre-candidate whose disk hangs is none any more, whatever is granted then") {
  Millis now = 1'000;
  Raft raft = asking_for_pre_votes(now);
  REQUIRE(raft.role() == Role::pre_candidate);
  raft.step(now, DiskStalled{true});
  raft.step(now, Receive{NodeId{2}, kGranted});
  raft.step(now, Receive{NodeId{3}, kGranted});
  CHECK(raft.role() == Role::follower);
  CHECK(raft.current_term() == Term{3});
  // Nor do old answers count when it is back; it asks anew in its time.
  raft.step(now + 10, DiskStalled{false});
  raft.step(now + 10, Receive{NodeId{2}, kGranted});
  CHECK(raft.current_term() == Term{3});
  now += 300;
  raft.step(now, Tick{});
  CHECK(raft.role() == Role::pre_candidate);
  raft.step(now, Receive{NodeId{2}, kGranted});
  CHECK(raft.role() == Role::candidate);
  CHECK(raft.current_term() == Term{4});
}

TEST_CASE("without that, one pre-vote of another makes it a candidate") {
  Millis now = 1'000;
  Raft raft = asking_for_pre_votes(now);
  raft.step(now, Receive{NodeId{2}, kGranted});
  CHECK(raft.role() == Role::candidate);
}

}  // namespace
}  // namespace wh::raft
