// A node that is being stopped: to whom it hands leadership over, and when it may end.
#include <map>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "machine/command/command.h"
#include "node_bench.h"

namespace wh::node {
namespace {

constexpr Millis kHeartbeat = 50;
constexpr Millis kElection = 500;

// Leads term 2 for certain; both followers hold entry 2.
struct EndingLeader : Bench {
  EndingLeader() : Bench(bench_options(), member_disk()) {
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
  EndingLeader leader;
  leader.node.submit_write(1, machine::encode_command(machine::Set{{{"k", "v"}}}), true, leader.now);
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
  leader.node.receive(
      kOther, Forward{77, Bytes(machine::envelope({.origin = kOther, .epoch = 1, .sequence = 1}, "x")), raft::Term{2}},
      leader.now);
  leader.persist();
  REQUIRE(leader.transport.sent.size() == 1);
  CHECK(std::get<ForwardReply>(leader.transport.sent[0].message).outcome == Outcome::not_leader);
  leader.wait(2 * kHeartbeat);
  CHECK(leader.node.quiet());
}

TEST_CASE("two that are being stopped do not hand leadership to each other while a third stays") {
  EndingLeader leader;
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
  EndingLeader leader;
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
  EndingLeader leader;
  SUBCASE("the others fell silent") {
    leader.node.begin_shutdown(leader.now);
    leader.persist();
    leader.wait(kElection + 1);  // steps down: no quorum answers
    leader.wait(2 * kHeartbeat);
    CHECK(leader.node.quiet());
  }
  SUBCASE("their processes are gone: it waits for none of them") {
    leader.node.begin_shutdown(leader.now);
    leader.persist();
    CHECK(leader.told());
    leader.node.peer_lost(kOther, leader.now);
    leader.node.peer_lost(kThird, leader.now);
    leader.persist();
    leader.wait(kHeartbeat);
    CHECK_FALSE(leader.told());
    CHECK(leader.node.quiet());
  }
  SUBCASE("one process is gone: the other takes over at once") {
    leader.node.begin_shutdown(leader.now);
    leader.persist();
    const raft::NodeId first = leader.told();
    REQUIRE(first);
    leader.node.peer_lost(first, leader.now);
    leader.holds(kOther, 2);
    leader.holds(kThird, 2);
    leader.node.peer_lost(first, leader.now);
    leader.wait(kHeartbeat);
    leader.persist();
    const raft::NodeId second = first == kOther ? kThird : kOther;
    CHECK(leader.told() == second);
    leader.deposed_by(second);
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
  follower.node.submit_write(1, machine::encode_command(machine::Set{{{"k", "v"}}}), true, follower.now);
  follower.persist();
  CHECK(follower.node.take_completions().empty());
  CHECK_FALSE(follower.node.quiet());
  follower.wait(3'000);
  follower.node.submit_write(2, machine::encode_command(machine::Set{{{"k", "v"}}}), true, follower.now);
  follower.persist();
  const std::vector<Completion> done = follower.node.take_completions();
  REQUIRE(done.size() == 2);
  CHECK(done[1].token == 2);
  CHECK(done[1].outcome == Outcome::shutting_down);
  CHECK(follower.node.quiet());
}

TEST_CASE("a stopping leader hands over to a voter whose disk has room, before one that lacks less of the log") {
  EndingLeader bench;
  bench.node.receive(
      kOther,
      raft::AppendEntriesReply{
          .term = bench.node.raft()->current_term(), .success = true, .match_index = raft::Index{2}, .no_room = true},
      bench.now);
  bench.node.submit_write(1, machine::encode_command(machine::Delete{{"k"}}), true, bench.now);
  bench.persist();
  bench.node.receive(
      kOther,
      raft::AppendEntriesReply{
          .term = bench.node.raft()->current_term(), .success = true, .match_index = raft::Index{3}, .no_room = true},
      bench.now);
  bench.persist();
  bench.told();
  bench.node.begin_shutdown(bench.now);
  bench.persist();
  CHECK(bench.told() == raft::NodeId{});  // to `third`, which lacks index 3 still
  bench.holds(kThird, 3);
  CHECK(bench.told() == kThird);

  // Where nobody has room, it goes to the one that lacks the least all the same.
  EndingLeader full;
  for (const auto& [who, index] : {std::pair{kOther, 3}, std::pair{kThird, 2}}) {
    if (who == kOther) {
      full.node.submit_write(1, machine::encode_command(machine::Delete{{"k"}}), true, full.now);
      full.persist();
    }
    full.node.receive(who,
                      raft::AppendEntriesReply{.term = full.node.raft()->current_term(),
                                               .success = true,
                                               .match_index = raft::Index{static_cast<uint64_t>(index)},
                                               .no_room = true},
                      full.now);
    full.persist();
  }
  full.told();
  full.node.begin_shutdown(full.now);
  full.persist();
  CHECK(full.told() == kOther);
}

TEST_CASE("a second transfer waits its turn: nothing is asked of its target before the first has ended") {
  EndingLeader bench;
  bench.node.submit_write(1, machine::encode_command(machine::Delete{{"k"}}), true, bench.now);
  bench.persist();
  bench.holds(kThird, 3);  // `other` lacks index 3: the transfer to it cannot be sent yet
  (void)bench.node.take_completions();
  bench.told();
  bench.node.submit_admin(7, {AdminKind::transfer, "other", {}}, bench.now);
  bench.node.submit_admin(8, {AdminKind::transfer, "third", {}}, bench.now);
  bench.persist();
  CHECK(bench.node.raft()->transferring());
  CHECK(bench.told() == raft::NodeId{});
  CHECK(bench.node.take_completions().empty());
  std::vector<Completion> done;
  raft::NodeId told;
  for (Millis gone = 0; gone < kElection + 3 * kHeartbeat && !told; gone += kHeartbeat) {
    bench.wait(kHeartbeat);
    bench.holds(kThird, 3);
    for (Completion& completion : bench.node.take_completions()) done.push_back(std::move(completion));
    told = bench.told();
  }
  REQUIRE(done.size() == 1);  // the first was given up, by its own time
  CHECK(done[0].token == 7);
  CHECK(done[0].outcome == Outcome::conflict);
  CHECK(told == kThird);
  bench.deposed_by(kThird);
  done = bench.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].token == 8);
  CHECK(done[0].outcome == Outcome::applied);
}

TEST_CASE(
    "HAZARDS C19: what is in progress when a node is stopped is answered within 3 s, however long it might wait") {
  NodeOptions options = bench_options();
  options.request_timeout_ms = 60'000;
  Bench bench(options, member_disk());
  bench.heartbeat(raft::Term{2});
  bench.node.submit_write(1, machine::encode_command(machine::Delete{{"k"}}), true, bench.now);  // forwarded
  bench.node.submit_read(2, bench.now);                                                          // asked of the leader
  bench.node.submit_admin(3, {AdminKind::remove, "third", {}}, bench.now);
  bench.persist();
  uint64_t token = 0;
  for (const auto& sent : bench.transport.sent)
    if (const auto* read = std::get_if<raft::ReadIndexRequest>(&sent.message)) token = read->token;
  bench.node.receive(kOther,
                     raft::ReadIndexReply{.term = raft::Term{2}, .token = token, .ok = true, .index = raft::Index{9}},
                     bench.now);
  bench.node.submit_read(4, bench.now);
  bench.persist();  // the first now waits for index 9, the second for the leader
  CHECK(bench.node.take_completions().empty());
  bench.node.begin_shutdown(bench.now);
  bench.persist();
  CHECK_FALSE(bench.node.quiet());
  std::map<Token, Outcome> outcomes;
  for (Millis gone = 0; gone < 3'200; gone += kHeartbeat) {
    bench.wait(kHeartbeat);
    for (const Completion& completion : bench.node.take_completions())
      CHECK(outcomes.emplace(completion.token, completion.outcome).second);
  }
  CHECK(outcomes == std::map<Token, Outcome>{
                        {1, Outcome::unknown}, {2, Outcome::dropped}, {3, Outcome::unknown}, {4, Outcome::dropped}});
  CHECK(bench.node.quiet());
}

}  // namespace
}  // namespace wh::node
