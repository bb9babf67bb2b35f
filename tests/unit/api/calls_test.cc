#include "api/calls.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "fixture.h"

using namespace wh;
using namespace wh::api;

namespace {

// What a surface saw when it was told.
struct Asker final : CallOwner {
  explicit Asker(const node::Node& asked) : node(asked) {}
  void on_answer(node::Token token, OrRefusal<Answer> answer) override {
    if (!answer) return refusals.push_back(answer.error());
    tokens.push_back(token);
    indexes.push_back(answer->index);
    applied.push_back(node.machine().applied());
  }
  [[nodiscard]] bool asks_much(node::Token token) const override { return much.contains(token); }
  const node::Node& node;
  std::set<node::Token> much;
  std::vector<node::Token> tokens;
  std::vector<raft::Index> indexes;
  std::vector<raft::Index> applied;
  std::vector<Refusal> refusals;
};

struct Asked : test::Lone {
  explicit Asked(ClusterVersion version = kFirstVersion) : Lone(version) {}
  node::Token start(Operation operation, const CallOptions& how = {}) {
    const OrRefusal<Started> started = calls.start(asker, security::Principal::anonymous(), std::move(operation), how);
    REQUIRE(started.ok());
    return std::get<node::Token>(*started);
  }
  config::Options options;
  SlowLog slow_log{options};
  Calls calls{test::context_of(options, node, slow_log), [this] { return now; }};
  Asker asker{node};
};

}  // namespace

TEST_CASE("a stale read's index is that of the state it sees, also when more is applied before it looks") {
  Asked lone;
  lone.start(Read{CountKeys{}}, {.read = {.stale = true}});
  const raft::Index before = lone.node.machine().applied();
  lone.start(Write{machine::Set{{{"k", "v"}}}});
  lone.persist();
  lone.wait(1);
  REQUIRE(lone.node.machine().applied() > before);
  while (lone.calls.deliver([] { return true; })) {
  }
  REQUIRE(lone.asker.tokens.size() == 2);
  for (size_t i = 0; i < 2; ++i)
    if (lone.asker.tokens[i] == 1) CHECK(lone.asker.indexes[i] == lone.asker.applied[i]);
}

TEST_CASE("what a turn has no room for is handed out in later ones, those who ask little first") {
  Asked lone;
  constexpr node::Token kCalls = 100;
  for (node::Token i = 0; i < kCalls; ++i) {
    const node::Token token = lone.start(Read{CountKeys{}}, {.read = {.stale = true}});
    if (token <= kCalls / 2) lone.asker.much.insert(token);
  }
  int turns = 0;
  while (!lone.asker.tokens.empty() || turns == 0) {
    int room = 9;
    if (!lone.calls.deliver([&] { return room-- > 0; })) break;
    ++turns;
    REQUIRE(turns < 100);
  }
  CHECK(turns == kCalls / 10);
  REQUIRE(lone.asker.tokens.size() == kCalls);
  // All of those who ask little were told before the last half of the others.
  size_t last_little = 0;
  size_t much_before = 0;
  for (size_t i = 0; i < kCalls; ++i)
    if (!lone.asker.much.contains(lone.asker.tokens[i])) last_little = i;
  for (size_t i = 0; i < last_little; ++i) much_before += lone.asker.much.contains(lone.asker.tokens[i]) ? 1 : 0;
  CHECK(much_before <= kCalls / 4);
  CHECK(much_before > 0);
}

TEST_CASE("a read whose asker is gone is not handed out, wherever it stands; a write is") {
  Asked lone;
  const auto deliver = [&] {
    while (lone.calls.deliver([] { return true; })) {
    }
  };
  const node::Token stale = lone.start(Read{CountKeys{}}, {.read = {.stale = true}});
  const node::Token read = lone.start(Read{CountKeys{}});
  const node::Token waiting = lone.start(Read{CountKeys{}}, {.read = {.stale = true, .min_index = raft::Index{1'000}}});
  const node::Token kept = lone.start(Read{CountKeys{}});
  const node::Token write = lone.start(Write{machine::Set{{{"k", "v"}}}});
  CHECK(lone.node.waiting() == 1);
  for (const node::Token token : {stale, read, waiting}) CHECK(lone.calls.cancel(token));
  CHECK_FALSE(lone.calls.cancel(read));
  CHECK_FALSE(lone.calls.cancel(write));
  CHECK_FALSE(lone.calls.cancel(99));
  CHECK(lone.node.waiting() == 0);
  lone.persist();
  lone.wait(1);
  deliver();
  std::set<node::Token> told(lone.asker.tokens.begin(), lone.asker.tokens.end());
  CHECK(told == std::set<node::Token>{kept, write});
  CHECK(lone.node.pending() == 0);
}

TEST_CASE("what waits for something to happen can be ended by itself, and other calls cannot") {
  Asked lone;
  const node::Token waiting = lone.start(Read{CountKeys{}}, {.read = {.min_index = raft::Index{1'000}}});
  const node::Token read = lone.start(Read{CountKeys{}});
  CHECK(lone.calls.cancel_wait(waiting));
  CHECK_FALSE(lone.calls.cancel_wait(waiting));
  CHECK_FALSE(lone.calls.cancel_wait(read));
  lone.persist();
  while (lone.calls.deliver([] { return true; })) {
  }
  CHECK(lone.asker.tokens == std::vector<node::Token>{read});
}

TEST_CASE("a stream is told at once, each time that something happens, and not after it is cancelled") {
  Asked lone;
  const node::Topic& topic = kClusterTopic;
  const auto told = [&] {
    lone.persist();
    while (lone.calls.deliver([] { return true; })) {
    }
    return lone.asker.tokens.size();
  };
  const node::Token stream = lone.start(Watch{WatchCluster{}});
  CHECK(told() == 1);
  CHECK(told() == 1);
  lone.node.wake(topic);
  lone.node.wake(topic);
  CHECK(told() == 2);
  lone.node.wake(topic);
  CHECK(told() == 3);
  lone.node.wake(topic);
  CHECK(lone.calls.cancel(stream));
  CHECK(told() == 3);
  CHECK(lone.node.waiting() == 0);
}

TEST_CASE("a stream of a queue begins with a read, and is told of each arrival, of the queue's end too") {
  Asked lone(kLatestVersion);
  // How often `token` was told something since the last time.
  const auto told = [&](node::Token token) {
    for (int i = 0; i < 3; ++i) {
      lone.persist();
      while (lone.calls.deliver([] { return true; })) {
      }
    }
    const std::vector<node::Token> tokens = std::exchange(lone.asker.tokens, {});
    return std::count(tokens.begin(), tokens.end(), token);
  };
  CHECK(told(lone.start(Watch{WatchQueue{"q", 0}})) == 0);
  REQUIRE(lone.asker.refusals.size() == 1);
  CHECK(lone.asker.refusals[0].kind == RefusalKind::not_found);
  CHECK(told(lone.start(Write{machine::Enqueue{"q", "e"}})) == 1);
  CHECK(told(lone.start(Watch{WatchQueue{"q", 1'000}})) == 0);
  REQUIRE(lone.asker.refusals.size() == 2);
  CHECK(lone.asker.refusals[1].kind == RefusalKind::malformed);
  const node::Token stream = lone.start(Watch{WatchQueue{"q", 0}});
  CHECK(lone.node.waiting() == 0);
  CHECK(told(stream) == 1);
  CHECK(lone.node.waiting() == 1);
  lone.start(Write{machine::PutEvents{"q", {{.bytes = "e", .delay = 60'000}}}});
  CHECK(told(stream) == 1);
  lone.start(Write{machine::Enqueue{"other", "e"}});
  CHECK(told(stream) == 0);
  lone.start(Write{machine::DeleteQueue{"q"}});
  CHECK(told(stream) == 1);
  CHECK(lone.calls.cancel(stream));
  CHECK(lone.node.waiting() == 0);
  const node::Token opening = lone.start(Watch{WatchQueue{"other", 0}});
  CHECK(lone.calls.cancel(opening));
  CHECK(told(opening) == 0);
  CHECK(lone.node.waiting() == 0);
}

TEST_CASE("HAZARDS Q29: settings that are so already append nothing, and are answered as if they had been set") {
  Asked lone(kLatestVersion);
  const auto done = [&](Write write, const CallOptions& how = {}) {
    lone.asker.tokens.clear();
    const node::Token token = lone.start(std::move(write), how);
    for (int i = 0; i < 3; ++i) {
      lone.persist();
      while (lone.calls.deliver([] { return true; })) {
      }
    }
    CHECK(lone.asker.tokens == std::vector<node::Token>{token});
    return lone.node.raft()->log().last_index();
  };
  const auto delay = [](uint64_t ms) {
    return machine::ConfigureQueue{
        .queue = "q", .changes = {{.setting = static_cast<uint8_t>(machine::QueueSetting::delay), .number = ms}}};
  };
  const raft::Index before = done(delay(5'000));
  CHECK(done(delay(5'000)) == before);
  CHECK(done(machine::PauseQueue{"q", false, false}) == before);
  CHECK(done(machine::ConfigureQueue{"q", {}}) == before);
  CHECK(lone.asker.refusals.empty());
  const raft::Index bound = done(machine::Bind{"t", "q", {{"type", "a*"}}});
  CHECK(bound > before);
  CHECK(done(machine::Bind{"t", "q", {{"type", "a*"}}}) == bound);
  const raft::Index set = done(machine::PutSettings{{{"dedup_window", 5'000}}});
  CHECK(done(machine::PutSettings{{{"dedup_window", 5'000}}}) == set);
  // Under a key the answer is kept; and what differs is written.
  const raft::Index keyed = done(delay(5'000), {.idempotency = Idempotency{"k", "r"}});
  CHECK(keyed > set);
  CHECK(done(machine::PauseQueue{"q", true, {}}) > keyed);
  // Two at once: the second is looked at when the first is not applied yet, and is right all the same.
  lone.asker.tokens.clear();
  lone.start(Write{machine::PauseQueue{"q", false, {}}});
  lone.start(Write{machine::PauseQueue{"q", true, {}}});
  for (int i = 0; i < 5; ++i) {
    lone.persist();
    while (lone.calls.deliver([] { return true; })) {
    }
  }
  CHECK(lone.asker.tokens.size() == 2);
  CHECK(lone.asker.refusals.empty());
}

TEST_CASE("a thousand streams that come and go leave no call and no wait") {
  Asked lone;
  const node::Topic& topic = kClusterTopic;
  std::vector<node::Token> streams;
  for (int i = 0; i < 1'000; ++i) streams.push_back(lone.start(Watch{WatchCluster{}}));
  lone.node.wake(topic);
  CHECK(lone.node.waiting() == 1'000);
  for (const node::Token token : streams) CHECK(lone.calls.cancel(token));
  lone.persist();
  CHECK_FALSE(lone.calls.deliver([] { return true; }));
  CHECK(lone.node.waiting() == 0);
}
