// Rows of tests/HAZARDS.md that belong to no section of the paper.
#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

TEST_CASE("HAZARDS A15: of two that take themselves for leaders only one commits, and only one answers reads") {
  Cluster c;
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  REQUIRE(c.leader() == 1);
  c.propose(1, "before");
  c.deliver_all();
  c.isolate(1);
  // Its followers forget it by time; it has not noticed yet, as its own clock is behind.
  for (const Id id : {2, 3}) c.at(id).skew += 600;
  c.timeout(2);
  c.deliver_all();
  REQUIRE(c.raft(1).role() == Role::leader);
  REQUIRE(c.raft(2).role() == Role::leader);
  CHECK(c.raft(1).current_term() < c.raft(2).current_term());
  const uint64_t lost = c.propose(1, "of the old one");
  const uint64_t kept = c.propose(2, "of the new one");
  const uint64_t stale = c.read(1);
  const uint64_t fresh = c.read(2);
  c.deliver_all();
  CHECK(c.proposal(kept).done);
  CHECK(c.has_committed("of the new one"));
  CHECK_FALSE(c.has_committed("of the old one"));
  CHECK_FALSE(c.read_result(stale).done);
  CHECK(c.read_result(fresh).ok);
  c.heal();
  CHECK(c.converge().empty());
  CHECK(c.proposal(lost).refusal == Refusal::none);  // appended once, and replaced
  CHECK_FALSE(c.has_committed("of the old one"));
  CHECK_FALSE(c.read_result(stale).ok);
  CHECK(c.values(1) == c.values(2));
}

// hashicorp 695: heartbeats went past the checks that entries passed, and logs diverged.
TEST_CASE("HAZARDS B12: a heartbeat passes the same checks as entries, of term, of place and of commitment") {
  struct Case {
    uint64_t term;
    uint64_t prev;
    uint64_t prev_term;
    bool answered_in_its_term;
    bool fits;
  };
  // The server holds terms 1, 1, 2, of which nothing is committed, and is in term 3.
  for (const Case& it : {Case{2, 3, 2, false, false}, Case{3, 3, 2, true, true}, Case{3, 2, 1, true, true},
                         Case{3, 3, 1, true, false}, Case{3, 4, 3, true, false}, Case{4, 3, 2, true, true},
                         Case{4, 3, 3, true, false}, Case{4, 5, 4, true, false}}) {
    CAPTURE(it.term);
    CAPTURE(it.prev);
    CAPTURE(it.prev_term);
    for (const bool heartbeat : {true, false}) {
      CAPTURE(heartbeat);
      Cluster c;
      lone(c, {1, 1, 2}, 3);
      std::vector<Entry> entries;
      if (!heartbeat) entries.push_back(entry_of(it.prev + 1, it.term, "new"));
      c.receive(1, 2, append(it.term, it.prev, it.prev_term, entries, 9));
      const auto* reply = c.last<AppendEntriesReply>(1, 2);
      if (it.term < 3) {
        CHECK((reply == nullptr || !reply->success));
        CHECK(c.raft(1).leader_id() == kNobody);
        CHECK(c.raft(1).current_term() == Term{3});
      } else {
        REQUIRE(reply != nullptr);
        CHECK(reply->success == it.fits);
        CHECK(reply->term == Term{it.term});
        CHECK(c.raft(1).current_term() == Term{it.term});
        CHECK(c.raft(1).leader_id() == NodeId{2});
      }
      const uint64_t shown = it.fits ? it.prev + (heartbeat ? 0 : 1) : 0;
      CHECK(c.raft(1).commit_index() == Index{shown});
      if (it.fits) CHECK(reply->match_index == Index{shown});
      if (!it.fits) CHECK(c.terms(1) == std::vector<uint64_t>{1, 1, 2});
    }
  }
}

TEST_CASE("HAZARDS E6: no lease: a quorum heard from a moment ago confirms no read, whatever any clock says") {
  Cluster c;
  lead(c, {}, 1);
  for (const Id id : {2, 3}) c.receive(1, id, accepted(1, 1));
  REQUIRE(c.raft(1).leads_for_certain());
  const uint64_t first = c.read(1);
  for (const Id id : {2, 3}) c.receive(1, id, accepted(1, 1, 1));
  REQUIRE(c.read_result(first).ok);
  // In the same millisecond, and after clocks went forward and back within the election timeout.
  const Millis skew = c.at(1).skew;
  for (const Millis ahead : {Millis{0}, Millis{90}, Millis{10}}) {
    c.at(1).skew = skew + ahead;
    const uint64_t read = c.read(1);
    CHECK_FALSE(c.read_result(read).done);
  }
  for (const Id id : {2, 3}) c.receive(1, id, accepted(1, 1, 1));  // once more what was counted already
  for (uint64_t read = first + 1; read <= first + 3; ++read) CHECK_FALSE(c.read_result(read).done);
}

namespace {
uint64_t offset_of(Cluster& c, Id follower) {
  for (const PeerStatus& peer : c.raft(1).peers())
    if (peer.id == NodeId{follower} && peer.state == ProgressState::snapshot) return peer.snapshot_offset;
  return 0;
}
// Server 1 leads, and a part of its snapshot is at 3.
void in_transfer(Cluster& c) {
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  c.isolate(3);
  for (int i = 0; i < 20; ++i) c.propose(1, "v" + std::to_string(i));
  c.deliver_all();
  c.run(1'200);  // nothing is kept for one that is silent for so long
  c.snapshot(1);
  c.chunk_bytes = 50;
  c.heal();
  REQUIRE(c.run_until([&] { return offset_of(c, 3) >= 100; }));
  REQUIRE(offset_of(c, 3) < c.raft(1).snapshot()->size);
}
void newer_snapshot(Cluster& c) {
  for (int i = 0; i < 10; ++i) c.propose(1, "w" + std::to_string(i));
  while (c.deliver(1, 2) + c.deliver(2, 1) > 0) {
  }
  c.snapshot(1);
}
}  // namespace

TEST_CASE("HAZARDS F7: a snapshot that is gone while it is being sent is replaced by the newest, from its beginning") {
  Cluster c;
  in_transfer(c);
  const Index sending = c.raft(1).snapshot()->index;
  newer_snapshot(c);
  REQUIRE(c.raft(1).snapshot()->index > sending);
  for (int i = 0; i < 3 && c.raft(1).snapshot_counters().restarted == 0; ++i)  // whichever it asked for last
    c.step(1, ChunkLoaded{NodeId{3}, sending, offset_of(c, 3), {}, false, false});
  CHECK(c.raft(1).snapshot_counters().restarted == 1);
  CHECK(offset_of(c, 3) == 0);
  CHECK(c.converge() == "");
  CHECK(c.values(3) == c.values(1));
}

TEST_CASE("HAZARDS F7: installed, but compacted behind it meanwhile: the follower is sent a newer one") {
  Options options = test_options();
  options.held_log_bytes = 1;  // next to nothing is kept for it
  Cluster c(options);
  in_transfer(c);
  const Index sending = c.raft(1).snapshot()->index;
  newer_snapshot(c);
  REQUIRE(c.raft(1).log().base_index() > sending);
  c.receive(1, 3, accepted(c.raft(1).current_term().value, sending.value));
  CHECK(c.converge() == "");
  CHECK(c.raft(3).snapshot()->index > sending);
  CHECK(c.values(3) == c.values(1));
}

TEST_CASE("HAZARDS D2: who does not lead proposes no change") {
  Cluster c;
  lone(c, {1}, 1);
  const uint64_t change = c.change(1, c.raft(1).configuration().with(member_of(4, Suffrage::learner)));
  CHECK(c.proposal(change).refusal == Refusal::not_leader);
  CHECK(c.raft(1).log().last_index() == Index{1});
}
