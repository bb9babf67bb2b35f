// Rows of tests/HAZARDS.md that show at the node: what it sends, what it answers, and when.
#include <algorithm>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "machine/command/command.h"
#include "member.h"

namespace wh::node {
namespace {

TEST_CASE("HAZARDS A2: while its disk does not answer, a node gives no vote, acknowledges nothing and counts nothing") {
  Member voter;
  voter.turn();
  voter.node.receive(
      kOther,
      raft::RequestVote{.term = raft::Term{2}, .last_log_index = raft::Index{1}, .last_log_term = raft::Term{1}},
      voter.now);
  voter.turn();
  CHECK(voter.sent_to<raft::RequestVoteReply>(kOther).empty());
  voter.persist();
  REQUIRE(voter.sent_to<raft::RequestVoteReply>(kOther).size() == 1);
  CHECK(voter.sent_to<raft::RequestVoteReply>(kOther)[0].granted);

  Member follower;
  follower.heartbeat(raft::Term{2});
  const auto acknowledged = [&] {
    raft::Index most;
    for (const auto& reply : follower.sent_to<raft::AppendEntriesReply>(kOther))
      if (reply.success) most = std::max(most, reply.match_index);
    return most;
  };
  raft::AppendEntries entries{.term = raft::Term{2}, .prev_log_index = raft::Index{1}, .prev_log_term = raft::Term{1}};
  entries.entries.push_back({.index = raft::Index{2}, .term = raft::Term{2}, .payload = {}});
  follower.node.receive(kOther, entries, follower.now);
  follower.turn();
  CHECK(acknowledged() == raft::Index{1});
  follower.persist();
  CHECK(acknowledged() == raft::Index{2});

  Member leader;
  leader.lead();
  leader.write(1, "v", false);
  leader.node.receive(kOther,
                      raft::AppendEntriesReply{.term = raft::Term{2}, .success = true, .match_index = leader.last()},
                      leader.now);
  leader.turn();
  CHECK(leader.answer(1) == nullptr);  // one of three has it on its disk
  leader.persist();
  REQUIRE(leader.answer(1) != nullptr);
  CHECK(leader.answer(1)->outcome == Outcome::applied);
}

TEST_CASE(
    "HAZARDS B7, E12: a leader that lost its term says of what it appended neither that it failed nor that it held") {
  Member bench;
  bench.lead();
  bench.write(1, "perhaps");
  bench.led(kThird, 3, raft::Index{2}, {}, 2);  // another leads, and says nothing of index 3
  CHECK(bench.node.raft()->role() == raft::Role::follower);
  CHECK(bench.answer(1) == nullptr);
  bench.wait(bench_options().request_timeout_ms + 100);
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::unknown);

  // The next leader has it: then it was applied, and is answered as that.
  Member heir;
  heir.lead();
  heir.write(1, "kept");
  heir.led(kThird, 3, raft::Index{3}, {"next"}, 3);
  REQUIRE(heir.answer(1) != nullptr);
  CHECK(heir.answer(1)->outcome == Outcome::applied);
  CHECK(heir.answer(1)->index == raft::Index{3});
}

TEST_CASE("HAZARDS E12: what never reached a log is no unknown, and what was forwarded and not answered is one") {
  Member alone;
  alone.write(1, "nobody leads");
  Member follower;
  follower.heartbeat(raft::Term{2});
  follower.write(2, "forwarded");
  CHECK(follower.sent_to<Forward>(kOther).size() == 1);
  for (Member* bench : {&alone, &follower}) {
    CHECK(bench->done.empty());
    bench->wait(bench_options().request_timeout_ms + 100);
  }
  REQUIRE(alone.answer(1) != nullptr);
  CHECK(alone.answer(1)->outcome == Outcome::dropped);
  REQUIRE(follower.answer(2) != nullptr);
  CHECK(follower.answer(2)->outcome == Outcome::unknown);
}

TEST_CASE("HAZARDS B8: a waiter is not given the answer of another's entry at its index") {
  Member bench;
  bench.lead();
  bench.write(1, "mine");
  REQUIRE(bench.last() == raft::Index{3});
  bench.led(kThird, 3, raft::Index{2}, {"theirs"}, 3);
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::dropped);
  CHECK(bench.answer(1)->sentence.empty());
  CHECK(bench.node.machine().get("k")->view() == "theirs");
}

TEST_CASE("HAZARDS B8: elected again, a leader uses an index anew, and each waiter is told of its own entry") {
  Member bench;
  bench.lead();
  for (const Token token : {1, 2, 3}) bench.write(token, "old " + std::to_string(token));
  REQUIRE(bench.last() == raft::Index{5});
  // What is behind index 2 is replaced by one entry, of which nothing is committed yet.
  bench.led(kThird, 3, raft::Index{2}, {"theirs"}, 2);
  REQUIRE(bench.last() == raft::Index{3});
  bench.lead(false);
  bench.write(4, "new");
  REQUIRE(bench.last() == raft::Index{5});  // behind its no-op: where the third stood
  REQUIRE(bench.answer(3) != nullptr);
  CHECK(bench.answer(3)->outcome != Outcome::applied);
  CHECK(bench.answer(1) == nullptr);
  bench.holds(kOther, raft::Index{5});
  for (const Token token : {1, 2}) {
    REQUIRE(bench.answer(token) != nullptr);
    CHECK(bench.answer(token)->outcome == Outcome::dropped);
  }
  REQUIRE(bench.answer(4) != nullptr);
  CHECK(bench.answer(4)->outcome == Outcome::applied);
  CHECK(bench.answer(4)->index == raft::Index{5});
  CHECK(bench.node.machine().get("k")->view() == "new");
}

TEST_CASE("HAZARDS E5: a read waits until this node has applied as far as the leader confirmed, or is dropped") {
  Member bench;
  bench.heartbeat(raft::Term{2});
  bench.node.submit_read(1, bench.now);
  bench.persist();
  const auto asked = bench.sent_to<raft::ReadIndexRequest>(kOther);
  REQUIRE(asked.size() == 1);
  bench.node.receive(
      kOther, raft::ReadIndexReply{.term = raft::Term{2}, .token = asked[0].token, .ok = true, .index = raft::Index{4}},
      bench.now);
  bench.persist();
  CHECK(bench.answer(1) == nullptr);
  bench.led(kOther, 2, raft::Index{1}, {"2", "3", "4"}, 3);  // it holds 4 and knows that 3 are committed
  CHECK(bench.answer(1) == nullptr);
  bench.led(kOther, 2, raft::Index{4}, {}, 4);
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::applied);
  CHECK(bench.answer(1)->index == raft::Index{4});

  Member late;
  late.heartbeat(raft::Term{2});
  late.node.submit_read(1, late.now);
  late.persist();
  late.node.receive(kOther,
                    raft::ReadIndexReply{.term = raft::Term{2},
                                         .token = late.sent_to<raft::ReadIndexRequest>(kOther).at(0).token,
                                         .ok = true,
                                         .index = raft::Index{4}},
                    late.now);
  late.persist();
  late.wait(bench_options().request_timeout_ms + 100);
  REQUIRE(late.answer(1) != nullptr);
  CHECK(late.answer(1)->outcome == Outcome::dropped);
}

TEST_CASE("HAZARDS D11: who has a cluster on its disk founds none, whatever it is started with") {
  for (const bool listed : {false, true}) {
    CAPTURE(listed);
    NodeOptions options = bench_options();
    options.fresh_cluster = kAnotherCluster;
    if (listed) options.join = {"a:1", "a:2", "a:3"};
    Bench bench(options, member_disk());
    bench.persist();
    for (int i = 0; i < 20; ++i) bench.wait(1'000);
    CHECK(bench.node.identity().cluster == kCluster);
    CHECK(bench.storage.grants.empty());
    REQUIRE(bench.node.raft() != nullptr);
    CHECK(bench.node.raft()->configuration().members().size() == 3);
  }
}

TEST_CASE("HAZARDS D11: an empty disk that is to join founds nothing alone, and asks who has a cluster") {
  NodeOptions options = bench_options();
  options.join = {"a:1", "a:2", "a:3"};
  Bench bench(options, empty_disk());
  bench.persist();
  for (int round = 0; round < 20; ++round) {
    bench.wait(1'000);
    const auto questions = std::exchange(bench.transport.asked, {});
    for (const auto& question : questions) {
      if (!std::holds_alternative<WhoAreYou>(question.question)) continue;
      if (question.address == "a:2")
        bench.node.answered(question.request, Answer(empty_node(kMe, "a:2")), bench.now);
      else
        bench.node.answered(question.request, Error{"nobody there"}, bench.now);
    }
    bench.persist();
  }
  CHECK(bench.node.identity().cluster == kNoCluster);
  CHECK(bench.node.raft() == nullptr);
  // One of the listed turns out to have a cluster.
  WhoIAm member = empty_node(kOther, "a:1");
  member.identity.cluster = kCluster;
  member.standing = Standing::member;
  REQUIRE(bench.storage.grants.empty());
  bench.wait(1'000);
  REQUIRE(bench.transport.asked.size() == 3);  // the next round
  for (const auto& question : std::exchange(bench.transport.asked, {}))
    if (question.address == "a:1") bench.node.answered(question.request, Answer(member), bench.now);
  bench.persist();
  REQUIRE(bench.transport.asked.size() == 1);
  CHECK(bench.transport.asked[0].address == "a:1");
  CHECK(std::holds_alternative<TakeMeIn>(bench.transport.asked[0].question));
  // And that it has met one stays on its disk.
  REQUIRE(bench.storage.grants.size() == 1);
  CHECK(bench.storage.grants[0].founder == raft::NodeId{~uint64_t{0}});
  CHECK(bench.storage.grants[0].address == "cluster " + to_hex(kCluster));
}

TEST_CASE("HAZARDS D11: who has met a member of a cluster never founds, nor grants, after a restart either") {
  NodeOptions options = bench_options();
  options.name = "a";  // the first by name
  options.join = {"a:1", "a:2", "a:3"};
  RecoveredNode disk = empty_disk();
  {
    Bench bench(options, empty_disk());
    bench.persist();
    WhoIAm member = empty_node(kOther, "a:1");
    member.identity.cluster = kCluster;
    bench.answer_seeking([&](const std::string& address) -> Result<Answer> {
      if (address == "a:1") return Answer(member);
      return Error{"nobody there"};
    });
    REQUIRE(bench.storage.grants.size() == 1);
    disk.granted_to = bench.storage.grants[0].founder;
    disk.granted_attempt = bench.storage.grants[0].attempt;
    disk.granted_address = bench.storage.grants[0].address;
    bench.find_all();
    bench.find_all();
    CHECK(bench.storage.grants.size() == 1);
    CHECK(bench.node.waiting_for().find("has met cluster") != std::string::npos);
  }
  Bench bench(options, disk);
  bench.persist();
  for (int i = 0; i < 5; ++i) bench.find_all();
  CHECK(bench.storage.grants.empty());
  CHECK(bench.node.identity().cluster == kNoCluster);
  CHECK(bench.node.waiting_for().find("empty this node's directory") != std::string::npos);
  bench.node.asked(1, GrantFounding{empty_node(kOther, "a:1").identity, 7, kAllThree}, bench.now);
  bench.persist();
  REQUIRE(bench.transport.answers.size() == 1);
  CHECK_FALSE(std::get<FoundingGranted>(bench.transport.answers[0].second).granted);
  // Without `join` it does not either.
  options.join.clear();
  Bench told_of_nobody(options, disk);
  told_of_nobody.persist();
  told_of_nobody.wait(10'000);
  CHECK(told_of_nobody.node.identity().cluster == kNoCluster);
  CHECK(told_of_nobody.node.waiting_for().find("has met cluster") != std::string::npos);
}

TEST_CASE("HAZARDS D11: who was called by a member of a cluster never founds, nor grants") {
  NodeOptions options = listed();
  options.name = "a";  // the first by name
  Identity member = empty_node(kThird, "b:9").identity;
  member.cluster = kCluster;
  const auto grants_after = [](const Bench& bench) { return bench.storage.grants.size(); };

  Bench bench(options, empty_disk());
  bench.persist();
  bench.node.met(member);
  bench.persist();
  REQUIRE(grants_after(bench) == 1);
  CHECK(bench.storage.grants[0].founder == raft::NodeId{~uint64_t{0}});
  CHECK(bench.storage.grants[0].address == "cluster " + to_hex(kCluster));
  // It is told again and again, and writes it down once.
  bench.node.met(member);
  for (int i = 0; i < 5; ++i) bench.find_all();
  CHECK(grants_after(bench) == 1);
  CHECK(bench.node.identity().cluster == kNoCluster);
  CHECK(bench.node.waiting_for().find("has met cluster") != std::string::npos);
  bench.node.asked(1, GrantFounding{empty_node(kOther, "a:1").identity, 7, kAllThree}, bench.now);
  bench.persist();
  REQUIRE(bench.transport.answers.size() == 1);
  CHECK_FALSE(std::get<FoundingGranted>(bench.transport.answers[0].second).granted);

  // In the middle of an attempt of its own: it is given up, and no grant that comes after it makes it found.
  Bench founder(options, empty_disk());
  founder.persist();
  founder.find_all();
  REQUIRE(grants_after(founder) == 1);
  CHECK(founder.storage.grants[0].founder == kMe);
  founder.node.met(member);
  founder.persist();
  for (const auto& question : std::exchange(founder.transport.asked, {}))
    if (std::holds_alternative<GrantFounding>(question.question))
      founder.node.answered(question.request, Answer(FoundingGranted{true, {}}), founder.now);
  founder.persist();
  for (int i = 0; i < 5; ++i) founder.find_all();
  CHECK(founder.node.identity().cluster == kNoCluster);
  CHECK(founder.storage.grants.back().founder == raft::NodeId{~uint64_t{0}});

  // While a grant to another is being written: it is not given.
  Bench grantor(listed(), empty_disk());
  grantor.persist();
  grantor.find_all();
  grantor.node.asked(1, GrantFounding{empty_node(kOther, "a:1").identity, 7, kAllThree}, grantor.now);
  grantor.node.met(member);
  grantor.persist();
  REQUIRE(grantor.transport.answers.size() == 1);
  CHECK_FALSE(std::get<FoundingGranted>(grantor.transport.answers[0].second).granted);

  // Nor does it keep it from being taken in by that cluster.
  bench.node.asked(2, Adopt{kCluster, kMe, "third"}, bench.now);
  bench.persist();
  CHECK(bench.node.cluster() == kCluster);
}

TEST_CASE("HAZARDS D11: a member asks who is in no cluster and stands where a member was, if it can prove itself") {
  for (const bool proves : {false, true}) {
    CAPTURE(proves);
    NodeOptions options = bench_options();
    options.members_prove_themselves = proves;
    Member bench(options);
    bench.persist();
    bench.transport.asked.clear();
    bench.node.peer_refused(kOther, "who is that", empty_node(raft::NodeId{44}, "a:1"), bench.now);
    bench.persist();
    REQUIRE(bench.transport.asked.size() == (proves ? 1 : 0));
    if (proves) {
      CHECK(bench.transport.asked[0].address == "a:1");
      CHECK(std::holds_alternative<WhoAreYou>(bench.transport.asked[0].question));
      bench.node.answered(bench.transport.asked[0].request, Answer(empty_node(raft::NodeId{44}, "a:1")), bench.now);
    }
    // Who is in a cluster knows of one.
    bench.transport.asked.clear();
    WhoIAm elsewhere = empty_node(raft::NodeId{44}, "a:1");
    elsewhere.identity.cluster = kAnotherCluster;
    bench.node.peer_refused(kOther, "who is that", elsewhere, bench.now);
    bench.persist();
    CHECK(bench.transport.asked.empty());
  }
}

TEST_CASE("HAZARDS D15: a request to be taken in that comes again and again is one change of membership") {
  constexpr raft::NodeId kNewcomer{44};
  Member bench;
  bench.lead();
  Identity newcomer = empty_node(kNewcomer, "a:4").identity;
  newcomer.name = "fourth";
  const TakeMeIn question{newcomer};
  for (const uint64_t id : {1, 2, 3}) {
    bench.node.asked(id, question, bench.now);
    bench.wait(60);
  }
  REQUIRE(bench.transport.answers.size() == 3);
  for (const auto& [id, answer] : bench.transport.answers) CHECK(std::get<TakenIn>(answer).accepted);
  REQUIRE(bench.transport.asked.size() == 1);  // it is asked once who it is
  WhoIAm who = empty_node(kNewcomer, "a:4");
  who.identity = newcomer;
  const uint64_t probe = bench.transport.asked[0].request;
  bench.node.answered(probe, Answer(who), bench.now);
  bench.persist();
  const raft::Index changed = bench.last();
  CHECK(bench.node.raft()->configuration().contains(kNewcomer));
  bench.node.answered(probe, Answer(who), bench.now);  // a second copy of its answer
  bench.holds(kOther, changed);
  bench.node.asked(4, question, bench.now);
  bench.wait(60);
  CHECK(std::get<TakenIn>(bench.transport.answers.back().second).accepted);
  CHECK(bench.last() == changed);
  CHECK(bench.transport.asked.size() == 1);
}

TEST_CASE("HAZARDS D15: an invitation that comes twice is accepted twice, and begins one new log") {
  NodeOptions options = bench_options();
  options.join = {"a:1"};
  Bench bench(options, empty_disk());
  bench.persist();
  const Adopt invitation{kCluster, kMe, "other"};
  bench.node.asked(1, invitation, bench.now);
  bench.node.asked(2, invitation, bench.now);  // while the first is being written
  bench.persist();
  CHECK(bench.node.identity().cluster == kCluster);
  bench.node.receive(kOther, raft::AppendEntries{.term = raft::Term{7}}, bench.now);
  bench.persist();
  bench.node.asked(3, invitation, bench.now);
  bench.persist();
  CHECK(bench.node.raft()->current_term() == raft::Term{7});  // the third threw nothing away
  REQUIRE(bench.transport.answers.size() == 3);
  for (const auto& [id, answer] : bench.transport.answers) {
    if (id == 2)
      CHECK_FALSE(std::get<Adopted>(answer).ok);  // busy: asked again
    else
      CHECK(std::get<Adopted>(answer).ok);
  }
}

}  // namespace
}  // namespace wh::node
