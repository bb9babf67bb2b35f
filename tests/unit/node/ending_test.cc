// A node that is being stopped: whom it hands leadership to, and when it may end.
#include <doctest/doctest.h>

#include "machine/command.h"
#include "node_bench.h"

namespace wh::node {
namespace {

constexpr Millis kHeartbeat = 50;
constexpr Millis kElection = 500;

// Leads term 2 for certain; both followers hold entry 2.
struct Leader : Bench {
  Leader() : Bench(bench_options(), member_disk()) {
    turn();
    while (node.raft()->role() != raft::Role::pre_candidate) wait(kHeartbeat);
    const raft::Term asked = raft::next(node.raft()->current_term());
    node.receive(kOther, raft::RequestVoteReply{.term = asked, .pre_vote = true, .granted = true}, now);
    persist();
    node.receive(kOther, raft::RequestVoteReply{.term = asked, .granted = true}, now);
    persist();
    REQUIRE(node.raft()->role() == raft::Role::leader);
    holds(kOther, 2);
    holds(kThird, 2);
    REQUIRE(node.raft()->leads_for_certain());
  }
  void holds(raft::NodeId who, uint64_t index) {
    node.receive(who,
                 raft::AppendEntriesReply{
                     .term = node.raft()->current_term(), .success = true, .match_index = raft::Index{index}},
                 now);
    persist();
  }
  // Who was told to campaign since the last call.
  raft::NodeId told() {
    raft::NodeId to;
    for (const auto& sent : transport.sent)
      if (std::holds_alternative<raft::TimeoutNow>(sent.message)) to = sent.to;
    transport.sent.clear();
    return to;
  }
  // Somebody leads the next term.
  void deposed_by(raft::NodeId who) {
    node.receive(who,
                 raft::RequestVote{.term = raft::next(node.raft()->current_term()),
                                   .last_log_index = node.raft()->log().last_index(),
                                   .last_log_term = node.raft()->log().last_term(),
                                   .transfer = true},
                 now);
    persist();
    node.receive(who,
                 raft::AppendEntries{.term = node.raft()->current_term(),
                                     .prev_log_index = node.raft()->log().last_index(),
                                     .prev_log_term = node.raft()->log().last_term()},
                 now);
    persist();
  }
};

TEST_CASE(
    "thesis 3.10: a stopping leader hands over to the voter that lacks the least, and stays two heartbeats more") {
  Leader leader;
  leader.node.submit_write(1, machine::encode_body(machine::Set{{{"k", "v"}}}), true, leader.now);
  leader.persist();
  leader.holds(kThird, 3);
  leader.told();
  leader.node.begin_shutdown(leader.now);
  leader.persist();
  CHECK(leader.told() == kThird);
  CHECK_FALSE(leader.node.quiet());
  leader.deposed_by(kThird);
  (void)leader.node.take_completions();
  CHECK_FALSE(leader.node.quiet());
  // A follower that has not heard of it: it is told at once, and sends its write elsewhere.
  leader.transport.sent.clear();
  leader.node.receive(kOther, Forward{77, Bytes(std::string("x")), raft::Term{2}}, leader.now);
  leader.persist();
  REQUIRE(leader.transport.sent.size() == 1);
  CHECK(std::get<ForwardReply>(leader.transport.sent[0].message).outcome == Outcome::not_leader);
  leader.wait(2 * kHeartbeat);
  CHECK(leader.node.quiet());
}

TEST_CASE("two that are being stopped do not hand leadership to each other while a third stays") {
  Leader leader;
  leader.told();
  leader.node.begin_shutdown(leader.now);
  leader.persist();
  const raft::NodeId first = leader.told();
  REQUIRE(first);
  leader.deposed_by(first);
  // It is being stopped too, and hands back.
  leader.node.receive(first, raft::TimeoutNow{.term = leader.node.raft()->current_term()}, leader.now);
  leader.persist();
  leader.node.receive(first, raft::RequestVoteReply{.term = leader.node.raft()->current_term(), .granted = true},
                      leader.now);
  leader.persist();
  REQUIRE(leader.node.raft()->role() == raft::Role::leader);
  const uint64_t last = leader.node.raft()->log().last_index().value;
  leader.holds(kOther, last);
  leader.holds(kThird, last);
  leader.wait(kHeartbeat);
  leader.persist();
  CHECK(leader.told() == (first == kOther ? kThird : kOther));
}

TEST_CASE("HAZARDS A17: a successor that does not take over in time is given up for the next one") {
  Leader leader;
  leader.told();
  leader.node.begin_shutdown(leader.now);
  leader.persist();
  const raft::NodeId first = leader.told();
  REQUIRE(first);
  for (Millis waited = 0; waited <= kElection && !leader.told(); waited += kHeartbeat) {
    CHECK_FALSE(leader.node.quiet());
    leader.holds(kOther, 2);
    leader.holds(kThird, 2);
    leader.wait(kHeartbeat);
    leader.transport.sent.clear();
    leader.turn();
  }
  leader.wait(kHeartbeat);
  leader.deposed_by(first == kOther ? kThird : kOther);
  leader.wait(2 * kHeartbeat);
  CHECK(leader.node.quiet());
}

TEST_CASE("nobody to hand over to: a stopping leader ends, and never later than its bound") {
  Leader leader;
  SUBCASE("the others fell silent") {
    leader.node.begin_shutdown(leader.now);
    leader.persist();
    leader.wait(kElection + 1);  // steps down: no quorum answers
    leader.wait(2 * kHeartbeat);
    CHECK(leader.node.quiet());
  }
  SUBCASE("they answer, but do not take over") {
    leader.node.begin_shutdown(leader.now);
    for (Millis waited = 0; waited < 3'000; waited += kHeartbeat) {
      CHECK_FALSE(leader.node.quiet());
      leader.holds(kOther, 2);
      leader.holds(kThird, 2);
      leader.wait(kHeartbeat);
    }
    CHECK(leader.node.quiet());
  }
}

TEST_CASE("requests are taken for a while after the signal, and answered within it") {
  Bench follower(bench_options(), member_disk());
  follower.heartbeat(raft::Term{2});
  follower.node.begin_shutdown(follower.now);
  follower.persist();
  CHECK(follower.node.quiet());
  follower.node.submit_write(1, machine::encode_body(machine::Set{{{"k", "v"}}}), true, follower.now);
  follower.persist();
  CHECK(follower.node.take_completions().empty());
  CHECK_FALSE(follower.node.quiet());
  follower.wait(3'000);
  follower.node.submit_write(2, machine::encode_body(machine::Set{{{"k", "v"}}}), true, follower.now);
  follower.persist();
  const std::vector<Completion> done = follower.node.take_completions();
  REQUIRE(done.size() == 2);
  CHECK(done[1].token == 2);
  CHECK(done[1].outcome == Outcome::shutting_down);
  CHECK(follower.node.quiet());
}

}  // namespace
}  // namespace wh::node
