// Single defences of the node, each removed by a planted defect (tests/sim/mutant_tables.h): for snapshots, stalled
// disks, answers, joining, and foreign clusters.
#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "machine/command/command.h"
#include "node_bench.h"

namespace wh::node {
namespace {

raft::Entry command(uint64_t index, uint64_t term, const char* key) {
  return {.index = raft::Index{index},
          .term = raft::Term{term},
          .kind = raft::EntryKind::command,
          .time_ms = 777,
          .payload = Bytes(machine::envelope({}, machine::encode_body(machine::Set{{{key, "v"}}})))};
}

raft::Entry change(uint64_t index, uint64_t term, const raft::Configuration& configuration) {
  return {.index = raft::Index{index},
          .term = raft::Term{term},
          .kind = raft::EntryKind::configuration,
          .time_ms = 777,
          .payload = Bytes(configuration.encode())};
}

// The other node leads term 2 and sends what stands behind the first entry; committed up to `commit`.
void follow(Bench& bench, std::vector<raft::Entry> entries, uint64_t commit) {
  bench.node.receive(kOther,
                     raft::AppendEntries{.term = raft::Term{2},
                                         .prev_log_index = raft::Index{1},
                                         .prev_log_term = raft::Term{1},
                                         .leader_commit = raft::Index{commit},
                                         .entries = std::move(entries)},
                     bench.now);
  bench.turn();
}

// Leads term 2 of three voters, of which the other one answers.
struct Leads : Bench {
  Leads() : Bench(bench_options(), member_disk()) {
    wait(1'000);
    node.receive(kOther, raft::RequestVoteReply{.term = raft::Term{2}, .pre_vote = true, .granted = true}, now);
    persist();
    node.receive(kOther, raft::RequestVoteReply{.term = raft::Term{2}, .granted = true}, now);
    persist();
    acknowledge();
    REQUIRE(node.raft()->leads_for_certain());
  }
  void acknowledge() {
    node.receive(kOther,
                 raft::AppendEntriesReply{
                     .term = raft::Term{2}, .success = true, .match_index = node.raft()->log().last_index()},
                 now);
    persist();
  }
  // An administrator adds whoever answers at a:4 as this one.
  void add(Token token, const WhoIAm& who) {
    node.submit_admin(token, {AdminKind::add, "fourth", "a:4"}, now);
    wait(60);
    const auto asked = transport.asked.back();
    REQUIRE(asked.address == "a:4");
    node.answered(asked.request, Answer(who), now);
    persist();
    acknowledge();
  }
};

constexpr raft::NodeId kJoining{44};

WhoIAm joining() {
  WhoIAm who = empty_node(kJoining, "a:4");
  who.identity.name = "fourth";
  return who;
}

NodeOptions eager_snapshots() {
  NodeOptions options = bench_options();
  options.snapshot_entries = 1;
  options.trailing_entries = 0;
  return options;
}

bool adopted(const Bench& bench, uint64_t question) {
  for (const auto& [id, answer] : bench.transport.answers)
    if (id == question) return std::get<Adopted>(answer).ok;
  return false;
}

TEST_CASE("HAZARDS A12: what arrived during a pause is heard before the timer is") {
  Bench bench(bench_options(), member_disk());
  bench.heartbeat(raft::Term{2});
  bench.transport.sent.clear();
  bench.now += 3'000;
  bench.heartbeat(raft::Term{2});
  CHECK(std::none_of(bench.transport.sent.begin(), bench.transport.sent.end(),
                     [](const auto& sent) { return std::holds_alternative<raft::RequestVote>(sent.message); }));
  CHECK(bench.node.raft()->leader_id() == kOther);
}

TEST_CASE("HAZARDS B8: another entry at the index of a write answers that it had no effect") {
  Leads bench;
  bench.node.submit_write(7, machine::encode_command(machine::Set{{{"k", "v"}}}), true, bench.now);
  bench.persist();
  REQUIRE(bench.node.raft()->log().last_index() == raft::Index{3});
  bench.node.receive(kThird,
                     raft::AppendEntries{.term = raft::Term{3},
                                         .prev_log_index = raft::Index{2},
                                         .prev_log_term = raft::Term{2},
                                         .leader_commit = raft::Index{3},
                                         .entries = {command(3, 3, "another")}},
                     bench.now);
  bench.persist();
  const std::vector<Completion> done = bench.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].outcome == Outcome::dropped);
}

TEST_CASE("HAZARDS B15: the machine's time is what the leader stamped, not this node's") {
  Bench bench(bench_options(), member_disk());
  follow(bench, {command(2, 2, "k")}, 2);
  bench.persist();
  REQUIRE(bench.node.machine().applied() == raft::Index{2});
  CHECK(bench.node.machine().time_ms() == 777);
}

TEST_CASE("HAZARDS C9: a leader whose disk has not finished a sync for an election timeout leads no more") {
  Leads bench;
  bench.storage.age = 600;
  bench.node.tick(bench.now);
  bench.turn();
  CHECK(bench.node.raft()->role() == raft::Role::follower);
}

TEST_CASE("HAZARDS D4: a snapshot during a change holds the configuration at its own index") {
  Bench bench(eager_snapshots(), member_disk());
  const raft::Configuration before = bench.node.raft()->configuration();
  follow(bench, {command(2, 2, "k"), change(3, 2, before.without(kThird))}, 2);
  bench.persist();
  REQUIRE(bench.storage.snapshots.size() == 1);
  CHECK(bench.storage.snapshots[0].index == raft::Index{2});
  CHECK(bench.storage.snapshots[0].configuration == before);
}

TEST_CASE("HAZARDS D9: a snapshot remembers who was removed") {
  Bench bench(eager_snapshots(), member_disk());
  follow(bench, {change(2, 2, bench.node.raft()->configuration().without(kThird))}, 2);
  bench.persist();
  REQUIRE(bench.storage.snapshots.size() == 1);
  CHECK(bench.storage.snapshots[0].configuration.remembers(kThird));
}

TEST_CASE("HAZARDS D9: a node is adopted by its instance, not by its address") {
  Bench bench(bench_options(), empty_disk());
  bench.persist();
  bench.node.asked(1, Adopt{kAnotherCluster, kOther, "leader"}, bench.now);
  bench.persist();
  CHECK_FALSE(adopted(bench, 1));
  CHECK(bench.node.identity().cluster == kCluster);
}

TEST_CASE("HAZARDS D10: a member of one cluster is not adopted by another, nor taken in there") {
  Bench bench(bench_options(), member_disk());
  bench.persist();
  bench.node.asked(1, Adopt{kAnotherCluster, kMe, "leader"}, bench.now);
  bench.persist();
  CHECK_FALSE(adopted(bench, 1));
  CHECK(bench.node.identity().cluster == kCluster);

  Leads leader;
  WhoIAm foreign = joining();
  foreign.identity.cluster = kAnotherCluster;
  foreign.standing = Standing::member;
  leader.add(1, foreign);
  const std::vector<Completion> done = leader.node.take_completions();
  REQUIRE(done.size() == 1);
  CHECK(done[0].outcome == Outcome::conflict);
  CHECK_FALSE(leader.node.raft()->configuration().contains(kJoining));
}

// The first by name of three, with grants asked for.
struct Founder : Bench {
  Founder() : Bench(first(), empty_disk()) {
    persist();
    find_all();
  }
  static NodeOptions first() {
    NodeOptions options = bench_options();
    options.name = "a";
    options.join = {"a:1", "a:2", "a:3"};
    return options;
  }
  void grant(bool third) {
    for (const auto& question : std::exchange(transport.asked, {})) {
      if (!std::holds_alternative<GrantFounding>(question.question)) continue;
      CHECK(std::get<GrantFounding>(question.question).electorate == kAllThree);
      const bool gives = question.address == "a:1" || third;
      node.answered(question.request, Answer(FoundingGranted{gives, gives ? "" : "it granted another"}), now);
    }
    persist();
  }
};

TEST_CASE("HAZARDS D11: the grants of a majority are not enough to found a cluster of three") {
  Founder bench;
  REQUIRE(bench.storage.grants.size() == 1);
  bench.grant(false);
  CHECK(bench.node.identity().cluster == kNoCluster);
  Founder all;
  all.grant(true);
  CHECK(all.node.identity().cluster == kCluster);
}

TEST_CASE("HAZARDS D11: who does not see all that it expects grants nothing") {
  Bench bench(listed(), empty_disk());
  bench.persist();
  bench.answer_seeking([&](const std::string& address) -> Result<Answer> {
    if (address == "a:3") return Error{"nobody there"};
    return Answer(address == "a:2" ? empty_node(kMe, address) : waiting_node(kOther, address));
  });
  bench.node.asked(1, GrantFounding{empty_node(kOther, "a:1").identity, 7, {kMe, kOther}}, bench.now);
  bench.persist();
  REQUIRE(bench.transport.answers.size() == 1);
  CHECK_FALSE(std::get<FoundingGranted>(bench.transport.answers[0].second).granted);
  CHECK(bench.storage.grants.empty());
}

TEST_CASE("HAZARDS D13: a removed node keeps its data, whoever would take it in") {
  Bench bench(bench_options(), member_disk());
  bench.heartbeat(raft::Term{2});
  bench.node.told_removed(kOther, {raft::Term{2}, raft::Index{9}}, bench.now);
  bench.persist();
  REQUIRE(bench.node.removed());
  bench.node.asked(1, Adopt{kAnotherCluster, kMe, "leader"}, bench.now);
  bench.persist();
  CHECK_FALSE(adopted(bench, 1));
  CHECK(bench.node.identity().cluster == kCluster);
}

TEST_CASE("HAZARDS D15: a second request to add a node that is joining joins it") {
  Leads bench;
  bench.add(1, joining());
  REQUIRE(bench.node.raft()->configuration().is_learner(kJoining));
  const raft::Index changed = bench.node.raft()->log().configuration_index();
  bench.add(2, joining());
  CHECK(bench.node.raft()->log().configuration_index() == changed);
  CHECK(bench.node.take_completions().empty());  // both wait for it
}

TEST_CASE("HAZARDS F8: no snapshot of what is not on the disk yet") {
  Bench bench(eager_snapshots(), member_disk());
  follow(bench, {command(2, 2, "k")}, 2);
  REQUIRE(bench.node.machine().applied() == raft::Index{2});
  CHECK(bench.storage.snapshots.empty());
  bench.persist();
  CHECK(bench.storage.snapshots.size() == 1);
}

TEST_CASE("HAZARDS F10: a part of a snapshot that found no room is not answered") {
  Bench bench(bench_options(), member_disk());
  bench.heartbeat(raft::Term{2});
  const raft::SnapshotMeta meta{.index = raft::Index{9},
                                .term = raft::Term{2},
                                .configuration_index = raft::Index{1},
                                .configuration = bench.node.raft()->configuration(),
                                .size = 100};
  bench.node.receive(kOther,
                     raft::InstallSnapshot{.term = raft::Term{2}, .meta = meta, .data = Bytes(std::string(50, 'x'))},
                     bench.now);
  bench.persist();
  bench.transport.sent.clear();
  bench.node.storage_done(IncomingChunkWritten{meta, 0, false, false, true}, bench.now);
  bench.persist();
  CHECK(std::none_of(bench.transport.sent.begin(), bench.transport.sent.end(), [](const auto& sent) {
    return std::holds_alternative<raft::InstallSnapshotReply>(sent.message);
  }));
}

}  // namespace
}  // namespace wh::node
