#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

TEST_CASE("thesis 6.4, HAZARDS E1: a read waits for a round that began after it") {
  Cluster c;
  lead_for_certain(c);
  const uint64_t read = c.read(1);
  CHECK_FALSE(c.read_result(read).done);
  REQUIRE(c.last<AppendEntries>(1, 2) != nullptr);
  CHECK(c.last<AppendEntries>(1, 2)->read_round == 1);
  c.receive(1, 2, accepted(1, 1, 0));  // an answer from before
  CHECK_FALSE(c.read_result(read).done);
  c.receive(1, 2, accepted(1, 1, 1));
  CHECK(c.read_result(read).ok);
  CHECK(c.read_result(read).index == Index{1});
}

TEST_CASE("HAZARDS E2: no read before an entry of the leader's own term is committed") {
  Cluster c;
  lead(c, {1, 1}, 2);
  const uint64_t read = c.read(1);
  for (const Id id : {2, 3}) c.receive(1, id, accepted(2, 2, 0));
  CHECK_FALSE(c.read_result(read).done);
  c.receive(1, 2, accepted(2, 3, 0));
  CHECK_FALSE(c.read_result(read).done);
  c.receive(1, 2, accepted(2, 3, 1));
  CHECK(c.read_result(read).ok);
  CHECK(c.read_result(read).index == Index{3});
}

TEST_CASE("HAZARDS E3: echoes of earlier rounds confirm nothing; rounds are never used twice (the antfly regression)") {
  Cluster c;
  lead_for_certain(c);
  const uint64_t first = c.read(1);
  c.receive(1, 2, accepted(1, 1, 1));
  CHECK(c.read_result(first).ok);
  c.propose(1, "x");
  c.receive(1, 2, accepted(1, 2, 1));
  const uint64_t second = c.read(1);
  CHECK(c.last<AppendEntries>(1, 3)->read_round == 2);
  c.receive(1, 3, accepted(1, 2, 1));  // the other's late echo of the first round
  c.receive(1, 2, accepted(1, 2, 1));
  CHECK_FALSE(c.read_result(second).done);
  c.receive(1, 3, accepted(1, 2, 7));  // of a round that never was
  CHECK_FALSE(c.read_result(second).done);
  c.receive(1, 3, accepted(1, 2, 2));
  CHECK(c.read_result(second).ok);
  CHECK(c.read_result(second).index == Index{2});
}

TEST_CASE("HAZARDS E3: a follower echoes no round of an earlier leader, whatever the new one sends first") {
  Cluster c;
  lone(c, {1}, 1);
  c.at(1).hold_sync = false;
  c.receive(1, 2, append(1, 1, 1, {}, 0, 100));
  CHECK(c.last<AppendEntriesReply>(1, 2)->read_round == 100);
  // The next leader's first word is a chunk of a snapshot; an acknowledgement follows from a sync, not from its
  // entries.
  c.at(1).hold_sync = true;
  c.receive(1, 2, append(1, 1, 1, {entry_of(2, 1)}, 0, 100));
  const SnapshotMeta meta{
      .index = Index{50}, .term = Term{1}, .configuration = configuration_of({1, 2, 3}), .size = 10};
  c.receive(1, 3, InstallSnapshot{.term = Term{2}, .meta = meta, .data = Bytes("12345")});
  c.sync(1);
  for (const MessageBody& body : c.link(1, 3))
    if (const auto* reply = std::get_if<AppendEntriesReply>(&body)) CHECK(reply->read_round == 0);
}

TEST_CASE("HAZARDS E4: answers that echo no round of the read are none, refusals that echo one are") {
  Cluster c;
  lead_for_certain(c);
  const uint64_t read = c.read(1);
  c.receive(1, 2, InstallSnapshotReply{.term = Term{1}, .index = Index{9}});
  c.receive(1, 2, grant(1));
  CHECK_FALSE(c.read_result(read).done);
  c.receive(1, 2, AppendEntriesReply{.term = Term{1}, .rejected_index = Index{1}, .read_round = 1});
  CHECK(c.read_result(read).ok);
}

TEST_CASE("all reads of a turn share one round") {
  Cluster c;
  lead_for_certain(c);
  c.step_all(1, {ReadIndex{501}, ReadIndex{502}, ReadIndex{503}});
  CHECK(c.link(1, 2).size() == 1);
  c.receive(1, 2, accepted(1, 1, 1));
  for (const uint64_t token : {501, 502, 503}) CHECK(c.read_result(token).ok);
}

TEST_CASE("a lone voter's read needs nobody") {
  Cluster c;
  c.nodes({1});
  c.run_until([&] { return c.leader() == 1; });
  CHECK(c.read_result(c.read(1)).ok);
}

TEST_CASE("HAZARDS D6: learners confirm no read") {
  Cluster c;
  lead_for_certain(c);
  c.change(1, configuration_of({1, 2, 3}, {4, 5}));
  c.receive(1, 2, accepted(1, 2));
  const uint64_t read = c.read(1);
  c.receive(1, 4, accepted(1, 0, 1));
  c.receive(1, 5, accepted(1, 0, 1));
  CHECK_FALSE(c.read_result(read).done);
  c.receive(1, 3, accepted(1, 1, 1));
  CHECK(c.read_result(read).ok);
}

TEST_CASE("a smaller quorum confirms the reads that wait") {
  Cluster c;
  lead_for_certain(c, {1, 2, 3, 4});
  const uint64_t read = c.read(1);
  c.receive(1, 2, accepted(1, 1, 1));
  CHECK_FALSE(c.read_result(read).done);  // two of four
  c.change(1, configuration_of({1, 2, 3}));
  CHECK(c.read_result(read).ok);
}

TEST_CASE("HAZARDS E8: reads that wait fail when the leader steps down, at once") {
  Cluster c;
  lead_for_certain(c);
  const uint64_t waiting = c.read(1);
  c.receive(1, 3, ReadIndexRequest{.term = Term{1}, .token = 77});
  clear_links(c);
  c.receive(1, 2, append(2, 1, 1));
  CHECK(c.read_result(waiting).done);
  CHECK_FALSE(c.read_result(waiting).ok);
  REQUIRE(c.last<ReadIndexReply>(1, 3) != nullptr);
  CHECK_FALSE(c.last<ReadIndexReply>(1, 3)->ok);
  CHECK(c.last<ReadIndexReply>(1, 3)->token == 77);
}

TEST_CASE("thesis 6.4, HAZARDS E7: a follower asks its leader, and reads nothing without one") {
  Cluster c;
  lone(c, {1}, 1);
  const uint64_t none = c.read(1);
  CHECK(c.read_result(none).done);
  CHECK_FALSE(c.read_result(none).ok);
  c.receive(1, 2, append(1, 1, 1));
  const uint64_t read = c.read(1);
  REQUIRE(c.last<ReadIndexRequest>(1, 2) != nullptr);
  CHECK(c.last<ReadIndexRequest>(1, 2)->token == read);
  CHECK_FALSE(c.read_result(read).done);
  c.receive(1, 2, ReadIndexReply{.term = Term{1}, .token = read, .ok = true, .index = Index{9}});
  CHECK(c.read_result(read).ok);
  CHECK(c.read_result(read).index == Index{9});
}

TEST_CASE("a read asked of a server that does not lead is answered no, with its term") {
  Cluster c;
  lone(c, {1}, 3);
  c.receive(1, 2, ReadIndexRequest{.term = Term{3}, .token = 5});
  REQUIRE(c.last<ReadIndexReply>(1, 2) != nullptr);
  CHECK_FALSE(c.last<ReadIndexReply>(1, 2)->ok);
  CHECK(c.last<ReadIndexReply>(1, 2)->term == Term{3});
}
