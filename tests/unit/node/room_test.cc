#include "node/room.h"

#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "../../issues/node_bench.h"
#include "machine/command/command.h"

using namespace wh;
using namespace wh::node;

namespace {

DiskSpace free_space(uint64_t bytes, bool full = false) {
  return {.free_bytes = bytes, .total_bytes = 1'000'000, .full = full};
}

std::string set(const std::string& key, const std::string& value) {
  return machine::encode_command(machine::Set{{{key, value}}});
}
std::string enqueue(const std::string& event) { return machine::encode_command(machine::Enqueue{"event", event}); }
std::string del(const std::string& key) { return machine::encode_command(machine::Delete{{key}}); }
std::string dequeue() { return machine::encode_command(machine::Dequeue{"event", {}}); }

// A cluster of one, which leads.
struct Alone : Bench {
  explicit Alone(uint64_t maxmemory, uint64_t min_free) : Alone(with(maxmemory, min_free)) {}
  explicit Alone(NodeOptions options) : Bench(std::move(options), empty_disk()) {
    persist();
    wait(2'000);
    persist();
    REQUIRE(node.raft() != nullptr);
    REQUIRE(node.raft()->role() == raft::Role::leader);
  }
  static NodeOptions with(uint64_t maxmemory, uint64_t min_free) {
    NodeOptions options = bench_options();
    options.maxmemory_bytes = maxmemory;
    options.min_free_disk_bytes = min_free;
    return options;
  }
  Completion write(const std::string& command) {
    node.submit_write(++token, command, true, now);
    persist();
    std::vector<Completion> done = node.take_completions();
    REQUIRE(done.size() == 1);
    return done[0];
  }
  Token token = 0;
};

}  // namespace

TEST_CASE("room: what is on its way counts, until it is applied or was refused") {
  Room room(1'000, 0);
  CHECK(room.fits(0, 1'000));
  CHECK_FALSE(room.fits(0, 1'001));
  CHECK(room.fits(5'000, 0));
  room.propose(400);
  CHECK_FALSE(room.fits(0, 601));
  room.appended(raft::Index{5}, 400);
  room.propose(100);
  room.refused(100);
  CHECK(room.fits(0, 600));
  room.applied(raft::Index{4});
  CHECK_FALSE(room.fits(0, 601));
  room.applied(raft::Index{5});
  CHECK(room.fits(0, 1'000));
  // The entries of a leadership that ended were replaced by others.
  room.propose(300);
  room.appended(raft::Index{7}, 300);
  room.propose(200);
  room.appended(raft::Index{6}, 200);
  CHECK(room.fits(0, 800));
  room.set_limits(0, 0);
  CHECK(room.fits(UINT64_MAX / 2, 1));
}

TEST_CASE("room: the disk is low below min-free-disk, until an eighth more is free") {
  Room room(0, 800);
  CHECK_FALSE(room.low());
  room.measured(free_space(800));
  CHECK_FALSE(room.low());
  room.measured(free_space(799));
  CHECK(room.low());
  room.measured(free_space(899));
  CHECK(room.low());
  room.measured(free_space(900));
  CHECK_FALSE(room.low());
  room.measured(free_space(899));
  CHECK_FALSE(room.low());
  room.measured(free_space(100'000, true));
  CHECK(room.low());
  room.set_limits(0, 0);
  CHECK(room.low());
  room.measured(free_space(0));
  CHECK_FALSE(room.low());
}

TEST_CASE("maxmemory: beyond it what grows the data is refused before it is proposed; all else goes on") {
  Alone n(2'200, 0);
  CHECK(n.write(set("a", std::string(100, 'x'))).outcome == Outcome::applied);
  CHECK(n.write(enqueue(std::string(100, 'e'))).outcome == Outcome::applied);
  const uint64_t proposals = n.node.counters().proposals;
  const Completion refused = n.write(set("b", std::string(900, 'x')));
  CHECK(refused.outcome == Outcome::no_room);
  for (const char* part : {"maxmemory", "me", "2200 bytes", "remove keys"})
    CHECK(refused.sentence.find(part) != std::string::npos);
  CHECK(n.write(enqueue(std::string(900, 'e'))).outcome == Outcome::no_room);
  CHECK(n.node.counters().proposals == proposals);
  CHECK_FALSE(n.node.machine().exists("b"));
  // What does not grow it.
  CHECK(n.write(set("a", std::string(100, 'y'))).outcome == Outcome::applied);
  CHECK(n.write(dequeue()).outcome == Outcome::applied);
  CHECK(n.write(del("a")).outcome == Outcome::applied);
  CHECK(n.write(set("b", std::string(200, 'x'))).outcome == Outcome::applied);

  // A burst within one turn does not overshoot.
  n.node.set_room(2'000, 0);
  for (int i = 0; i < 50; ++i)
    n.node.submit_write(1'000 + static_cast<Token>(i), set("burst" + std::to_string(i), std::string(100, 'b')), true,
                        n.now);
  n.persist();
  size_t applied = 0;
  size_t no_room = 0;
  for (const Completion& done : n.node.take_completions()) {
    applied += done.outcome == Outcome::applied ? 1 : 0;
    no_room += done.outcome == Outcome::no_room ? 1 : 0;
  }
  CHECK(applied + no_room == 50);
  CHECK(applied > 3);
  CHECK(no_room > 3);
  CHECK(n.node.machine().logical_bytes() <= 2'000);
  n.node.set_room(0, 0);
  CHECK(n.write(set("c", std::string(5'000, 'x'))).outcome == Outcome::applied);
}

TEST_CASE("no room: a request under a known idempotency key gets its first answer all the same") {
  NodeOptions options = Alone::with(4'000, 10'000);
  options.version = kLatestVersion;
  Alone n(options);
  const auto keyed = [](const std::string& key, uint8_t fingerprint) {
    return machine::encode_command(machine::Enqueue{"event", std::string(2'000, 'e')},
                                   machine::IdempotencyKey{key, {fingerprint}});
  };
  const Completion first = n.write(keyed("k", 1));
  REQUIRE(first.outcome == Outcome::applied);
  SUBCASE("the data is at maxmemory") {}
  SUBCASE("the disk is low") {
    n.node.set_room(0, 10'000);
    n.node.storage_done(free_space(9'999), n.now);
  }
  n.persist();
  const Completion again = n.write(keyed("k", 1));
  REQUIRE(again.outcome == Outcome::applied);
  CHECK(again.reply.replayed_from == first.index);
  CHECK(n.node.machine().event_count() == 1);
  CHECK(n.write(keyed("k", 2)).outcome == Outcome::no_room);
  CHECK(n.write(keyed("other", 1)).outcome == Outcome::no_room);
  // An answer that has expired is none.
  n.wait(20 * 60'000);
  CHECK(n.write(keyed("k", 1)).outcome == Outcome::no_room);
}

TEST_CASE("HAZARDS C7: a leader alone on a low disk refuses what adds data, and takes the rest") {
  Alone n(0, 10'000);
  CHECK(n.write(set("a", "1")).outcome == Outcome::applied);
  CHECK(n.write(enqueue("e")).outcome == Outcome::applied);
  n.node.storage_done(free_space(9'999), n.now);
  const Completion refused = n.write(set("a", "2"));
  CHECK(refused.outcome == Outcome::no_room);
  CHECK(refused.sentence.find("min-free-disk") != std::string::npos);
  CHECK(n.write(enqueue("f")).outcome == Outcome::no_room);
  CHECK(n.write(dequeue()).outcome == Outcome::applied);
  CHECK(n.write(del("a")).outcome == Outcome::applied);
  CHECK(n.node.room().low());
  n.node.storage_done(free_space(20'000), n.now);
  CHECK(n.write(set("a", "2")).outcome == Outcome::applied);
  n.node.set_room(0, 30'000);
  CHECK(n.write(set("a", "3")).outcome == Outcome::no_room);
}

TEST_CASE("HAZARDS F10: a snapshot that found no room is tried again, later and later") {
  NodeOptions options = Alone::with(0, 0);
  options.snapshot_entries = 5;
  Bench n(options, empty_disk());
  n.persist();
  n.wait(2'000);
  const auto write_some = [&] {
    for (Token i = 0; i < 6; ++i) n.node.submit_write(i + 1, set("k", "v"), true, n.now);
    n.persist();
    (void)n.node.take_completions();
  };
  write_some();
  REQUIRE(n.storage.snapshots_begun == 1);
  n.node.storage_done(SnapshotFailed{}, n.now);
  n.persist();
  write_some();
  CHECK(n.storage.snapshots_begun == 1);
  CHECK_FALSE(n.node.snapshot_in_progress());
  n.wait(5'000);
  CHECK(n.storage.snapshots_begun == 2);
  n.node.storage_done(SnapshotFailed{}, n.now);
  n.wait(5'000);
  CHECK(n.storage.snapshots_begun == 2);
  n.wait(5'000);
  CHECK(n.storage.snapshots_begun == 3);
}
