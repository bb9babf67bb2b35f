#include "machine/snapshot/discarded.h"

#include "model.h"

using namespace wh::machine;
using namespace wh::machine::test;

TEST_CASE("a discarded state is freed a few items at a time") {
  Machine machine;
  for (int i = 0; i < 10; ++i) run(machine, Set{{{std::to_string(i), "v"}}});
  for (int i = 0; i < 10; ++i) run(machine, Enqueue{i % 2 == 0 ? "even" : "odd", "e"});
  Discarded old = machine.replace(State{});
  CHECK(machine.key_count() == 0);
  CHECK(machine.applied().value == 0);
  int calls = 1;
  while (old.free_some(3)) ++calls;
  CHECK(calls == 11);  // ten keys, ten events and their places, two queues
  CHECK_FALSE(old.free_some(3));
}

TEST_CASE("idempotency keys too, and their places in the orders of time and age") {
  Machine machine;
  machine.raise_version(wh::raft::Index{1}, 1, wh::kLatestVersion);
  for (int i = 0; i < 10; ++i) {
    const std::string key = std::to_string(i);
    machine.apply(machine.applied() + 1, 1, encode_command(Set{{{"k", "v"}}}, IdempotencyKey{key, {}}));
  }
  Discarded old = machine.replace(State{});
  int calls = 1;
  while (old.free_some(3)) ++calls;
  CHECK(calls == 11);  // a key, ten places in each order, ten answers
}

TEST_CASE("large items count for more") {
  Machine machine;
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 4; ++i) run(machine, Set{{{std::to_string(i), megabyte}}});
  Discarded old = machine.replace(State{});
  int calls = 1;
  while (old.free_some(64)) ++calls;
  CHECK(calls == 5);
}

TEST_CASE("a value that is still held outlives its discarded state") {
  Machine machine;
  run(machine, Set{{{"k", "a value that is read"}}});
  const wh::Bytes held = *machine.get("k");
  machine.replace(State{});
  CHECK(held.view() == "a value that is read");
}
