// A keyed DELETE with "Prefer: return=representation" keeps the event in its answer, which may be larger than the
// snapshot's reader allowed an answer to be: no node could start from such a snapshot.
#include <string>

#include <doctest/doctest.h>

#include "../unit/machine/model.h"

namespace wh::machine::test {

TEST_CASE("a kept answer with the largest event is in a snapshot") {
  Machine machine;
  machine.raise_version(raft::Index{1}, 1'000, kLatestVersion);
  const std::string large(kMaxValueBytes, 'x');
  machine.apply(raft::Index{2}, 1'001, encode_command(Enqueue{"q", large}));
  const Dequeue take{.queue = "q", .only_if_front = {}, .keep_event = true};
  machine.apply(raft::Index{3}, 1'002, encode_command(take, IdempotencyKey{"key", Fingerprint{1}}));
  const auto loaded = load(snapshot_of(machine));
  REQUIRE_MESSAGE(loaded.ok(), loaded.error());
  CHECK(loaded->digest() == machine.digest());
}

}  // namespace wh::machine::test
