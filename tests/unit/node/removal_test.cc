// Removing members at the node: the cases of HAZARDS D12 (last voter, absent node, added twice), handing over first,
// forwarded requests, telling the removed node.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "machine/command/command.h"
#include "member.h"

namespace wh::node {
namespace {

// Leads term 2 of three voters, whose answers the test gives. Who is in `silent` gives none.
struct Leader : Bench {
  std::set<uint64_t> silent;
  std::vector<Completion> done;

  explicit Leader(NodeOptions options = bench_options()) : Bench(std::move(options), member_disk()) {
    wait(1'000);
    answer(raft::RequestVoteReply{.term = raft::Term{2}, .pre_vote = true, .granted = true});
    answer(raft::RequestVoteReply{.term = raft::Term{2}, .granted = true});
    acknowledge();
    REQUIRE(node.raft()->leads_for_certain());
  }
  void answer(const PeerMessage& message) {
    for (const raft::NodeId id : {kOther, kThird}) {
      if (silent.contains(id.value) || !node.raft()->configuration().contains(id)) continue;
      node.receive(id, message, now);
      persist();
    }
  }
  // The others hold all of the log.
  void acknowledge() {
    answer(raft::AppendEntriesReply{
        .term = node.raft()->current_term(), .success = true, .match_index = node.raft()->log().last_index()});
    for (Completion& completion : node.take_completions()) done.push_back(std::move(completion));
  }
  void pass(Millis ms) {
    for (Millis gone = 0; gone < ms; gone += 50) {
      wait(50);
      if (node.raft()->role() == raft::Role::leader) acknowledge();
    }
    for (Completion& completion : node.take_completions()) done.push_back(std::move(completion));
  }
  void remove(Token token, const std::string& name) {
    node.submit_admin(token, {AdminKind::remove, name, {}}, now);
    persist();
  }
  const Completion* completion(Token token) {
    pass(0);
    const auto it = std::find_if(done.begin(), done.end(), [&](const auto& c) { return c.token == token; });
    return it == done.end() ? nullptr : &*it;
  }
  template <class T>
  size_t sent_to(raft::NodeId to) {
    return static_cast<size_t>(std::count_if(transport.sent.begin(), transport.sent.end(), [&](const auto& sent) {
      return sent.to == to && std::holds_alternative<T>(sent.message);
    }));
  }
};

TEST_CASE("HAZARDS D12: removing an absent member, a dead one, a live one, and one too many") {
  struct Row {
    const char* what;
    std::set<uint64_t> silent;
    const char* name;
    Outcome outcome;
    const char* says;
  };
  const Row rows[] = {
      {"nobody of that name", {}, "fourth", Outcome::not_found, "no member is named fourth"},
      {"a live follower", {}, "third", Outcome::applied, ""},
      {"a dead follower", {kThird.value}, "third", Outcome::applied, ""},
      {"one of two that answer",
       {kThird.value},
       "other",
       Outcome::conflict,
       "only 1 of 2 voters would be reachable, and 2 are needed: bring back or remove third first"},
      {"the leader, one of two that answer", {kThird.value}, "me", Outcome::conflict, "bring back or remove third"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Leader bench;
    bench.silent = row.silent;
    bench.pass(1'200);  // long enough for silence to show
    bench.remove(1, row.name);
    bench.pass(200);
    REQUIRE(bench.completion(1) != nullptr);
    CHECK(bench.completion(1)->outcome == row.outcome);
    CHECK(has(bench.completion(1)->sentence, row.says));
  }
}

TEST_CASE("HAZARDS D12, D2: twice, two at once, and down to the last voter") {
  Leader bench;
  bench.remove(1, "third");
  bench.remove(2, "third");
  bench.remove(3, "other");
  CHECK(bench.node.raft()->configuration().members().size() == 2);  // one at a time
  bench.pass(300);
  REQUIRE(bench.completion(1) != nullptr);
  CHECK(bench.completion(1)->outcome == Outcome::applied);
  REQUIRE(bench.completion(2) != nullptr);
  CHECK(bench.completion(2)->outcome == Outcome::not_found);
  REQUIRE(bench.completion(3) != nullptr);
  CHECK(bench.completion(3)->outcome == Outcome::applied);
  CHECK(bench.node.raft()->configuration().members().size() == 1);
  CHECK(bench.transport.membership.removed == std::vector<raft::NodeId>{kThird, kOther});
  CHECK(bench.transport.peers.empty());  // nobody dials who is gone
  bench.remove(4, "me");
  bench.pass(100);
  REQUIRE(bench.completion(4) != nullptr);
  CHECK(bench.completion(4)->outcome == Outcome::conflict);
  CHECK(has(bench.completion(4)->sentence, "me is the last voter"));
}

TEST_CASE("HAZARDS D8: a leader that is to be removed hands over, and the next one removes it") {
  Leader bench;
  bench.remove(1, "me");
  bench.pass(100);
  CHECK(bench.sent_to<raft::TimeoutNow>(kOther) + bench.sent_to<raft::TimeoutNow>(kThird) == 1);
  CHECK(bench.node.raft()->configuration().contains(kMe));
  const raft::Index last = bench.node.raft()->log().last_index();
  bench.node.receive(kOther,
                     raft::AppendEntries{.term = raft::Term{3}, .prev_log_index = last, .prev_log_term = raft::Term{2}},
                     bench.now);
  bench.pass(200);
  CHECK(bench.sent_to<ForwardAdmin>(kOther) == 1);
  // The next leader's log says that it is done, whether or not its answer comes.
  raft::AppendEntries removal{.term = raft::Term{3}, .prev_log_index = last, .prev_log_term = raft::Term{2}};
  removal.leader_commit = last + 1;
  removal.entries.push_back({.index = last + 1,
                             .term = raft::Term{3},
                             .kind = raft::EntryKind::configuration,
                             .payload = Bytes(bench.node.raft()->configuration().without(kMe).encode())});
  bench.node.receive(kOther, removal, bench.now);
  bench.persist();
  REQUIRE(bench.completion(1) != nullptr);
  CHECK(bench.completion(1)->outcome == Outcome::applied);
  CHECK(bench.node.removed());
}

TEST_CASE("thesis 4.2.2, HAZARDS D8: a leader that nobody takes over from removes itself, and answers") {
  Leader bench;
  bench.remove(1, "me");
  bench.pass(1'000);  // the heir does nothing
  REQUIRE(bench.completion(1) != nullptr);
  CHECK(bench.completion(1)->outcome == Outcome::applied);
  CHECK_FALSE(bench.node.raft()->configuration().contains(kMe));
  CHECK(bench.node.raft()->role() == raft::Role::follower);
  CHECK(bench.node.removed());
}

TEST_CASE(
    "an administrative request that a former leader gives back goes to the next one, and no further hop is made") {
  Bench bench(bench_options(), member_disk());
  bench.heartbeat(raft::Term{2});
  bench.node.submit_admin(1, {AdminKind::remove, "third", {}}, bench.now);
  bench.persist();
  const auto forwarded_to = [&](raft::NodeId to) -> const ForwardAdmin* {
    for (const auto& sent : bench.transport.sent)
      if (const auto* forward = std::get_if<ForwardAdmin>(&sent.message); forward != nullptr && sent.to == to)
        return forward;
    return nullptr;
  };
  REQUIRE(forwarded_to(kOther) != nullptr);
  bench.node.receive(kOther, ForwardAdminReply{forwarded_to(kOther)->request, Outcome::not_leader, {}}, bench.now);
  bench.node.receive(
      kThird,
      raft::AppendEntries{.term = raft::Term{3}, .prev_log_index = raft::Index{1}, .prev_log_term = raft::Term{1}},
      bench.now);
  bench.persist();
  bench.wait(60);
  CHECK(forwarded_to(kThird) != nullptr);
  CHECK(bench.node.take_completions().empty());
  // And as the one that is asked in vain.
  bench.node.receive(kOther, ForwardAdmin{77, {AdminKind::remove, "third", {}}}, bench.now);
  bench.persist();
  const auto* reply = std::get_if<ForwardAdminReply>(&bench.transport.sent.back().message);
  REQUIRE(reply != nullptr);
  CHECK(reply->request == 77);
  CHECK(reply->outcome == Outcome::not_leader);
}

TEST_CASE("HAZARDS E14, RedisRaft 13: what was forwarded is not forwarded again, by whoever is asked in error") {
  Bench bench(bench_options(), member_disk());
  bench.heartbeat(raft::Term{2});
  const machine::RequestId id{.origin = kThird, .epoch = 1, .sequence = 1};
  const std::string command = machine::envelope(id, machine::encode_body(machine::Set{{{"k", "v"}}}));
  bench.node.receive(kThird, Forward{5, Bytes(command), raft::Term{2}}, bench.now);
  bench.persist();
  bench.wait(500);
  size_t replies = 0;
  for (const auto& sent : bench.transport.sent) {
    CHECK_FALSE(std::holds_alternative<Forward>(sent.message));
    const auto* reply = std::get_if<ForwardReply>(&sent.message);
    if (reply == nullptr) continue;
    ++replies;
    CHECK(sent.to == kThird);
    CHECK(reply->request == 5);
    CHECK(reply->outcome == Outcome::not_leader);
  }
  CHECK(replies == 1);
}

TEST_CASE(
    "HAZARDS A16, D13: told by a member, a node stops serving and says why; by anybody else, it does not believe") {
  Bench bench(bench_options(), member_disk());
  bench.heartbeat(raft::Term{2});
  const raft::Position later{raft::Term{2}, raft::Index{9}};
  bench.node.told_removed(raft::NodeId{99}, later, bench.now);
  bench.node.told_removed(kOther, raft::Position{raft::Term{1}, raft::Index{1}}, bench.now);  // older than its own log
  bench.persist();
  CHECK_FALSE(bench.node.removed());
  CHECK(bench.node.ready(nullptr));

  bench.node.submit_read(1, bench.now);
  bench.node.submit_write(2, machine::encode_command(machine::Set{{{"k", "v"}}}), true, bench.now);
  bench.persist();  // both are on their way to the leader
  bench.node.told_removed(kOther, later, bench.now);
  bench.persist();
  CHECK(bench.node.removed());
  std::string why;
  CHECK_FALSE(bench.node.ready(&why));
  CHECK(has(why, "me was removed from the cluster"));
  bench.node.submit_read(3, bench.now);
  bench.node.submit_write(4, machine::encode_command(machine::Set{{{"k", "v"}}}), true, bench.now);
  bench.node.submit_admin(5, {AdminKind::remove, "third", {}}, bench.now);
  bench.persist();
  std::set<Token> dropped;
  for (const Completion& completion : bench.node.take_completions()) {
    CHECK(completion.outcome == Outcome::dropped);
    CHECK(has(completion.sentence, "removed"));
    dropped.insert(completion.token);
  }
  CHECK(dropped == std::set<Token>{1, 3, 4, 5});
  const uint64_t elections = bench.node.raft()->elections();
  for (int i = 0; i < 20; ++i) bench.wait(1'000);
  CHECK(bench.node.raft()->role() == raft::Role::follower);
  CHECK(bench.node.raft()->elections() == elections);
  // What was forwarded before may have taken effect.
  const std::vector<Completion> late = bench.node.take_completions();
  REQUIRE(late.size() == 1);
  CHECK(late[0].token == 2);
  CHECK(late[0].outcome == Outcome::unknown);
}

TEST_CASE("without a quorum of voters a removal is refused with the numbers and what to do") {
  Bench bench(bench_options(), member_disk());
  bench.persist();
  bench.node.submit_admin(1, {AdminKind::remove, "third", {}}, bench.now);
  for (int i = 0; i < 30; ++i) bench.wait(100);
  std::vector<Completion> done = bench.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].outcome == Outcome::conflict);
  CHECK(has(done[0].sentence, "only 1 of 3 voters can be reached and 2 are needed"));
  CHECK(has(done[0].sentence, "bring back other, third"));
  CHECK(has(done[0].sentence, "--recover"));
  // One that is heard of makes a quorum possible: no verdict, try again.
  bench.node.submit_admin(2, {AdminKind::remove, "third", {}}, bench.now);
  for (int i = 0; i < 30; ++i) {
    bench.wait(100);
    bench.node.receive(kOther, raft::RequestVoteReply{.term = raft::Term{1}, .pre_vote = true}, bench.now);
  }
  bench.persist();
  done = bench.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].outcome == Outcome::dropped);
}

TEST_CASE("how many failures are tolerated: by the configuration, and on the leader by who answers") {
  Bench follower(bench_options(), member_disk());
  follower.heartbeat(raft::Term{2});
  CHECK_FALSE(follower.node.tolerates().has_value());  // the third may be gone, and only the leader knows
  CHECK(follower.node.tolerance_warning().empty());

  Leader leader;
  leader.pass(200);
  CHECK(leader.node.tolerates() == 1);
  leader.silent = {kThird.value};
  leader.pass(1'200);
  CHECK(leader.node.tolerates() == 0);
  CHECK(has(leader.node.tolerance_warning(), "third does not answer, and 2 of 3 voters are needed"));
  leader.silent = {};
  leader.pass(100);
  CHECK(leader.node.tolerance_warning().empty());
  leader.remove(1, "third");
  leader.pass(100);
  CHECK(leader.node.tolerates() == 0);
  CHECK(has(leader.node.tolerance_warning(), "two voters"));
  leader.remove(2, "other");
  leader.pass(100);
  CHECK(leader.node.tolerates() == 0);
  CHECK(leader.node.tolerance_warning().empty());  // alone by choice
}

}  // namespace
}  // namespace wh::node
