// A leader's snapshot was damaged on its disk while it was kept for a follower. The follower refused it after receiving
// all of it, and was sent the same one for ever, although a newer one existed.
#include <algorithm>

#include <doctest/doctest.h>

#include "raft/raft.h"

namespace wh::raft {
namespace {

constexpr NodeId kMe{1}, kBehind{2}, kOther{3};
constexpr Millis kNow = 1'000;

Configuration three() {
  std::vector<Member> members;
  for (const NodeId id : {kMe, kBehind, kOther})
    members.push_back({.id = id,
                       .name = "n" + std::to_string(id.value),
                       .raft_address = "a:" + std::to_string(id.value),
                       .http_address = {},
                       .https_address = {}});
  return Configuration(std::move(members));
}

SnapshotMeta snapshot_at(uint64_t index, uint64_t term) {
  return {.index = Index{index},
          .term = Term{term},
          .configuration_index = Index{1},
          .configuration = three(),
          .size = 100,
          .crc = static_cast<uint32_t>(index)};
}

// Its log begins behind the snapshot at 10; it leads term 2, and entry 11 is committed.
struct Leader {
  Raft raft{{.self = kMe, .election_timeout_ms = 100}, recovered(), 1, kNow};
  Millis now = kNow + 300;

  static Recovered recovered() {
    Recovered out;
    out.hard_state = {Term{1}, kNobody};
    out.log.base_index = out.log.last_index = Index{10};
    out.log.base_term = Term{1};
    out.log.configurations.push_back({Index{1}, three()});
    out.snapshot = snapshot_at(10, 1);
    return out;
  }
  Output step(Input input) {
    raft.step(now, std::move(input));
    return turn();
  }
  Output turn() {
    Output output = raft.take_output(now);
    if (output.persist_ticket != 0) raft.step(now, Persisted{output.persist_ticket});
    return output;
  }
  Leader() {
    (void)step(Tick{});
    (void)step(Receive{kOther, RequestVoteReply{.term = Term{2}, .pre_vote = true, .granted = true}});
    (void)step(Receive{kOther, RequestVoteReply{.term = Term{2}, .granted = true}});
    (void)turn();
    (void)step(Receive{kOther, AppendEntriesReply{.term = Term{2}, .success = true, .match_index = Index{11}}});
    REQUIRE(raft.role() == Role::leader);
    REQUIRE(raft.commit_index() == Index{11});
  }
  // What the one behind is sent of snapshots; nothing: 0.
  static uint64_t sent(const Output& output) {
    for (const Outbound& message : output.send_now)
      if (const auto* install = std::get_if<InstallSnapshot>(&message.body); install && message.to == kBehind)
        return install->meta.index.value;
    return 0;
  }
  Output answers(uint64_t snapshot, uint64_t next_offset) {
    return step(
        Receive{kBehind, InstallSnapshotReply{.term = Term{2}, .index = Index{snapshot}, .next_offset = next_offset}});
  }
};

TEST_CASE("a snapshot that is refused whole is not sent again when there is a newer one") {
  Leader leader;
  const Output offered = leader.step(
      Receive{kBehind, AppendEntriesReply{.term = Term{2}, .rejected_index = Index{10}, .conflict_index = Index{1}}});
  REQUIRE(Leader::sent(offered) == 10);
  const Output wanted = leader.answers(10, 0);
  REQUIRE(wanted.chunks_wanted.size() == 1);
  (void)leader.step(ChunkLoaded{kBehind, Index{10}, 0, Bytes(std::string(60, 'x')), false, true});
  (void)leader.answers(10, 60);
  (void)leader.step(SnapshotTaken{snapshot_at(11, 2)});
  (void)leader.step(ChunkLoaded{kBehind, Index{10}, 60, Bytes(std::string(40, 'x')), true, true});
  CHECK(Leader::sent(leader.answers(10, 0)) == 11);
}

}  // namespace
}  // namespace wh::raft
