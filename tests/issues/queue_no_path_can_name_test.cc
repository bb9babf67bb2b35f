// RPUSH made a queue whose name no path can spell. A snapshot's loader made it, found it empty and took it away before
// its events came: the snapshot and every backup were refused, and no node could start from them.
#include <doctest/doctest.h>

#include "../unit/machine/model.h"

namespace wh::machine::test {

TEST_CASE("a queue that no path can name is in a snapshot, and goes with its last event") {
  for (const char* name : {"a b", "jobs:high", "\xff\x01"}) {
    CAPTURE(name);
    Machine machine;
    machine.raise_version(raft::Index{1}, 1'000, kLatestVersion);
    machine.apply(raft::Index{2}, 1'001, encode_command(Enqueue{name, "x"}));
    machine.apply(raft::Index{3}, 1'002, encode_command(PauseQueue{name, false, true}));
    const auto loaded = load(snapshot_of(machine));
    REQUIRE_MESSAGE(loaded.ok(), loaded.error());
    CHECK(loaded->digest() == machine.digest());
    machine.apply(raft::Index{4}, 1'003, encode_command(PurgeQueue{name}));
    CHECK(machine.queues().find(name) == nullptr);
  }
}

// Data of version 2, in which a queue of any name is there while it has events.
TEST_CASE("a queue of version 2 that no path can name outlives the rise of the version and a snapshot") {
  Machine machine;
  machine.apply(raft::Index{1}, 1'000, encode_command(Enqueue{"a b", "x"}));
  machine.raise_version(raft::Index{2}, 1'001, kLatestVersion);
  const auto loaded = load(snapshot_of(machine));
  REQUIRE_MESSAGE(loaded.ok(), loaded.error());
  CHECK(loaded->queues.length("a b") == 1);
}

}  // namespace wh::machine::test
