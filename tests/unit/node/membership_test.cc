// Membership at the node when things go wrong: unexpected answers, other changes that were quicker, members that moved,
// and learners that belong to another cluster.
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "member.h"

namespace wh::node {
namespace {

constexpr raft::NodeId kFourth{44};

WhoIAm fourth(Standing standing = Standing::seeking, ClusterId cluster = kNoCluster) {
  WhoIAm who = empty_node(kFourth, "b:4");
  who.identity.name = "fourth";
  who.identity.http_address = ":8080";
  who.identity.cluster = cluster;
  who.standing = standing;
  return who;
}

// Leads, and was asked to add `fourth`, of which nothing is known yet.
struct Adding : Member {
  Adding() {
    lead();
    admin(1, AdminKind::add, "fourth", "b:4");
    REQUIRE(transport.asked.size() == 1);
  }
  void probed(Result<Answer> answer) {
    node.answered(transport.asked.back().request, std::move(answer), now);
    persist();
  }
  void joined() {
    probed(Answer(fourth()));
    REQUIRE(node.raft()->configuration().is_learner(kFourth));
    holds(kOther, last());
    REQUIRE_FALSE(node.raft()->change_pending());
  }
};

TEST_CASE("adding: a node of another name, of another cluster, and one that is no node, are not added") {
  Adding wrong_name;
  WhoIAm who = fourth();
  who.identity.name = "fifth";
  wrong_name.probed(Answer(who));
  REQUIRE(wrong_name.answer(1) != nullptr);
  CHECK(wrong_name.answer(1)->outcome == Outcome::conflict);
  CHECK(has(wrong_name.answer(1)->sentence, "the node at b:4 calls itself fifth, not fourth"));

  Adding elsewhere;
  elsewhere.probed(Answer(fourth(Standing::member, kAnotherCluster)));
  REQUIRE(elsewhere.answer(1) != nullptr);
  CHECK(elsewhere.answer(1)->outcome == Outcome::conflict);
  CHECK(has(elsewhere.answer(1)->sentence, "holds data of cluster 040506"));

  Adding odd;
  odd.probed(Answer(TakenIn{}));  // it may be just starting: asked again, for a moment
  CHECK(odd.answer(1) == nullptr);
  odd.wait(60);
  CHECK(odd.transport.asked.size() == 2);
  for (int i = 0; i < 30 && odd.answer(1) == nullptr; ++i) {
    odd.pass(50);
    if (odd.answer(1) == nullptr) odd.probed(Answer(TakenIn{}));
  }
  REQUIRE(odd.answer(1) != nullptr);
  CHECK(odd.answer(1)->outcome == Outcome::conflict);
  CHECK(has(odd.answer(1)->sentence, "no node answers at b:4: an answer of another kind came; nothing was changed"));
  for (Adding* bench : {&wrong_name, &elsewhere, &odd}) CHECK(bench->last() == raft::Index{2});
}

TEST_CASE(
    "adding: where nobody answers that is said at once; where what is sent gets lost, well within request-timeout") {
  Adding refused;
  const Millis begun = refused.now;
  while (refused.answer(1) == nullptr && refused.now < begun + 1'000) {
    refused.probed(Error{"could not connect to b:4: connection refused"});
    if (refused.answer(1) == nullptr) refused.wait(60);  // it may be just starting
  }
  REQUIRE(refused.answer(1) != nullptr);
  CHECK(refused.now <= begun + 400);
  CHECK(refused.answer(1)->outcome == Outcome::conflict);
  CHECK(has(refused.answer(1)->sentence, "no node answers at b:4: could not connect to b:4: connection refused"));

  Adding silent;
  const Millis half = Millis{bench_options().request_timeout_ms} / 2;
  silent.wait(half - 60);
  CHECK(silent.answer(1) == nullptr);
  silent.wait(120);
  REQUIRE(silent.answer(1) != nullptr);
  CHECK(silent.answer(1)->outcome == Outcome::conflict);
  CHECK(has(silent.answer(1)->sentence, "no node answers at b:4: nothing came within "));
  silent.probed(Answer(fourth()));  // too late: it counts for nothing

  for (Adding* bench : {&refused, &silent}) CHECK(bench->last() == raft::Index{2});
}

TEST_CASE(
    "adding: a name that no configuration can hold is refused, and an address without a host gets the one dialled") {
  Member bench;
  bench.lead();
  const std::string name(600, 'n');
  bench.admin(1, AdminKind::add, name, "b:4");
  REQUIRE(bench.transport.asked.size() == 1);
  WhoIAm who = fourth();
  who.identity.name = name;
  bench.node.answered(bench.transport.asked[0].request, Answer(who), bench.now);
  bench.persist();
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::conflict);
  CHECK(bench.last() == raft::Index{2});

  Adding good;
  good.joined();
  const raft::Member* member = good.node.raft()->configuration().find(kFourth);
  REQUIRE(member != nullptr);
  CHECK(member->http_address == "b:8080");
}

TEST_CASE("adding: who is removed again while it joins, and whose leader goes, is answered so") {
  Adding removed;
  removed.joined();
  removed.admin(2, AdminKind::remove, "fourth");
  removed.pass(100);
  REQUIRE(removed.answer(1) != nullptr);
  CHECK(removed.answer(1)->outcome == Outcome::conflict);
  CHECK(has(removed.answer(1)->sentence, "fourth was removed again while it was joining"));
  REQUIRE(removed.answer(2) != nullptr);
  CHECK(removed.answer(2)->outcome == Outcome::applied);

  Adding deposed;
  deposed.joined();
  deposed.led(kThird, 3, deposed.last(), {}, deposed.last().value);
  REQUIRE(deposed.answer(1) != nullptr);
  CHECK(deposed.answer(1)->outcome == Outcome::unknown);
  CHECK(has(deposed.answer(1)->sentence, "it goes on"));
}

TEST_CASE("adding: who is a voter already is answered at once, and nothing is written") {
  Member bench;
  bench.lead();
  bench.admin(1, AdminKind::add, "other", "a:1");
  REQUIRE(bench.transport.asked.size() == 1);
  WhoIAm who = empty_node(kOther, "a:1");
  who.identity.name = "other";
  who.identity.cluster = kCluster;
  who.standing = Standing::member;
  bench.node.answered(bench.transport.asked[0].request, Answer(who), bench.now);
  bench.wait(60);
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::applied);
  CHECK(bench.last() == raft::Index{2});
}

TEST_CASE("a transfer to a learner is refused") {
  Adding bench;
  bench.joined();
  bench.admin(2, AdminKind::transfer, "fourth");
  REQUIRE(bench.answer(2) != nullptr);
  CHECK(bench.answer(2)->outcome == Outcome::conflict);
  CHECK(has(bench.answer(2)->sentence, "fourth is a learner"));
  CHECK_FALSE(bench.node.raft()->transferring());
}

TEST_CASE("a change or a write that meets a leader which stood still is not proposed") {
  Adding bench;
  bench.now += 600;  // nothing was stepped meanwhile, for longer than an election timeout
  bench.node.submit_write(2, set_command("late"), true, bench.now);
  bench.probed(Answer(fourth()));
  CHECK(bench.node.raft()->role() != raft::Role::leader);
  CHECK(bench.last() == raft::Index{2});
  CHECK(bench.answer(1) == nullptr);  // it goes to the next leader
  bench.led(kOther, 3, raft::Index{2}, {}, 2);
  bench.wait(60);
  CHECK(bench.sent_to<ForwardAdmin>(kOther).size() == 1);
  CHECK(bench.sent_to<Forward>(kOther).size() == 1);

  Member writer;
  writer.lead();
  writer.now += 600;
  writer.write(2, "late");  // given to the core as a leader's
  REQUIRE(writer.answer(2) != nullptr);
  CHECK(writer.answer(2)->outcome == Outcome::dropped);
  CHECK(writer.last() == raft::Index{2});
}

TEST_CASE("a learner whose address turns out to be held by a member of another cluster goes again") {
  Adding bench;
  bench.joined();
  bench.node.peer_refused(kFourth, "it holds data of another cluster", fourth(Standing::member, kAnotherCluster),
                          bench.now);
  bench.persist();
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::conflict);
  CHECK(bench.answer(1)->sentence == "it holds data of another cluster");
  CHECK_FALSE(bench.node.raft()->configuration().contains(kFourth));
  bench.holds(kOther, bench.last());
  const raft::Index last = bench.last();
  // A voter is never taken out for that, nor a learner that is gone already.
  WhoIAm third = empty_node(kThird, "a:3");
  third.identity.cluster = kAnotherCluster;
  third.standing = Standing::member;
  bench.node.peer_refused(kThird, "another cluster", third, bench.now);
  bench.node.peer_refused(kFourth, "again", fourth(Standing::member, kAnotherCluster), bench.now);
  bench.pass(200);
  CHECK(bench.last() == last);
  CHECK(bench.node.raft()->configuration().is_voter(kThird));
}

TEST_CASE("a learner that refused and was removed meanwhile is not removed twice") {
  Adding bench;
  bench.joined();
  bench.node.submit_admin(2, {AdminKind::remove, "fourth", {}}, bench.now);
  bench.now += 60;
  bench.turn();  // proposed, and not committed yet
  REQUIRE_FALSE(bench.node.raft()->configuration().contains(kFourth));
  bench.node.peer_refused(kFourth, "another cluster", fourth(Standing::member, kAnotherCluster), bench.now);
  const raft::Index last = bench.last();
  bench.pass(200);
  CHECK(bench.last() == last);
  CHECK(bench.answer(2)->outcome == Outcome::applied);
}

TEST_CASE("a transfer: told and not won is unknown, another that leads is a conflict") {
  Member told;
  told.lead();
  told.holds(kThird, told.last());
  told.admin(1, AdminKind::transfer, "third");
  CHECK(told.sent_to<raft::TimeoutNow>(kThird).size() == 1);
  told.pass(600);
  REQUIRE(told.answer(1) != nullptr);
  CHECK(told.answer(1)->outcome == Outcome::unknown);
  CHECK(has(told.answer(1)->sentence, "has not won within an election timeout"));

  Member other;
  other.lead();
  other.holds(kThird, other.last());
  other.admin(1, AdminKind::transfer, "third");
  other.led(kOther, 3, other.last(), {}, 2);
  other.wait(60);
  REQUIRE(other.answer(1) != nullptr);
  CHECK(other.answer(1)->outcome == Outcome::conflict);
  CHECK(has(other.answer(1)->sentence, "other leads now instead"));
}

TEST_CASE(
    "the leader writes down where a member says that it is now, and what it says of nobody's machine it does not") {
  Member bench;
  bench.lead();
  bench.pass(1'100);
  const raft::Index before = bench.last();
  Identity moved = empty_node(kOther, "c:9").identity;
  moved.cluster = kCluster;
  moved.name = "other";
  bench.node.peer_identity(kOther, moved);
  Identity local = empty_node(kThird, "127.0.0.1:3").identity;
  local.cluster = kCluster;
  local.name = "third";
  bench.node.peer_identity(kThird, local);
  bench.pass(2'500);
  CHECK(bench.last() == before + 1);
  CHECK(bench.node.raft()->configuration().find(kOther)->raft_address == "c:9");
  CHECK(bench.node.raft()->configuration().find(kThird)->raft_address == "a:3");
}

TEST_CASE("strangers that announce themselves are remembered up to a bound") {
  Member bench;
  bench.lead();
  for (uint64_t id = 1'000; id < 1'200; ++id) {
    Identity stranger = empty_node(raft::NodeId{id}, "s:" + std::to_string(id)).identity;
    stranger.cluster = kCluster;
    bench.node.peer_identity(raft::NodeId{id}, stranger);
  }
  CHECK(bench.transport.peers.size() <= 2 + 16);
  CHECK(bench.transport.peers.size() > 2);
}

TEST_CASE("ready says what is missing: a leader that has committed nothing of its term yet") {
  Member bench;
  bench.lead(false);
  std::string why;
  CHECK_FALSE(bench.node.ready(&why));
  CHECK(has(why, "no entry of its term is committed yet"));
  bench.holds(kOther, bench.last());
  CHECK(bench.node.ready(&why));
  // Limits that change at run time reach the core.
  bench.node.set_max_uncommitted(1);
  bench.write(1, "first", false);
  bench.write(2, "beyond", false);
  REQUIRE(bench.answer(2) != nullptr);
  CHECK(bench.answer(2)->outcome == Outcome::overloaded);
}

TEST_CASE("founding: who granted it to another waits for that one, though it is the first by name itself") {
  NodeOptions options = bench_options();
  options.name = "a";
  options.join = {"a:1", "a:2", "a:3"};
  RecoveredNode disk = empty_disk();
  disk.granted_to = kOther;
  disk.granted_attempt = 7;
  disk.granted_address = "a:1";
  Bench bench(options, std::move(disk));
  bench.persist();
  bench.find_all(7);
  bench.find_all(7);
  CHECK(has(bench.node.waiting_for(), "waiting for a:1, to which this node granted the founding"));
  CHECK(bench.storage.grants.empty());
  // That attempt is over, says its founder: now this one, the first by name, asks for grants itself.
  bench.find_all(0);
  bench.find_all(0);
  REQUIRE(bench.storage.grants.size() == 1);
  CHECK(bench.storage.grants[0].founder == kMe);
}

TEST_CASE("HAZARDS D10: who holds data or other members is not taken into another cluster") {
  Member bench;
  bench.heartbeat(raft::Term{2});
  bench.node.asked(1, Adopt{kAnotherCluster, kMe, "stranger"}, bench.now);
  bench.node.asked(2, Adopt{kAnotherCluster, kOther, "stranger"}, bench.now);
  bench.node.asked(3, Adopt{kNoCluster, kMe, "stranger"}, bench.now);
  bench.persist();
  REQUIRE(bench.transport.answers.size() == 3);
  for (const auto& [id, answer] : bench.transport.answers) CHECK_FALSE(std::get<Adopted>(answer).ok);
  CHECK(has(std::get<Adopted>(bench.transport.answers[0].second).why, "holds data or other members"));
  CHECK(bench.node.identity().cluster == kCluster);
}

TEST_CASE("a leader that is removed while a forwarded write waits gives it back to be sent elsewhere") {
  Member bench;
  bench.lead();
  bench.holds(kThird, bench.last());
  bench.admin(1, AdminKind::transfer, "third");  // while it is under way nothing is proposed
  const Bytes command(machine::envelope({.origin = kOther, .epoch = 1, .sequence = 1}, set_body("x")));
  bench.write(2, "own");
  bench.node.receive(kOther, Forward{5, command, raft::Term{2}}, bench.now);
  bench.persist();
  CHECK(bench.sent_to<ForwardReply>(kOther).empty());
  bench.now += 600;  // as long as a quorum answers it, one member's word is nothing
  bench.node.told_removed(kOther, raft::Position{raft::Term{2}, raft::Index{9}}, bench.now);
  bench.persist();
  CHECK(bench.node.removed());
  REQUIRE(bench.sent_to<ForwardReply>(kOther).size() == 1);
  CHECK(bench.sent_to<ForwardReply>(kOther)[0].outcome == Outcome::not_leader);
  REQUIRE(bench.answer(2) != nullptr);
  CHECK(bench.answer(2)->outcome == Outcome::dropped);
}

TEST_CASE("room: a leader with room whose majority has none refuses what adds data") {
  Member bench;
  bench.lead();
  for (const raft::NodeId id : {kOther, kThird}) {
    bench.node.receive(
        id,
        raft::AppendEntriesReply{.term = raft::Term{2}, .success = true, .match_index = bench.last(), .no_room = true},
        bench.now);
    bench.persist();
  }
  bench.write(1, "more");
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::no_room);
  CHECK(has(bench.answer(1)->sentence, "the disks of too many nodes"));
  bench.node.submit_write(2, machine::encode_command(machine::Delete{{"k"}}), true, bench.now);
  bench.persist();
  CHECK(bench.answer(2) == nullptr);  // it was proposed
  CHECK(bench.last() == raft::Index{3});
}

}  // namespace

TEST_CASE("without a leader a member looks for the others behind the names of join, at all of their addresses") {
  NodeOptions options = bench_options();
  options.join = {"db:1", "gone:1"};
  Member bench(options);
  bench.transport.names = {{"db:1", {"10.0.0.1:1", "[2001:db8::1]:1"}}, {"gone:1", {}}};
  bench.transport.asked.clear();
  bench.wait(1'100);
  const auto asked_at = [&] {
    std::vector<std::string> addresses;
    for (const auto& question : bench.transport.asked)
      if (std::holds_alternative<WhoAreYou>(question.question)) addresses.push_back(question.address);
    return addresses;
  };
  REQUIRE(asked_at() == std::vector<std::string>{"10.0.0.1:1", "[2001:db8::1]:1"});
  // Not again while these are under way.
  bench.wait(1'100);
  CHECK(asked_at().size() == 2);
  // A member of this cluster that is elsewhere now is dialled there; nobody else is.
  const auto answer = [&](size_t which, raft::NodeId id, const ClusterId& cluster, const std::string& address) {
    WhoIAm who = empty_node(id, address);
    who.identity.cluster = cluster;
    bench.node.answered(bench.transport.asked[which].request, Answer(who), bench.now);
    bench.persist();
  };
  const auto dialled = [&](raft::NodeId id) {
    for (const Peer& peer : bench.transport.peers)
      if (peer.id == id) return peer.raft_address;
    return std::string();
  };
  REQUIRE(dialled(kOther) == "a:1");
  answer(0, kOther, kAnotherCluster, "10.0.0.1:1");
  CHECK(dialled(kOther) == "a:1");
  answer(1, raft::NodeId{44}, kCluster, "[2001:db8::1]:1");
  CHECK(dialled(raft::NodeId{44}).empty());
  bench.transport.asked.clear();
  bench.wait(1'100);
  REQUIRE(asked_at().size() == 2);
  answer(0, kOther, kCluster, "10.0.0.1:1");
  CHECK(dialled(kOther) == "10.0.0.1:1");
  CHECK(dialled(kThird) == "a:3");
  bench.node.answered(bench.transport.asked[1].request, Error{"nobody there"}, bench.now);
  // With a leader nobody is looked for; nor is what a lookup finds after one was found.
  bench.transport.names.erase("db:1");
  bench.transport.asked.clear();
  bench.now += 1'100;
  bench.node.tick(bench.now);
  bench.node.drain(bench.now);
  const auto lookups = std::exchange(bench.transport.lookups, {});
  REQUIRE(lookups.size() == 2);
  bench.heartbeat(raft::next(bench.node.raft()->current_term()));
  bench.node.resolved(lookups[0].first, std::vector<std::string>{"10.0.0.9:1"}, bench.now);
  bench.node.resolved(lookups[1].first, Error{"no such name"}, bench.now);
  bench.persist();
  CHECK(asked_at().empty());
  bench.wait(100);
  CHECK(bench.transport.lookups.empty());
}

TEST_CASE("a name of join that leads to more addresses than there may be questions has the first of them asked") {
  NodeOptions options = bench_options();
  std::map<std::string, std::vector<std::string>> names;
  for (int name = 0; name < 20; ++name) {
    const std::string entry = "db" + std::to_string(name) + ":1";
    options.join.push_back(entry);
    for (int i = 0; i < 16; ++i)
      names[entry].push_back("10.0." + std::to_string(name) + "." + std::to_string(i) + ":1");
  }
  Member bench(options);
  bench.transport.names = names;
  bench.transport.asked.clear();
  bench.wait(1'100);
  CHECK(bench.transport.asked.size() == Seeking::kMaxAddresses);
}

}  // namespace wh::node
