#include "api/calls.h"

#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../../issues/node_bench.h"
#include "machine/command/command.h"

using namespace wh;
using namespace wh::node;

namespace {

// What a surface saw when it was told.
struct Asker final : CallOwner {
  explicit Asker(const Node& asked) : node(asked) {}
  void on_completion(const Completion& completion) override {
    tokens.push_back(completion.token);
    indexes.push_back(completion.index);
    applied.push_back(node.machine().applied());
  }
  [[nodiscard]] bool asks_much(Token token) const override { return much.contains(token); }
  const Node& node;
  std::set<Token> much;
  std::vector<Token> tokens;
  std::vector<raft::Index> indexes;
  std::vector<raft::Index> applied;
};

// A node that leads a cluster of one.
struct Lone : Bench {
  Lone() : Bench(bench_options(), empty_disk()) {
    for (int i = 0; i < 20 && (node.raft() == nullptr || node.raft()->role() != raft::Role::leader); ++i) wait(1'000);
    REQUIRE(node.raft() != nullptr);
    REQUIRE(node.raft()->role() == raft::Role::leader);
  }
  Calls calls{node, [this] { return now; }};
  Asker asker{node};
};

std::string set_command(std::string_view value) { return machine::encode_body(machine::Set{{{"k", value}}}); }

}  // namespace

TEST_CASE("a stale read's index is that of the state it sees, also when more is applied before it looks") {
  Lone lone;
  Call write;
  write.kind = CallKind::write;
  write.command = set_command("v");
  lone.calls.start(lone.asker, {.kind = CallKind::stale, .command = {}, .admin = {}});
  const raft::Index before = lone.node.machine().applied();
  lone.calls.start(lone.asker, std::move(write));
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
  Lone lone;
  constexpr Token kCalls = 100;
  for (Token i = 0; i < kCalls; ++i) {
    const Token token = lone.calls.start(lone.asker, {.kind = CallKind::stale, .command = {}, .admin = {}});
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
  Lone lone;
  const auto deliver = [&] {
    while (lone.calls.deliver([] { return true; })) {
    }
  };
  const Token stale = lone.calls.start(lone.asker, {.kind = CallKind::stale});
  const Token read = lone.calls.start(lone.asker, {.kind = CallKind::read});
  const Token waiting = lone.calls.start(lone.asker, {.kind = CallKind::stale, .min_index = raft::Index{1'000}});
  const Token kept = lone.calls.start(lone.asker, {.kind = CallKind::read});
  const Token write = lone.calls.start(lone.asker, {.kind = CallKind::write, .command = set_command("v")});
  CHECK(lone.node.waiting() == 1);
  for (const Token token : {stale, read, waiting}) CHECK(lone.calls.cancel(token));
  CHECK_FALSE(lone.calls.cancel(read));
  CHECK_FALSE(lone.calls.cancel(write));
  CHECK_FALSE(lone.calls.cancel(99));
  CHECK(lone.node.waiting() == 0);
  lone.persist();
  lone.wait(1);
  deliver();
  std::set<Token> told(lone.asker.tokens.begin(), lone.asker.tokens.end());
  CHECK(told == std::set<Token>{kept, write});
  CHECK(lone.node.pending() == 0);
}

TEST_CASE("what waits for something to happen can be ended by itself, and other calls cannot") {
  Lone lone;
  const Token waiting = lone.calls.start(lone.asker, {.kind = CallKind::read, .min_index = raft::Index{1'000}});
  const Token read = lone.calls.start(lone.asker, {.kind = CallKind::read});
  CHECK(lone.calls.cancel_wait(waiting));
  CHECK_FALSE(lone.calls.cancel_wait(waiting));
  CHECK_FALSE(lone.calls.cancel_wait(read));
  lone.persist();
  while (lone.calls.deliver([] { return true; })) {
  }
  CHECK(lone.asker.tokens == std::vector<Token>{read});
}

TEST_CASE("a stream is told at once, each time that something happens, and not after it is cancelled") {
  Lone lone;
  const Topic topic{Topic::Kind::cluster, {}};
  const auto told = [&] {
    lone.persist();
    while (lone.calls.deliver([] { return true; })) {
    }
    return lone.asker.tokens.size();
  };
  const Token stream = lone.calls.start(lone.asker, {.kind = CallKind::stream, .topic = topic});
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

TEST_CASE("a thousand streams that come and go leave no call and no wait") {
  Lone lone;
  const Topic topic{Topic::Kind::cluster, {}};
  std::vector<Token> streams;
  for (int i = 0; i < 1'000; ++i)
    streams.push_back(lone.calls.start(lone.asker, {.kind = CallKind::stream, .topic = topic}));
  lone.node.wake(topic);
  CHECK(lone.node.waiting() == 1'000);
  for (const Token token : streams) CHECK(lone.calls.cancel(token));
  lone.persist();
  CHECK_FALSE(lone.calls.deliver([] { return true; }));
  CHECK(lone.node.waiting() == 0);
}
