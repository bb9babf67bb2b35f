// What a follower does with writes that its leader refuses: it sends them to the next leader, in order, once each.
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "machine/command/command.h"
#include "member.h"

namespace wh::node {
namespace {

struct Follower : Bench {
  Follower() : Bench(bench_options(), member_disk()) { heartbeat(raft::Term{2}); }

  void write(Token token) {
    node.submit_write(token, set_command(std::to_string(token)), true, now);
    persist();
  }
  void leads(raft::NodeId who, uint64_t term) {
    node.receive(
        who,
        raft::AppendEntries{.term = raft::Term{term}, .prev_log_index = raft::Index{1}, .prev_log_term = raft::Term{1}},
        now);
    persist();
  }
  void refuse(const Forward& forward, raft::NodeId by = kOther) {
    node.receive(by, ForwardReply{forward.request, Outcome::not_leader, {}, {}}, now);
    persist();
  }
  // What was forwarded to `to` since the last call.
  std::vector<Forward> forwards(raft::NodeId to) {
    std::vector<Forward> found;
    for (auto& sent : transport.sent)
      if (const auto* forward = std::get_if<Forward>(&sent.message); forward != nullptr && sent.to == to)
        found.push_back(*forward);
    std::erase_if(transport.sent, [&](const auto& sent) { return sent.to == to; });
    return found;
  }
  static std::string value_of(const Forward& forward) {
    const auto command = machine::decode(forward.command.view());
    return std::string(std::get<machine::Set>(command->body).pairs.at(0).second);
  }
};

TEST_CASE("HAZARDS E14: what the leader refused goes to the next one, before what came later, under its old sequence") {
  Follower f;
  f.write(1);
  f.write(2);
  const std::vector<Forward> first = f.forwards(kOther);
  REQUIRE(first.size() == 2);
  f.refuse(first[0]);
  f.write(3);
  CHECK(f.forwards(kOther).empty());  // it leads no more, by its own word
  f.leads(kThird, 3);
  CHECK(f.forwards(kThird).empty());  // the refusal of the second is still to come
  f.refuse(first[1]);
  const std::vector<Forward> again = f.forwards(kThird);
  REQUIRE(again.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(Follower::value_of(again[i]) == std::to_string(i + 1));
    CHECK(again[i].term == raft::Term{3});
  }
  CHECK(again[0].command == first[0].command);
  CHECK(again[1].command == first[1].command);
  CHECK(again[0].request != first[0].request);
  CHECK(f.node.take_completions().empty());
}

TEST_CASE("HAZARDS E13: a second copy of a refusal does not answer for the second sending") {
  Follower f;
  f.write(1);
  const std::vector<Forward> first = f.forwards(kOther);
  f.refuse(first.at(0));
  f.leads(kThird, 3);
  const std::vector<Forward> again = f.forwards(kThird);
  REQUIRE(again.size() == 1);
  f.refuse(first[0]);
  CHECK(f.forwards(kThird).empty());
  f.node.receive(kThird,
                 ForwardReply{again[0].request, Outcome::applied, raft::Index{3}, machine::encode_reply({.count = 1})},
                 f.now);
  f.persist();
  const std::vector<Completion> done = f.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].outcome == Outcome::applied);
  CHECK(f.node.pending() == 0);
}

TEST_CASE("a write that was overtaken is not sent again: its client is told that it had no effect") {
  Follower f;
  f.write(1);
  const std::vector<Forward> first = f.forwards(kOther);
  f.leads(kThird, 3);
  f.write(2);
  CHECK(f.forwards(kThird).empty());
  f.wait(2 * bench_options().heartbeat_interval_ms);  // no longer than that
  CHECK(f.forwards(kThird).size() == 1);
  f.refuse(first.at(0));
  CHECK(f.forwards(kThird).empty());
  const std::vector<Completion> done = f.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].token == 1);
  CHECK(done[0].outcome == Outcome::dropped);
}

TEST_CASE("no refusal is waited for from a process that is gone") {
  Follower f;
  f.write(1);
  CHECK(f.forwards(kOther).size() == 1);
  f.node.peer_lost(kOther, f.now);
  f.leads(kThird, 3);
  f.write(2);
  CHECK(f.forwards(kThird).size() == 1);
}

TEST_CASE("a refused write for which no other leader comes has had no effect when its time is up") {
  Follower f;
  f.write(1);
  f.refuse(f.forwards(kOther).at(0));
  f.wait(bench_options().request_timeout_ms + 1);
  const std::vector<Completion> done = f.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].outcome == Outcome::dropped);
  CHECK(f.node.pending() == 0);
}

TEST_CASE("the next leader is this node itself: it proposes what was refused, under its old sequence") {
  Follower f;
  f.write(1);
  const std::vector<Forward> first = f.forwards(kOther);
  f.refuse(first.at(0));
  f.node.receive(kOther, raft::TimeoutNow{.term = raft::Term{2}}, f.now);
  f.persist();
  f.node.receive(kThird, raft::RequestVoteReply{.term = raft::Term{3}, .granted = true}, f.now);
  f.persist();
  REQUIRE(f.node.raft()->role() == raft::Role::leader);
  const raft::Log& log = f.node.raft()->log();
  REQUIRE(log.last_index() == raft::Index{3});
  CHECK(log.at(log.last_index()).payload.view() == first[0].command.view());
}

TEST_CASE("a forwarded write that outlives its leader's term is answered when the next leader's log has it") {
  Follower f;
  f.write(1);
  const std::vector<Forward> sent = f.forwards(kOther);
  REQUIRE(sent.size() == 1);
  // The leader appended it, sent it here and fell; nobody answers any more. The next one has it, and commits it.
  raft::AppendEntries message{.term = raft::Term{2}, .prev_log_index = raft::Index{1}, .prev_log_term = raft::Term{1}};
  message.entries.push_back(
      {.index = raft::Index{2}, .term = raft::Term{2}, .kind = raft::EntryKind::command, .payload = sent[0].command});
  f.node.receive(kOther, message, f.now);
  f.persist();
  f.node.peer_lost(kOther, f.now);
  f.node.receive(
      kThird,
      raft::AppendEntries{.term = raft::Term{3}, .prev_log_index = raft::Index{2}, .prev_log_term = raft::Term{2}},
      f.now);
  f.persist();
  CHECK(f.node.take_completions().empty());
  CHECK(f.forwards(kThird).empty());  // it is not sent again: it may be there
  message = {.term = raft::Term{3},
             .prev_log_index = raft::Index{2},
             .prev_log_term = raft::Term{2},
             .leader_commit = raft::Index{2}};
  f.node.receive(kThird, message, f.now);
  f.persist();
  const std::vector<Completion> done = f.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].token == 1);
  CHECK(done[0].outcome == Outcome::applied);
  CHECK(done[0].index == raft::Index{2});
  CHECK(f.node.pending() == 0);
}

TEST_CASE("HAZARDS E12: a forwarded write whose leader fell unanswered is unknown, and stays answered once") {
  Follower f;
  f.write(1);
  const std::vector<Forward> sent = f.forwards(kOther);
  REQUIRE(sent.size() == 1);
  f.node.peer_lost(kOther, f.now);
  f.leads(kThird, 3);
  CHECK(f.forwards(kThird).empty());
  f.wait(bench_options().request_timeout_ms + 100);
  std::vector<Completion> done = f.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].outcome == Outcome::unknown);
  // It was in the log after all, and the first leader's answer comes too: neither is a second one.
  f.node.receive(kOther, ForwardReply{sent[0].request, Outcome::applied, raft::Index{2}, "r"}, f.now);
  raft::AppendEntries message{.term = raft::Term{3},
                              .prev_log_index = raft::Index{1},
                              .prev_log_term = raft::Term{1},
                              .leader_commit = raft::Index{2}};
  message.entries.push_back(
      {.index = raft::Index{2}, .term = raft::Term{3}, .kind = raft::EntryKind::command, .payload = sent[0].command});
  f.node.receive(kThird, message, f.now);
  f.persist();
  CHECK(f.node.machine().get("k") != nullptr);
  CHECK(f.node.take_completions().empty());
}

TEST_CASE("what was forwarded for an earlier term is refused by who leads a later one, at once or from its queue") {
  Follower f;
  f.node.receive(kOther, raft::TimeoutNow{.term = raft::Term{2}}, f.now);
  f.persist();
  f.node.receive(kThird, raft::RequestVoteReply{.term = raft::Term{3}, .granted = true}, f.now);
  f.persist();
  REQUIRE(f.node.raft()->role() == raft::Role::leader);
  const raft::Index last = f.node.raft()->log().last_index();
  const Bytes command(machine::envelope({.origin = kThird, .epoch = 1, .sequence = 1}, set_body("late")));
  const auto outcome_of = [&](uint64_t request) -> std::optional<Outcome> {
    for (const auto& sent : f.transport.sent)
      if (const auto* reply = std::get_if<ForwardReply>(&sent.message); reply != nullptr && reply->request == request)
        return reply->outcome;
    return std::nullopt;
  };
  f.node.receive(kThird, Forward{5, command, raft::Term{2}}, f.now);
  f.persist();
  CHECK(outcome_of(5) == Outcome::not_leader);
  CHECK(f.node.raft()->log().last_index() == last);
  // It came in time, and waited behind nothing but the turn; meanwhile another term began.
  f.node.receive(kThird, Forward{6, command, raft::Term{3}}, f.now);
  f.node.receive(kOther, raft::AppendEntries{.term = raft::Term{4}}, f.now);
  f.persist();
  CHECK(outcome_of(6) == Outcome::not_leader);
  CHECK(f.node.raft()->log().last_index() == last);
}

}  // namespace
}  // namespace wh::node
