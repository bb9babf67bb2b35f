#include <algorithm>
#include <numeric>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

TEST_CASE("section 5.4.1, HAZARDS A5: a vote goes to logs that are at least as up to date, for all small pairs") {
  for (const bool pre_vote : {false, true}) {
    for (uint64_t mine_term = 1; mine_term <= 3; ++mine_term) {
      for (uint64_t mine = 0; mine <= 3; ++mine) {
        for (uint64_t other_term = 1; other_term <= 3; ++other_term) {
          for (uint64_t other = 0; other <= 3; ++other) {
            Cluster c;
            lone(c, std::vector<uint64_t>(mine, mine_term), 3);
            c.receive(1, 2, ask(4, other, other == 0 ? 0 : other_term, pre_vote));
            const uint64_t my_last = mine == 0 ? 0 : mine_term;
            const uint64_t their_last = other == 0 ? 0 : other_term;
            const bool expected = their_last != my_last ? their_last > my_last : other >= mine;
            const auto* reply = c.last<RequestVoteReply>(1, 2);
            REQUIRE(reply != nullptr);
            CHECK(reply->granted == expected);
            CHECK(reply->pre_vote == pre_vote);
            if (pre_vote) CHECK(c.raft(1).current_term() == Term{3});
          }
        }
      }
    }
  }
}

namespace {
// One message of each type, of a given term.
std::vector<MessageBody> one_of_each(uint64_t term) {
  SnapshotMeta meta{.index = Index{50}, .term = Term{1}, .configuration = configuration_of({1, 2, 3}), .size = 10};
  return {ask(term, 9, term),
          ask(term, 9, term, true),
          grant(term),
          grant(term, true),
          RequestVoteReply{.term = Term{term}, .pre_vote = true},
          append(term, 0, 0),
          accepted(term, 1),
          AppendEntriesReply{.term = Term{term}, .rejected_index = Index{3}, .conflict_index = Index{1}},
          InstallSnapshot{.term = Term{term}, .meta = meta, .data = Bytes("12345")},
          InstallSnapshotReply{.term = Term{term}, .index = Index{50}, .installed = true},
          TimeoutNow{.term = Term{term}},
          ReadIndexRequest{.term = Term{term}, .token = 900},
          ReadIndexReply{.term = Term{term}, .token = 901, .ok = true, .index = Index{1}}};
}
bool asks_in_future_term(const MessageBody& body) {
  const auto* request = std::get_if<RequestVote>(&body);
  const auto* reply = std::get_if<RequestVoteReply>(&body);
  return (request != nullptr && request->pre_vote) || (reply != nullptr && reply->pre_vote && reply->granted);
}
}  // namespace

TEST_CASE("Figure 2, HAZARDS A4: every message of an older term changes nothing, in every role") {
  for (const Role role : kRoles) {
    for (size_t kind = 0; kind < one_of_each(4).size(); ++kind) {
      Cluster c;
      lone(c, {1, 1}, 4);
      bring_to(c, role, 5);
      REQUIRE(c.raft(1).role() == role);
      const Index last = c.raft(1).log().last_index();
      const NodeId vote = c.raft(1).voted_for();
      const NodeId leader = c.raft(1).leader_id();
      c.receive(1, 3, one_of_each(4)[kind]);
      CAPTURE(kind);
      CHECK(c.raft(1).role() == role);
      CHECK(c.raft(1).current_term() == Term{5});
      CHECK(c.raft(1).voted_for() == vote);
      CHECK(c.raft(1).leader_id() == leader);
      CHECK(c.raft(1).log().last_index() == last);
      CHECK(c.raft(1).commit_index() == Index{});
      CHECK_FALSE(c.read_result(901).done);
      // Whoever asked learns the term it missed; answers are not answered.
      const auto& said = c.link(1, 3);
      const bool question = kind == 0 || kind == 1 || kind == 5 || kind == 8 || kind == 11;
      REQUIRE(said.size() == (question ? 1 : 0));
      if (question) CHECK(std::visit([](const auto& m) { return m.term; }, said.front()) == Term{5});
    }
  }
}

TEST_CASE("Figure 2, HAZARDS A4: every message of a newer term makes a follower of whoever is behind, in every role") {
  for (const Role role : kRoles) {
    for (size_t kind = 0; kind < one_of_each(7).size(); ++kind) {
      Cluster c;
      lone(c, {1, 1}, 4);
      bring_to(c, role, 5);
      const bool sticky = role == Role::follower || role == Role::leader;
      const MessageBody body = one_of_each(7)[kind];
      c.receive(1, 3, body);
      CAPTURE(kind);
      CAPTURE(to_string(role));
      // A read index of a term in which nobody asked for one is a lie, and its term is none either.
      if (asks_in_future_term(body) || (kind == 0 && sticky) || kind == 12) {
        CHECK(c.raft(1).current_term() == Term{5});
        CHECK(c.raft(1).role() == role);
        continue;
      }
      CHECK(c.raft(1).current_term() == Term{7});
      CHECK(c.raft(1).role() == Role::follower);
      const bool from_leader = kind == 5 || kind == 8;
      CHECK(c.raft(1).leader_id() == (from_leader ? NodeId{3} : kNobody));
      CHECK(c.at(1).disk.hard_state.current_term == Term{7});
    }
  }
}

TEST_CASE("HAZARDS A4: messages of the same term do what the role asks for and no more") {
  for (const Role role : kRoles) {
    for (size_t kind = 0; kind < one_of_each(5).size(); ++kind) {
      Cluster c;
      lone(c, {1, 1}, 4);
      bring_to(c, role, 5);
      c.receive(1, 3, one_of_each(5)[kind]);
      CAPTURE(kind);
      CAPTURE(to_string(role));
      CHECK(c.raft(1).current_term() == Term{5});
      Role expected = role;
      // There is a leader; but whoever leads the term itself believes in no other.
      if ((kind == 5 || kind == 8) && role != Role::leader) expected = Role::follower;
      if (kind == 0 && role == Role::pre_candidate) expected = Role::follower;  // it gave its vote away
      if (kind == 2 && role == Role::candidate) expected = Role::leader;
      CHECK(c.raft(1).role() == expected);
    }
  }
}

TEST_CASE("HAZARDS A3: voters are counted, not votes, and only voters") {
  Cluster c;
  lone(c, {}, 0, {1, 2, 3, 4, 5});
  c.timeout(1);
  for (int i = 0; i < 5; ++i) c.receive(1, 2, grant(1, true));
  c.receive(1, 77, grant(1, true));
  CHECK(c.raft(1).role() == Role::pre_candidate);
  c.receive(1, 3, grant(1, true));
  REQUIRE(c.raft(1).role() == Role::candidate);
  for (int i = 0; i < 5; ++i) c.receive(1, 2, grant(1));
  c.receive(1, 77, grant(1));
  c.receive(1, 78, grant(1));
  CHECK(c.raft(1).role() == Role::candidate);
  c.receive(1, 4, grant(1));
  CHECK(c.raft(1).role() == Role::leader);
}

TEST_CASE("HAZARDS A1: a vote is held back until it is on the disk, and so is all that follows it") {
  Cluster c;
  lone(c);
  c.at(1).hold_sync = true;
  c.receive(1, 2, ask(1, 0, 0));
  CHECK(c.raft(1).voted_for() == NodeId{2});
  CHECK(c.link(1, 2).empty());
  c.receive(1, 2, append(1, 0, 0));
  CHECK(c.link(1, 2).empty());
  c.sync_one(1);
  REQUIRE(c.link(1, 2).size() == 2);
  CHECK(std::get<RequestVoteReply>(c.link(1, 2)[0]).granted);
  CHECK(std::get<AppendEntriesReply>(c.link(1, 2)[1]).success);
}

TEST_CASE("HAZARDS A1: a candidate asks for votes, and counts its own, once its vote is on the disk") {
  Cluster c;
  lone(c);
  c.timeout(1);
  clear_links(c);
  c.at(1).hold_sync = true;
  c.receive(1, 2, grant(1, true));
  CHECK(c.raft(1).role() == Role::candidate);
  CHECK(c.link(1, 2).empty());
  CHECK(c.link(1, 3).empty());
  CHECK(c.at(1).deadline == kNever);  // the timer starts when the question leaves
  c.receive(1, 2, grant(1));
  CHECK(c.raft(1).role() == Role::candidate);
  c.sync_one(1);
  CHECK(c.raft(1).role() == Role::leader);
}

TEST_CASE("HAZARDS A20: a lone voter commits after its own sync, not before") {
  Cluster c;
  c.nodes({1});
  REQUIRE(c.run_until([&] { return c.leader() == 1; }));
  c.at(1).hold_sync = true;
  c.propose(1, "x");
  CHECK(c.raft(1).commit_index() == Index{1});
  c.sync(1);
  CHECK(c.raft(1).commit_index() == Index{2});
}

TEST_CASE("thesis 9.6, HAZARDS A7: a pre-vote changes nobody's term, vote or timer") {
  Cluster c;
  lone(c, {1}, 1);
  const Millis deadline = c.at(1).deadline;
  c.receive(1, 2, ask(2, 5, 1, true));
  CHECK(c.last<RequestVoteReply>(1, 2)->granted);
  CHECK(c.last<RequestVoteReply>(1, 2)->term == Term{2});
  CHECK(c.raft(1).current_term() == Term{1});
  CHECK(c.raft(1).voted_for() == kNobody);
  CHECK(c.at(1).deadline == deadline);
  CHECK(c.at(1).staged.empty());
}

TEST_CASE("HAZARDS A7, etcd 8501: a refused pre-vote of a stale candidate brings it up to date") {
  Cluster c;
  lone(c, {1}, 3);
  c.timeout(1);
  CHECK(c.raft(1).role() == Role::pre_candidate);
  c.receive(1, 2, RequestVoteReply{.term = Term{8}, .pre_vote = true});
  CHECK(c.raft(1).current_term() == Term{8});
  CHECK(c.raft(1).role() == Role::follower);
}

TEST_CASE("HAZARDS A7, etcd 9333: a pre-candidate that had no answer asks again, in the same term") {
  Cluster c;
  lone(c, {1}, 3);
  for (int i = 0; i < 5; ++i) {
    c.timeout(1);
    CHECK(c.raft(1).role() == Role::pre_candidate);
    CHECK(c.raft(1).current_term() == Term{3});
    REQUIRE(c.last<RequestVote>(1, 2) != nullptr);
    CHECK(c.last<RequestVote>(1, 2)->term == Term{4});
    clear_links(c);
  }
}

TEST_CASE("HAZARDS A7, etcd 10355: a granted pre-vote of another round is not counted") {
  Cluster c;
  lone(c, {1}, 3);
  c.timeout(1);
  c.receive(1, 2, grant(3, true));
  c.receive(1, 2, grant(9, true));
  CHECK(c.raft(1).role() == Role::pre_candidate);
  CHECK(c.raft(1).current_term() == Term{3});
}

TEST_CASE("HAZARDS A7, ra 442: a vote given away ends a pre-candidacy, whose late answers then elect nobody") {
  Cluster c;
  lone(c, {1}, 3);
  c.timeout(1);
  c.receive(1, 3, ask(4, 1, 1));
  CHECK(c.raft(1).voted_for() == NodeId{3});
  c.receive(1, 2, grant(4, true));
  CHECK(c.raft(1).role() == Role::follower);
  CHECK(c.raft(1).current_term() == Term{4});
}

TEST_CASE("thesis 4.2.3, HAZARDS A8: whoever hears from a leader grants nothing for the minimum election timeout") {
  Cluster c;
  lone(c, {1}, 1);
  c.receive(1, 2, append(1, 1, 1));
  clear_links(c);
  c.at(1).skew += 499;
  c.receive(1, 3, ask(2, 9, 2, true));
  CHECK_FALSE(c.last<RequestVoteReply>(1, 3)->granted);
  c.receive(1, 3, ask(2, 9, 2));
  CHECK_FALSE(c.last<RequestVoteReply>(1, 3)->granted);
  CHECK(c.raft(1).current_term() == Term{1});
  c.at(1).skew += 1;
  c.receive(1, 3, ask(2, 9, 2, true));
  CHECK(c.last<RequestVoteReply>(1, 3)->granted);
  c.receive(1, 3, ask(2, 9, 2));
  CHECK(c.last<RequestVoteReply>(1, 3)->granted);
}

TEST_CASE("HAZARDS A8: a leader with a quorum refuses, one that lost contact does not") {
  Cluster c;
  lead(c, {}, 1);
  c.receive(1, 3, ask(2, 9, 2));
  CHECK(c.raft(1).role() == Role::leader);
  CHECK(c.raft(1).current_term() == Term{1});
}

TEST_CASE("thesis 4.2.3: a vote asked for at the leader's wish overrides stickiness") {
  Cluster c;
  lone(c, {1}, 1);
  c.receive(1, 2, append(1, 1, 1));
  RequestVote request = ask(2, 1, 1);
  request.transfer = true;
  c.receive(1, 3, request);
  CHECK(c.last<RequestVoteReply>(1, 3)->granted);
}

TEST_CASE("HAZARDS A9: only answers of this term count as contact, those to snapshots too (F11)") {
  for (const bool snapshot_reply : {false, true}) {
    Cluster c;
    lead(c, {}, 2);
    for (int i = 0; i < 20; ++i) {
      c.advance(50);
      c.receive(1, 2, accepted(1, 1));  // of an older term
      if (snapshot_reply) c.receive(1, 3, InstallSnapshotReply{.term = Term{2}, .index = Index{99}});
    }
    CHECK((c.raft(1).role() == Role::leader) == snapshot_reply);
  }
}

TEST_CASE("HAZARDS A14: a term beyond the limit, or far above ours, is refused") {
  Cluster c;
  lone(c, {1}, 3);
  for (const uint64_t term : {uint64_t{1} << 62, uint64_t{1} << 63, UINT64_MAX, (uint64_t{1} << 32) + 4}) {
    c.receive(1, 2, append(term, 1, 1));
    c.receive(1, 2, ask(term, 9, term));
    c.receive(1, 2, ask(term, 9, term, true));
    CHECK(c.raft(1).current_term() == Term{3});
    CHECK(c.link(1, 2).empty());
  }
  c.receive(1, 2, append((uint64_t{1} << 32) + 3, 1, 1));
  CHECK(c.raft(1).current_term() == Term{(uint64_t{1} << 32) + 3});
}

TEST_CASE("a message from nobody or from oneself is ignored") {
  Cluster c;
  lone(c, {1}, 3);
  c.receive(1, 1, ask(4, 9, 4));
  c.receive(1, 0, ask(4, 9, 4));
  CHECK(c.raft(1).current_term() == Term{3});
}

TEST_CASE("fast path: a follower that saw the leader's process die asks within 50 ms and names it") {
  Cluster c;
  lone(c, {1}, 1);
  c.receive(1, 2, append(1, 1, 1));
  clear_links(c);
  c.step(1, PeerLost{NodeId{3}});  // not the leader
  CHECK(c.at(1).deadline >= c.local_now(c.at(1)) + 500);
  c.step(1, PeerLost{NodeId{2}});
  CHECK(c.at(1).deadline <= c.local_now(c.at(1)) + 50);
  c.timeout(1);
  REQUIRE(c.last<RequestVote>(1, 3) != nullptr);
  CHECK(c.last<RequestVote>(1, 3)->pre_vote);
  CHECK(c.last<RequestVote>(1, 3)->lost_leader == NodeId{2});
  // The others may see it a little later: it asks again soon, then as slowly as ever.
  CHECK(c.at(1).deadline <= c.local_now(c.at(1)) + 100);
  c.at(1).skew += 600;
  c.timeout(1);
  CHECK(c.at(1).deadline >= c.local_now(c.at(1)) + 500);
}

TEST_CASE("each election is counted once, by its cause, and each end of leading") {
  const auto begun = [](Cluster& c, ElectionCause cause) {
    return c.raft(1).election_figures().begun[static_cast<size_t>(cause)];
  };
  const auto sum = [](const auto& counts) { return std::accumulate(counts.begin(), counts.end(), uint64_t{0}); };
  const auto figures = [](Cluster& c) -> const ElectionFigures& { return c.raft(1).election_figures(); };

  // At the start, and asking again is the same election.
  Cluster c;
  lone(c);
  c.timeout(1);
  c.timeout(1);
  CHECK(begun(c, ElectionCause::start) == 1);
  CHECK(figures(c).last_election.find("since this node started") != std::string::npos);
  // A candidate that is not heard in time has lost; so has one that meets the winner.
  c.receive(1, 2, grant(1, true));
  REQUIRE(c.raft(1).role() == Role::candidate);
  c.timeout(1);
  CHECK(figures(c).lost == 1);
  c.receive(1, 2, grant(2, true));
  REQUIRE(c.raft(1).role() == Role::candidate);
  c.receive(1, 2, append(2, 0, 0));
  CHECK(figures(c).lost == 2);
  CHECK(sum(figures(c).begun) == 1);
  // The leader falls silent, or its process dies.
  c.timeout(1);
  CHECK(begun(c, ElectionCause::silence) == 1);
  CHECK(figures(c).last_election.find("nothing was heard from the leader, ") != std::string::npos);
  c.receive(1, 2, append(2, 0, 0));
  c.step(1, PeerLost{NodeId{2}});
  c.timeout(1);
  CHECK(begun(c, ElectionCause::process_gone) == 1);
  // It asks for it.
  c.receive(1, 2, append(2, 0, 0));
  c.receive(1, 2, TimeoutNow{.term = Term{2}});
  CHECK(begun(c, ElectionCause::transfer) == 1);
  CHECK(figures(c).last_election.find("handed over") != std::string::npos);
  // Won, and lost to a later term; then there is no leader, but there was one.
  c.receive(1, 2, grant(3));
  REQUIRE(c.raft(1).role() == Role::leader);
  CHECK(figures(c).won == 1);
  c.receive(1, 3, ask(9, 0, 0));
  c.receive(1, 3, accepted(9, 0));
  REQUIRE(c.raft(1).role() == Role::follower);
  CHECK(figures(c).stepped_down[static_cast<size_t>(StepDownCause::higher_term)] == 1);
  c.timeout(1);
  CHECK(begun(c, ElectionCause::leaderless) == 1);
  CHECK(sum(figures(c).begun) == 5);

  Cluster silent;
  lead(silent, {}, 2);
  silent.advance(1000);
  CHECK(figures(silent).stepped_down[static_cast<size_t>(StepDownCause::no_quorum)] == 1);
  CHECK(figures(silent).last_step_down.find("no quorum") != std::string::npos);
  Cluster stalled;
  lead(stalled, {}, 2);
  stalled.step(1, DiskStalled{true});
  CHECK(figures(stalled).stepped_down[static_cast<size_t>(StepDownCause::disk_stalled)] == 1);
  Cluster alone;
  lone(alone, {}, 0, {1});
  alone.timeout(1);
  CHECK(begun(alone, ElectionCause::alone) == 1);
}

TEST_CASE("fast path: stickiness is waived only between two that saw the same process die") {
  for (const bool saw_it : {false, true}) {
    for (const uint64_t named : {0, 2, 3}) {
      Cluster c;
      lone(c, {1}, 1);
      c.receive(1, 2, append(1, 1, 1));
      if (saw_it) c.step(1, PeerLost{NodeId{2}});
      RequestVote request = ask(2, 1, 1, true);
      request.lost_leader = NodeId{named};
      c.receive(1, 3, request);
      CHECK(c.last<RequestVoteReply>(1, 3)->granted == (saw_it && named == 2));
    }
  }
  // Heard from again: it lives.
  Cluster c;
  lone(c, {1}, 1);
  c.receive(1, 2, append(1, 1, 1));
  c.step(1, PeerLost{NodeId{2}});
  c.receive(1, 2, append(1, 1, 1));
  RequestVote request = ask(2, 1, 1, true);
  request.lost_leader = NodeId{2};
  c.receive(1, 3, request);
  CHECK_FALSE(c.last<RequestVoteReply>(1, 3)->granted);
}

TEST_CASE("thesis 3.10, HAZARDS A18: TimeoutNow works once, of this term, from the leader, on a voter") {
  const auto campaigned = [](uint64_t from, uint64_t term, std::vector<Id> voters, bool twice) {
    Cluster c;
    lone(c, {1}, 1, voters);
    c.receive(1, 2, append(1, 1, 1));
    c.receive(1, from, TimeoutNow{.term = Term{term}});
    const bool result = c.raft(1).role() == Role::candidate;
    if (result) {
      CHECK(c.last<RequestVote>(1, 3)->transfer);
      CHECK_FALSE(c.last<RequestVote>(1, 3)->pre_vote);
    }
    if (twice) {
      c.receive(1, 2, append(2, 1, 1));
      c.receive(1, from, TimeoutNow{.term = Term{term}});
      CHECK(c.raft(1).role() == Role::follower);
    }
    return result;
  };
  CHECK(campaigned(2, 1, {1, 2, 3}, false));
  CHECK(campaigned(2, 1, {1, 2, 3}, true));
  CHECK_FALSE(campaigned(3, 1, {1, 2, 3}, false));
  CHECK_FALSE(campaigned(2, 0, {1, 2, 3}, false));
  CHECK_FALSE(campaigned(2, 2, {1, 2, 3}, false));
  CHECK_FALSE(campaigned(2, 1, {2, 3}, false));
}

TEST_CASE("HAZARDS A13: election timeouts lie between one and two times the setting, and differ") {
  std::set<Millis> seen;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Options options = test_options();
    options.self = NodeId{1};
    Cluster c;
    Raft raft(options, c.disk_of({1, 2, 3}, {}, 0).recover(0), seed, 1000);
    const Millis deadline = raft.take_output(1000).next_deadline;
    CHECK(deadline >= 1500);
    CHECK(deadline < 2000);
    seen.insert(deadline);
  }
  CHECK(seen.size() > 100);
}

TEST_CASE("HAZARDS A11: with any one-way links between three, whoever is a connected majority commits") {
  const std::pair<Id, Id> links[] = {{1, 2}, {2, 1}, {1, 3}, {3, 1}, {2, 3}, {3, 2}};
  for (unsigned mask = 0; mask < 64; ++mask) {
    Cluster c;
    c.nodes({1, 2, 3});
    c.run_until([&] { return c.leader() != 0; });
    for (unsigned bit = 0; bit < 6; ++bit)
      if ((mask >> bit & 1U) != 0) c.cut(links[bit].first, links[bit].second);
    const bool majority = (mask & 3U) == 0 || (mask & 12U) == 0 || (mask & 48U) == 0;
    if (!majority) continue;
    c.run(1100);
    const size_t before = c.committed().size();
    const bool committed = c.run_until(
        [&] {
          for (const Id id : {1, 2, 3})
            if (c.raft(id).role() == Role::leader) c.propose(id, "m");
          return c.committed().size() > before;
        },
        5000);
    CHECK_MESSAGE(committed, "mask " << mask);
  }
}

TEST_CASE("HAZARDS C9: who is elected while its disk stalls does not stay leader") {
  Cluster c;
  lone(c, {}, 0);
  c.timeout(1);
  c.receive(1, 2, grant(1, true));
  REQUIRE(c.raft(1).role() == Role::candidate);
  c.step(1, DiskStalled{true});
  c.receive(1, 2, grant(1));
  CHECK(c.raft(1).role() == Role::follower);
}

TEST_CASE("HAZARDS C9: a stalled disk ends leadership and keeps from campaigning") {
  Cluster c;
  lead(c, {}, 1);
  c.step(1, DiskStalled{true});
  CHECK(c.raft(1).role() == Role::follower);
  c.timeout(1);
  CHECK(c.raft(1).role() == Role::follower);
  c.step(1, DiskStalled{false});
  c.timeout(1);
  CHECK(c.raft(1).role() == Role::pre_candidate);
}

TEST_CASE("HAZARDS C9: a lone voter has nobody to hand over to and goes on") {
  Cluster c;
  c.nodes({1});
  c.run_until([&] { return c.leader() == 1; });
  c.step(1, DiskStalled{true});
  CHECK(c.raft(1).role() == Role::leader);
}

TEST_CASE("HAZARDS A12: a leader takes nobody for silent whose answers it has not read yet") {
  for (const bool all_read : {false, true}) {
    Cluster c;
    lead_for_certain(c);
    const Millis late = c.local_now(c.at(1)) + c.options.election_timeout_ms + 1;
    (void)c.at(1).raft->take_output(late, all_read);
    CHECK(c.raft(1).role() == (all_read ? Role::follower : Role::leader));
  }
}

TEST_CASE("HAZARDS C10: a leader that stood still for more than an election timeout steps down before it acts") {
  Cluster c;
  lead(c, {}, 1);
  const uint64_t read = c.read(1);
  c.at(1).skew += 501;
  const uint64_t token = c.propose(1, "x");
  CHECK(c.proposal(token).refusal == Refusal::not_leader);
  CHECK(c.raft(1).role() == Role::follower);
  CHECK(c.read_result(read).done);
  CHECK_FALSE(c.read_result(read).ok);
}
