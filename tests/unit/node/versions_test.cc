// The cluster's version at a node: who raises it and when, what is refused until then, and what is never accepted. The
// simulator tests whole clusters of two releases.
#include "versioned.h"

using namespace wh;
using namespace wh::node;

TEST_CASE("HAZARDS B17: the version rises at once when every member says that it can do more, and answers") {
  Versioned bench;
  bench.lead();
  bench.settle();
  CHECK(bench.node.cluster_version() == 1);
  bench.says(kOther, 2);
  bench.settle();
  CHECK(bench.node.cluster_version() == 1);  // the third has not said anything
  bench.says(kThird, 1);
  bench.settle();
  CHECK(bench.node.cluster_version() == 1);
  bench.says(kThird, 2);
  bench.turn();
  CHECK(bench.last_kind() == raft::EntryKind::version);
  CHECK(bench.node.cluster_version() == 1);  // proposed, not committed
  bench.settle();
  CHECK(bench.node.cluster_version() == 2);
  CHECK(bench.transport.identity.versions == VersionRange{2, kLatestVersion});
}

TEST_CASE("HAZARDS B17: a node that is held back never raises it, nor do others while it is a member") {
  Versioned held(bench_options());
  held.lead();
  held.says(kOther, 2);
  held.says(kThird, 2);
  held.settle();
  CHECK(held.node.cluster_version() == 1);
  CHECK(held.node.identity().versions.highest == 1);
}

TEST_CASE("HAZARDS B17: what needs a newer version is neither proposed nor forwarded, and says whom to upgrade") {
  Versioned bench;
  bench.lead();
  bench.says(kOther, 1);
  bench.settle();
  const raft::Index before = bench.last();
  bench.node.submit_write(1, keyed(), true, bench.now);
  bench.turn();
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::unsupported);
  CHECK(bench.answer(1)->sentence.find("upgrade other (can do 1), third (not heard yet)") != std::string::npos);
  CHECK(bench.last() == before);

  Versioned follower;
  follower.led(kOther, 2, raft::Index{1}, {"v"}, 2);
  follower.transport.sent.clear();
  follower.node.submit_write(2, keyed(), true, follower.now);
  follower.turn();
  REQUIRE(follower.answer(2) != nullptr);
  CHECK(follower.answer(2)->outcome == Outcome::unsupported);
  for (const auto& sent : follower.transport.sent) CHECK_FALSE(std::holds_alternative<Forward>(sent.message));
  // Every member can do it: the entry that says so is on its way.
  follower.says(kOther, 2);
  follower.says(kThird, 2);
  follower.node.submit_write(3, keyed(), true, follower.now);
  follower.turn();
  REQUIRE(follower.answer(3) != nullptr);
  CHECK(follower.answer(3)->outcome == Outcome::dropped);
  CHECK(follower.answer(3)->sentence.find("try again") != std::string::npos);
}

// As after a restart, when the log is there and not applied yet.
TEST_CASE("a node that may not know the cluster's version yet lets wait what needs more") {
  Versioned follower;
  follower.led(kOther, 2, raft::Index{1}, {}, 1);
  follower.transport.sent.clear();
  follower.node.submit_write(1, keyed(), true, follower.now);
  follower.node.submit_receive(2, machine::encode_command(machine::Receive{.queue = "q", .visibility = {}}), 0,
                               follower.now);
  follower.turn();
  CHECK(follower.answer(1) == nullptr);
  CHECK(follower.answer(2) == nullptr);
  raft::AppendEntries rise{.term = raft::Term{2},
                           .prev_log_index = raft::Index{1},
                           .prev_log_term = *follower.node.raft()->log().term_at(raft::Index{1}),
                           .leader_commit = raft::Index{2}};
  rise.entries.push_back({.index = raft::Index{2},
                          .term = raft::Term{2},
                          .kind = raft::EntryKind::version,
                          .payload = Bytes(encode_version(kLatestVersion))});
  follower.node.receive(kOther, rise, follower.now);
  follower.persist();
  follower.turn();
  CHECK(follower.sent_to<Forward>(kOther).size() == 1);
  CHECK(follower.sent_to<ForwardReceive>(kOther).size() == 1);
}

TEST_CASE("HAZARDS B17: a node that cannot do the cluster's version is not added, whatever it was asked with") {
  constexpr raft::NodeId kFourth{44};
  Versioned bench;
  bench.lead();
  bench.says(kOther, 2);
  bench.says(kThird, 2);
  bench.settle();
  WhoIAm who = empty_node(kFourth, "b:4");
  who.identity.name = "fourth";
  const auto add = [&](Token token) {
    bench.admin(token, AdminKind::add, "fourth", "b:4");
    REQUIRE(bench.transport.asked.size() == token);
    bench.node.answered(bench.transport.asked.back().request, Answer(who), bench.now);
    bench.persist();
  };
  who.identity.versions.highest = 1;
  REQUIRE(bench.node.cluster_version() == 2);
  const raft::Index before = bench.last();
  add(1);
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::conflict);
  CHECK(
      has(bench.answer(1)->sentence, "me is in a cluster of version 2, and fourth can do version 1 at most: install"));
  CHECK(bench.last() == before);
  who.identity.versions.highest = 2;
  add(2);
  CHECK(bench.node.raft()->configuration().contains(kFourth));
}

TEST_CASE("HAZARDS B17: a node is not added below a version that is about to be the cluster's") {
  Versioned bench;
  bench.lead();
  bench.settle();
  bench.admin(1, AdminKind::add, "fourth", "b:4");
  WhoIAm who = empty_node(raft::NodeId{44}, "b:4");
  who.identity.name = "fourth";
  who.identity.versions.highest = 1;
  bench.says(kOther, 2);
  bench.says(kThird, 2);
  bench.turn();
  REQUIRE(bench.last_kind() == raft::EntryKind::version);
  REQUIRE(bench.node.cluster_version() == 1);
  bench.node.answered(bench.transport.asked.back().request, Answer(who), bench.now);
  bench.persist();
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::conflict);
}

TEST_CASE("HAZARDS B17: an entry above this node's version is not taken, and the connection is closed") {
  Versioned bench;
  bench.led(kOther, 2, raft::Index{1}, {"a"}, 1);
  const raft::Index before = bench.last();
  raft::AppendEntries message{.term = raft::Term{2}, .prev_log_index = before, .prev_log_term = raft::Term{2}};
  message.entries.push_back({.index = before + 1,
                             .term = raft::Term{2},
                             .kind = raft::EntryKind::version,
                             .payload = Bytes(encode_version(kLatestVersion + 1))});
  bench.node.receive(kOther, message, bench.now);
  bench.persist();
  CHECK(bench.last() == before);
  CHECK(bench.transport.cut == std::vector{kOther});
  std::string why;
  CHECK_FALSE(bench.node.ready(&why));
  CHECK(why.find("other says that the cluster is of version " + std::to_string(kLatestVersion + 1)) !=
        std::string::npos);
  CHECK(why.find("install a newer release") != std::string::npos);
}

TEST_CASE("an entry above this node's version ends no node that has no log yet, however often it comes") {
  NodeOptions options = newer();
  options.join = {"a:1", "a:2"};
  Bench bench(std::move(options), empty_disk());
  REQUIRE(bench.node.raft() == nullptr);
  raft::AppendEntries message{.term = raft::Term{2}};
  message.entries.push_back({.index = raft::Index{1},
                             .term = raft::Term{2},
                             .kind = raft::EntryKind::version,
                             .payload = Bytes(encode_version(kLatestVersion + 1))});
  for (int i = 0; i < 3; ++i) bench.node.receive(kOther, message, bench.now);
  CHECK(bench.transport.cut == std::vector{kOther, kOther, kOther});
}

TEST_CASE("one member's word of a version makes no node unready for ever") {
  Versioned bench;
  bench.led(kOther, 2, raft::Index{1}, {"a"}, 1);
  const raft::Index before = bench.last();
  const auto lie = [&](raft::NodeId from, raft::Term term) {
    raft::AppendEntries message{.term = term, .prev_log_index = before, .prev_log_term = raft::Term{2}};
    message.entries.push_back({.index = before + 1,
                               .term = term,
                               .kind = raft::EntryKind::version,
                               .payload = Bytes(encode_version(kLatestVersion + 1))});
    bench.node.receive(from, message, bench.now);
    bench.persist();
  };
  // By a member that does not lead.
  lie(kThird, raft::Term{uint64_t{1} << 60});
  CHECK(bench.node.ready(nullptr));
  // By the leader, which another follows, or which lets the log go on without it.
  lie(kOther, raft::Term{2});
  CHECK_FALSE(bench.node.ready(nullptr));
  SUBCASE("another leads") {
    bench.led(kThird, 3, before, {}, 1);
    CHECK(bench.node.ready(nullptr));
  }
  SUBCASE("another entry is committed there") {
    bench.led(kOther, 2, before, {"b"}, 1);
    CHECK_FALSE(bench.node.ready(nullptr));  // that proves nothing yet: it may be replaced
    bench.led(kOther, 2, before + 1, {}, before.value + 1);
    CHECK(bench.node.ready(nullptr));
  }
  SUBCASE("another member says something else, and does not lead") {
    lie(kThird, raft::Term{1});
    CHECK_FALSE(bench.node.ready(nullptr));
  }
}

// An answer to a question tells who is there and where, and nothing of what it can do: taken for the newest, an old
// member was left behind in a cluster of a version that it does not know.
TEST_CASE("HAZARDS B17: what a member can do is known by its hello alone") {
  Versioned bench;
  bench.lead();
  bench.says(kOther, 2);
  bench.settle();
  // Its connection is refused by who stands at its address: who is there is asked, and answered.
  const WhoIAm third{.identity = {.cluster = kCluster, .instance = kThird, .name = "third", .raft_address = "a:33"},
                     .standing = Standing::member};
  bench.node.peer_refused(kThird, "another stands here", third, bench.now);
  bench.settle();
  for (const auto& asked : std::exchange(bench.transport.asked, {}))
    bench.node.answered(asked.request, Answer(third), bench.now);
  bench.settle();
  CHECK(bench.node.cluster_version() == 1);
  CHECK_FALSE(bench.node.version_of(kThird).has_value());
}

TEST_CASE(
    "HAZARDS V2: a newer node that leads an older cluster says nothing of its own that the cluster does not know") {
  for (ClusterVersion cluster = kFirstVersion; cluster <= kLatestVersion; ++cluster) {
    CAPTURE(cluster);
    Versioned bench;
    bench.says(kOther, cluster);
    bench.says(kThird, cluster);
    bench.lead();
    bench.settle();
    REQUIRE(bench.node.cluster_version() == cluster);
    bench.write(1, "v");
    if (cluster >= 2) bench.node.submit_write(2, keyed(), true, bench.now);
    if (cluster >= 3) {
      machine::PutEvents later{.queue = "q", .events = {}};
      later.events.push_back({.bytes = "e", .delay = 2'000});
      bench.node.submit_write(3, machine::encode_command(later), true, bench.now);
    }
    if (cluster >= 4) bench.node.submit_write(4, machine::encode_command(machine::GrantLease{2'000}), true, bench.now);
    // Its timers run: what falls due, what is held, cluster time that is behind.
    for (int i = 0; i < 100; ++i) {
      bench.node.set_clock(1'800'000'000'000 + static_cast<Millis>(i) * 100, bench.now);
      bench.wait(100);
      bench.settle();
    }
    int own = 0;
    for (raft::Index index{2}; index <= bench.last(); ++index) {
      const raft::Entry entry = bench.node.raft()->log().at(index);
      if (entry.kind != raft::EntryKind::command) continue;
      const auto command = machine::decode(entry.payload.view(), cluster);
      CHECK_MESSAGE(command, "an entry above the cluster's version");
      if (command && (std::holds_alternative<machine::Due>(command->body) ||
                      std::holds_alternative<machine::AdvanceTime>(command->body)))
        ++own;
    }
    if (cluster >= 2) CHECK(own > 0);
  }
}

namespace {
// The other member has all that is proposed, which is committed so: the turns that this node takes to apply it, at most
// `most` entries in each.
int turns_to_apply(Versioned& bench, uint64_t most) {
  bench.persist();
  bench.node.receive(kOther,
                     raft::AppendEntriesReply{.term = bench.node.raft()->current_term(),
                                              .success = true,
                                              .match_index = bench.last(),
                                              .sent_at = bench.now},
                     bench.now);
  int turns = 0;
  for (; bench.node.machine().applied() < bench.last() && turns < 100; ++turns) {
    const raft::Index at = bench.node.machine().applied();
    bench.node.drain(bench.now);
    CHECK(bench.node.machine().applied() - at <= most);
    if (bench.node.machine().applied() < bench.last()) CHECK(bench.node.wants_turn());
  }
  return turns;
}
}  // namespace

TEST_CASE("a turn applies a bounded amount, also where short commands change large values; answers keep their order") {
  Versioned bench;
  bench.lead();
  bench.says(kOther, kLatestVersion);
  bench.says(kThird, kLatestVersion);
  bench.settle();
  REQUIRE(bench.node.cluster_version() == kLatestVersion);
  const auto submit = [&](Token token, machine::Op op) {
    bench.node.submit_write(token, machine::encode_command(machine::Transact{.success = {std::move(op)}}), true,
                            bench.now);
  };
  const std::string large(3 << 20, 'x');
  submit(1, machine::PutKey{"k", large});
  bench.persist();
  bench.settle();
  bench.collect();
  bench.done.clear();
  constexpr Token kAppends = 40;
  for (Token token = 100; token < 100 + kAppends; ++token) submit(token, machine::Append{"k", "y"});
  const raft::Index before = bench.node.machine().applied();
  const int turns = turns_to_apply(bench, 3);
  CHECK(bench.node.machine().applied() - before == kAppends);
  CHECK(turns >= static_cast<int>(kAppends) / 3);
  bench.collect();
  REQUIRE(bench.done.size() == kAppends);
  for (size_t i = 0; i < kAppends; ++i) {
    CHECK(bench.done[i].token == 100 + i);
    CHECK(bench.done[i].outcome == Outcome::applied);
  }
  CHECK(bench.node.machine().get("k")->size() == large.size() + kAppends);
}

TEST_CASE("a turn applies a bounded number of small entries, and fewer where each changes several keys") {
  Versioned bench;
  bench.lead();
  bench.says(kOther, kLatestVersion);
  bench.says(kThird, kLatestVersion);
  bench.settle();
  REQUIRE(bench.node.cluster_version() == kLatestVersion);
  const auto apply = [&](const std::vector<std::string>& keys, uint64_t count, uint64_t most) {
    machine::Transact command;
    for (const std::string& key : keys) command.success.emplace_back(machine::PutKey{key, "v"});
    for (Token token = 0; token < count; ++token)
      bench.node.submit_write(token, machine::encode_command(command), true, bench.now);
    const int turns = turns_to_apply(bench, most);
    bench.collect();
    return turns;
  };
  CHECK(apply({"a"}, 2'500, 500) == 5);
  CHECK(apply({"a", "b", "c", "d"}, 1'000, 200) == 5);
}

TEST_CASE("HAZARDS K2: a turn whose time is spent leaves entries to the next, and applies some however slow it is") {
  static uint64_t clock_us;
  static uint64_t step_us;  // each look at the clock takes so long
  clock_us = 1'000'000;
  step_us = 0;
  NodeOptions options = newer();
  options.turn_us = 2'000;
  options.clock_us = [] { return clock_us += step_us; };
  Versioned bench(options);
  bench.lead();
  const auto apply = [&](uint64_t slowness_us, uint64_t most) {
    for (Token token = 0; token < 96; ++token)
      bench.node.submit_write(token, machine::encode_command(machine::Set{{{"a", "v"}}}), true, bench.now);
    bench.persist();
    step_us = slowness_us;
    const int turns = turns_to_apply(bench, most);
    step_us = 0;
    bench.collect();
    return turns;
  };
  CHECK(apply(0, 96) == 1);
  // An entry and its key are two steps; the clock is looked at every eight, and when applying begins. Who is behind has
  // the whole time for it: 12 at first, then 16.
  CHECK(apply(500, 16) == 7);
  CHECK(apply(5'000, 4) == 24);
}

TEST_CASE("what is committed while a turn has left entries to the next is applied without another event") {
  static uint64_t clock_us;
  static uint64_t step_us;
  step_us = 5'000;
  NodeOptions options = newer();
  options.clock_us = [] { return clock_us += step_us; };
  SUBCASE("many were left, and the core hands out no more meanwhile") { options.apply_steps_per_turn = 8; }
  SUBCASE("few were left") {}
  Versioned bench(options);
  bench.lead();
  const auto propose = [&] {
    for (Token token = 0; token < 8; ++token)
      bench.node.submit_write(token, machine::encode_command(machine::Set{{{"a", "v"}}}), true, bench.now);
    bench.persist();
    return bench.last();
  };
  const auto commit = [&](raft::Index index) {
    bench.node.receive(
        kOther,
        raft::AppendEntriesReply{
            .term = bench.node.raft()->current_term(), .success = true, .match_index = index, .sent_at = bench.now},
        bench.now);
  };
  const raft::Index first = propose();
  const raft::Index second = propose();
  commit(first);
  bench.node.drain(bench.now);
  REQUIRE(bench.node.machine().applied() < first);
  commit(second);
  if (options.apply_steps_per_turn > 8) {
    // Now there is time: a turn applies both what was left and what is new.
    step_us = 0;
    bench.node.drain(bench.now);
    CHECK(bench.node.machine().applied() == second);
  }
  for (int i = 0; i < 20 && bench.node.wants_turn(); ++i) bench.node.drain(bench.now);
  CHECK(bench.node.machine().applied() == second);
}
