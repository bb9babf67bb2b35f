#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

TEST_CASE("thesis 10.2.1: a leader's entries leave before its own sync, and its own part counts after it") {
  Cluster c;
  lead(c, {}, 1);
  c.receive(1, 2, accepted(1, 1));
  clear_links(c);
  c.at(1).hold_sync = true;
  c.propose(1, "x");
  REQUIRE(c.last<AppendEntries>(1, 2) != nullptr);
  CHECK(c.last<AppendEntries>(1, 2)->entries.size() == 1);
  c.receive(1, 2, accepted(1, 2));
  CHECK(c.raft(1).commit_index() == Index{1});
  c.receive(1, 3, accepted(1, 2));  // a quorum without the leader's disk
  CHECK(c.raft(1).commit_index() == Index{2});
  CHECK(c.raft(1).durable_index() == Index{1});
}

TEST_CASE("HAZARDS C1: a follower acknowledges what is on its disk, and says so when more is") {
  Cluster c;
  lone(c, {1}, 1);
  c.receive(1, 2, append(1, 1, 1));
  c.at(1).hold_sync = true;
  clear_links(c);
  c.receive(1, 2, append(1, 1, 1, {entry_of(2, 1), entry_of(3, 1)}));
  for (const MessageBody& body : c.link(1, 2)) CHECK(std::get<AppendEntriesReply>(body).match_index == Index{1});
  c.sync_one(1);
  CHECK(c.last<AppendEntriesReply>(1, 2)->match_index == Index{3});
}

TEST_CASE("HAZARDS C5: a log that ends before what its server acknowledged in this term is noticed, by both sides") {
  Cluster c;
  lone(c, {1, 1, 1}, 1);
  AppendEntries heartbeat = append(1, 3, 1);
  heartbeat.acknowledged = Index{3};
  c.receive(1, 2, heartbeat);
  CHECK_FALSE(c.at(1).acknowledged_lost.has_value());
  // It answered: what is said now may be what an earlier life of it acknowledged, and the leader heard late.
  heartbeat = append(1, 5, 1);
  heartbeat.acknowledged = Index{5};
  c.receive(1, 2, heartbeat);
  CHECK_FALSE(c.at(1).acknowledged_lost.has_value());
  CHECK(c.at(1).violations.empty());
  CHECK(c.raft(1).looks_into_loss());
  c.receive(1, 3, ask(2, 9, 1));
  CHECK_FALSE(c.last<RequestVoteReply>(1, 3)->granted);
  // Another life of it may have.
  Cluster restarted;
  lone(restarted, {1, 1, 1}, 1);
  restarted.receive(1, 2, heartbeat);
  CHECK(restarted.at(1).acknowledged_lost == Index{5});
  restarted.receive(1, 3, ask(2, 9, 1));
  CHECK_FALSE(restarted.last<RequestVoteReply>(1, 3)->granted);  // not before it is judged
  RequestVote request = ask(3, 9, 1);
  request.transfer = true;
  restarted.receive(1, 3, request);
  CHECK_FALSE(restarted.last<RequestVoteReply>(1, 3)->granted);
  restarted.timeout(1);
  CHECK(restarted.raft(1).role() == Role::follower);
  restarted.step(1, LossJudged{});
  restarted.timeout(1);
  CHECK(restarted.raft(1).role() == Role::pre_candidate);
  // In another term nothing is known of it.
  Cluster other;
  lone(other, {1, 1, 1}, 2);
  other.receive(1, 2, heartbeat);
  CHECK_FALSE(other.at(1).acknowledged_lost.has_value());

  // The leader tells each what it acknowledged. One that goes on with less no longer counts for what it lost.
  Cluster l;
  lead(l, {}, 1);
  l.propose(1, "x");
  l.receive(1, 2, accepted(1, 2));
  l.propose(1, "y");
  CHECK(l.last<AppendEntries>(1, 2)->acknowledged == Index{2});
  CHECK(l.last<AppendEntries>(1, 3)->acknowledged == Index{0});
  clear_links(l);
  l.step(1, PeerConnected{NodeId{2}});
  CHECK(l.last<AppendEntries>(1, 2)->prev_log_index == Index{2});
  clear_links(l);
  l.receive(1, 2, AppendEntriesReply{.term = Term{1}, .rejected_index = Index{2}, .conflict_index = Index{1}});
  REQUIRE(l.last<AppendEntries>(1, 2) != nullptr);
  CHECK(l.last<AppendEntries>(1, 2)->prev_log_index == Index{0});
  CHECK(l.last<AppendEntries>(1, 2)->acknowledged == Index{0});
  l.receive(1, 2, accepted(1, 1));
  CHECK(l.raft(1).peers()[0].match_index == Index{1});
  CHECK(l.raft(1).commit_index() == Index{2});
}

TEST_CASE("HAZARDS C7: a server without room says so in its answers, and lets others campaign first") {
  Cluster c;
  lone(c, {1}, 1);
  c.receive(1, 2, append(1, 1, 1));
  CHECK_FALSE(c.last<AppendEntriesReply>(1, 2)->no_room);
  c.step(1, DiskLow{true});
  c.receive(1, 2, append(1, 1, 1));
  CHECK(c.last<AppendEntriesReply>(1, 2)->no_room);
  CHECK(c.at(1).deadline >= c.local_now(c.at(1)) + 2 * Millis{c.options.election_timeout_ms});
  c.step(1, DiskLow{false});
  c.receive(1, 2, append(1, 1, 1));
  CHECK_FALSE(c.last<AppendEntriesReply>(1, 2)->no_room);
  CHECK(c.at(1).deadline < c.local_now(c.at(1)) + 2 * Millis{c.options.election_timeout_ms});

  Cluster l;
  lead(l, {}, 1);
  AppendEntriesReply reply = accepted(1, 1);
  reply.no_room = true;
  l.receive(1, 3, reply);
  for (const PeerStatus& peer : l.raft(1).peers()) CHECK(peer.no_room == (peer.id == NodeId{3}));
}

TEST_CASE("a heartbeat is answered while a sync is under way, with the durable index") {
  Cluster c;
  lone(c, {1}, 1);
  c.at(1).hold_sync = true;
  c.receive(1, 2, append(1, 1, 1, {entry_of(2, 1)}));
  clear_links(c);
  c.receive(1, 2, append(1, 2, 1, {}, 0, 5));
  REQUIRE(c.last<AppendEntriesReply>(1, 2) != nullptr);
  CHECK(c.last<AppendEntriesReply>(1, 2)->match_index == Index{1});
  CHECK(c.last<AppendEntriesReply>(1, 2)->read_round == 5);
}

TEST_CASE("HAZARDS B6: the sync of a suffix that was replaced acknowledges nothing of what took its place") {
  Cluster c;
  lone(c, {1}, 1);
  c.at(1).hold_sync = true;
  c.receive(1, 2, append(1, 1, 1, {entry_of(2, 1), entry_of(3, 1), entry_of(4, 1)}));  // ticket 1
  c.receive(1, 3, append(2, 1, 1, {entry_of(2, 2), entry_of(3, 2), entry_of(4, 2)}));  // ticket 2
  CHECK(c.raft(1).durable_index() == Index{1});
  c.sync_one(1);
  CHECK(c.raft(1).durable_index() == Index{1});
  c.sync_one(1);
  CHECK(c.raft(1).durable_index() == Index{4});
  CHECK(c.last<AppendEntriesReply>(1, 3)->match_index == Index{4});
}

TEST_CASE("HAZARDS B6: truncation takes the durable index back at once") {
  Cluster c;
  lone(c, {1, 1, 1, 1}, 1);
  CHECK(c.raft(1).durable_index() == Index{4});
  c.at(1).hold_sync = true;
  c.receive(1, 3, append(2, 2, 1, {entry_of(3, 2)}));
  CHECK(c.raft(1).durable_index() == Index{2});
  c.sync_one(1);
  CHECK(c.raft(1).durable_index() == Index{3});
  CHECK(c.at(1).disk.log.size() == 3);
}

TEST_CASE("messages leave in the order they were made, also when some had to wait for the disk") {
  Cluster c;
  lone(c, {1}, 1);
  c.at(1).hold_sync = true;
  c.receive(1, 2, ask(2, 1, 1));                       // ticket 1: term and vote
  c.receive(1, 2, append(2, 1, 1, {entry_of(2, 2)}));  // ticket 2: an entry
  c.receive(1, 2, append(2, 2, 2, {}, 0, 1));
  CHECK(c.link(1, 2).empty());
  c.sync(1);
  REQUIRE(c.link(1, 2).size() >= 3);
  CHECK(std::holds_alternative<RequestVoteReply>(c.link(1, 2)[0]));
  Index match;
  for (size_t i = 1; i < c.link(1, 2).size(); ++i) {
    const auto& reply = std::get<AppendEntriesReply>(c.link(1, 2)[i]);
    CHECK(reply.match_index >= match);
    match = reply.match_index;
  }
  CHECK(match == Index{2});
}

TEST_CASE("one turn is one batch: many proposals, one ticket, one message a follower") {
  Cluster c;
  lead(c, {}, 1);
  c.receive(1, 2, accepted(1, 1));
  c.receive(1, 3, accepted(1, 1));
  clear_links(c);
  c.at(1).hold_sync = true;
  std::vector<Input> inputs;
  for (uint64_t i = 0; i < 20; ++i) inputs.push_back(Propose{1000 + i, Bytes("v" + std::to_string(i))});
  c.step_all(1, std::move(inputs));
  CHECK(c.at(1).staged.size() == 1);
  CHECK(c.at(1).staged[0].append.size() == 20);
  CHECK(c.link(1, 2).size() == 1);
  CHECK(c.link(1, 3).size() == 1);
}

TEST_CASE("term and vote are on the disk together, and come back after a restart") {
  Cluster c;
  lone(c, {1}, 1);
  c.receive(1, 3, ask(7, 1, 1));
  CHECK(c.at(1).disk.hard_state == HardState{Term{7}, NodeId{3}});
  c.crash(1);
  c.start(1);
  CHECK(c.raft(1).current_term() == Term{7});
  CHECK(c.raft(1).voted_for() == NodeId{3});
  c.receive(1, 2, ask(7, 9, 7));
  CHECK_FALSE(c.last<RequestVoteReply>(1, 2)->granted);
}
