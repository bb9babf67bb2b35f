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
