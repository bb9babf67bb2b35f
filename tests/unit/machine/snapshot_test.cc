// The snapshot's writer and loader: cases that the random model test beside this file does not reach on purpose.
#include "base/hash.h"
#include "machine/snapshot/snapshot_format.h"
#include "machine/snapshot/snapshot_loader.h"
#include "machine/snapshot/state_builder.h"
#include "model.h"

using namespace wh::machine;
using namespace wh::machine::test;
using wh::Writer;
using wh::raft::Index;
using wh::raft::NodeId;

namespace {

namespace format = snapshot_format;

void fill(Machine& machine) {
  run(machine, Set{{{"a", "1"}, {"b", ""}, {"c", std::string_view("\0\xff", 2)}}}, {NodeId{3}, 1, 5});
  run(machine, Enqueue{"event", "e1"}, {NodeId{3}, 1, 6});
  run(machine, Enqueue{"other", "o1"}, {NodeId{9}, 2, 1});
  run(machine, Enqueue{"event", "e2"});
}

std::string header(uint64_t applied, uint64_t keys, uint64_t events, uint32_t sessions) {
  std::string out;
  Writer w(out);
  w.raw(format::kMagic);
  w.u32(wh::kFirstVersion);
  w.u64(applied);
  w.u64(77);
  w.u64(keys);
  w.u64(events);
  w.u32(sessions);
  return out;
}
std::string key(const std::string& name, const std::string& value) {
  std::string out;
  Writer w(out);
  w.u8(format::kKey);
  w.bytes(name);
  w.bytes(value);
  return out;
}
std::string event(const std::string& queue, uint64_t id, const std::string& bytes) {
  std::string out;
  Writer w(out);
  w.u8(format::kEvent);
  w.bytes(queue);
  w.u64(id);
  w.bytes(bytes);
  return out;
}
std::string ended(std::string out, uint64_t digest) {
  Writer w(out);
  w.u8(format::kEnd);
  w.u64(digest);
  w.u32(wh::crc32c(out));
  return out;
}
std::string error_of(const std::string& bytes, size_t chunk = 65536) {
  const auto loaded = load(bytes, chunk);
  return loaded.ok() ? "" : loaded.error();
}

}  // namespace

TEST_CASE("a snapshot of nothing") {
  Machine machine;
  const std::string snapshot = snapshot_of(machine);
  CHECK(snapshot.size() == format::kHeaderBytes + format::kTrailerBytes);
  auto loaded = load(snapshot);
  REQUIRE(loaded.ok());
  CHECK(loaded->digest() == machine.digest());
  CHECK(loaded->applied == Index{0});
}

TEST_CASE("a snapshot can be cut anywhere, when written and when loaded") {
  Machine machine;
  fill(machine);
  machine.advance(Index{5}, 1234);
  const std::string whole = snapshot_of(machine);
  for (size_t max_bytes = 1; max_bytes < 300; ++max_bytes) REQUIRE(snapshot_of(machine, max_bytes) == whole);
  for (size_t chunk = 1; chunk <= whole.size(); ++chunk) {
    auto loaded = load(whole, chunk);
    REQUIRE(loaded.ok());
    REQUIRE(loaded->digest() == machine.digest());
    REQUIRE(loaded->applied == Index{5});
    REQUIRE(loaded->time_ms == 1234);
    REQUIRE(loaded->logical_bytes() == machine.logical_bytes());
  }
}

TEST_CASE("HAZARDS F6: what comes, goes and comes back while a snapshot runs") {
  Machine machine;
  fill(machine);
  const uint64_t digest = machine.digest();
  machine.begin_snapshot();
  CHECK(machine.snapshot_running());
  CHECK(machine.snapshot_kept_bytes() == 0);
  run(machine, Delete{{"a"}});
  CHECK(machine.snapshot_kept_bytes() == 7);  // the head of its record, and its value
  run(machine, Set{{{"a", "new"}}});
  run(machine, Delete{{"a"}});
  run(machine, Set{{{"aa", "new"}, {"b", "new"}, {"b", "newer"}}});
  CHECK(machine.snapshot_kept_bytes() == 13);  // and the old "b", once
  run(machine, Dequeue{"other", {}});
  run(machine, Enqueue{"other", "new"});
  run(machine, Dequeue{"other", {}});
  run(machine, Dequeue{"event", {}});
  run(machine, Enqueue{"event", "new"});
  auto loaded = load(finish_snapshot(machine, 1));
  REQUIRE(loaded.ok());
  CHECK(loaded->digest() == digest);
  CHECK(loaded->applied == Index{4});
  CHECK(machine.snapshot_kept_bytes() == 0);
}

// In such a snapshot the events of a queue stand as they left, not by their ids.
TEST_CASE("HAZARDS F6: events leave from within while a snapshot of the first version runs") {
  Machine machine;
  for (const char* one : {"1", "2", "3"}) run(machine, Enqueue{"q", one});
  const uint64_t digest = machine.digest();
  machine.begin_snapshot();
  machine.raise_version(machine.applied() + 1, 0, 4);
  CHECK(run(machine, RemoveEvents{"q", {2, 1}}).count == 2);
  const auto loaded = load(finish_snapshot(machine, 1));
  REQUIRE(loaded.ok());
  CHECK(loaded->digest() == digest);
  CHECK(loaded->queues.front("q")->bytes.view() == "1");
  CHECK(loaded->queues.length("q") == 3);
}

TEST_CASE("items younger than the snapshot do not make a slice long") {
  Machine machine;
  machine.begin_snapshot();
  for (int i = 0; i < 1000; ++i) run(machine, Set{{{std::to_string(i), "v"}}});
  for (int i = 0; i < 1000; ++i) run(machine, Enqueue{std::to_string(i), "v"});
  std::string slice;
  std::string all;
  int slices = 0;
  for (; machine.next_slice(640, slice); ++slices) all += slice;
  CHECK(slices >= 200);
  CHECK(slices < 300);
  CHECK(all.size() == format::kHeaderBytes + format::kTrailerBytes);
  CHECK(load(all).ok());
}

TEST_CASE("an abandoned snapshot leaves room for the next, which is of its own time") {
  Machine machine;
  fill(machine);
  machine.begin_snapshot();
  std::string slice;
  REQUIRE(machine.next_slice(10, slice));
  run(machine, Delete{{"a", "b"}});
  machine.abandon_snapshot();
  CHECK_FALSE(machine.snapshot_running());
  auto loaded = load(snapshot_of(machine));
  REQUIRE(loaded.ok());
  CHECK(loaded->digest() == machine.digest());
}

TEST_CASE("to replace the state abandons a running snapshot") {
  Machine machine;
  fill(machine);
  auto loaded = load(snapshot_of(machine));
  REQUIRE(loaded.ok());
  run(machine, Set{{{"z", "z"}}});
  machine.begin_snapshot();
  machine.replace(std::move(*loaded));
  CHECK_FALSE(machine.snapshot_running());
  CHECK(machine.applied() == Index{4});
  CHECK_FALSE(machine.exists("z"));
  machine.begin_snapshot();  // what was loaded is older than any snapshot of it
  run(machine, Set{{{"a", "new"}}});
  auto again = load(finish_snapshot(machine));
  REQUIRE(again.ok());
  CHECK(again->store.find("a")->value.view() == "1");
}

TEST_CASE("HAZARDS F9: a snapshot cut short is refused") {
  Machine machine;
  fill(machine);
  const std::string whole = snapshot_of(machine);
  for (size_t size = 0; size < whole.size(); ++size) REQUIRE_FALSE(load(whole.substr(0, size)).ok());
  CHECK(error_of(whole.substr(0, whole.size() - 1)) == "the snapshot ends too early");
  CHECK(error_of(whole + "x") == "bytes after the snapshot's end");
  CHECK(error_of(whole + "x", 1) == "bytes after the snapshot's end");
}

TEST_CASE("HAZARDS F9: one flipped bit anywhere is refused") {
  Machine machine;
  fill(machine);
  const std::string whole = snapshot_of(machine);
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    REQUIRE_FALSE(load(flipped).ok());
  }
}

TEST_CASE("HAZARDS F9: a state is built within its bounds, whoever brings the items") {
  const std::string most(kMaxKeyBytes, 'k');
  const auto refused = [](const wh::Status& status) { return !status && status.error().find("bounds") < 100; };
  StateBuilder builder;
  REQUIRE(builder.begin({.applied = Index{9}, .keys = 1}).ok());
  CHECK(refused(builder.key("", "v")));
  CHECK(refused(builder.key(most + "k", "v")));
  CHECK(refused(builder.key("k", std::string(kMaxValueBytes + 1, 'v'))));
  CHECK_FALSE(refused(builder.key(most, std::string(kMaxValueBytes, 'v'))));
}

TEST_CASE("HAZARDS F9: a hostile snapshot is refused with a reason, even with a right checksum") {
  State one;
  Item item;
  item.value = wh::Bytes("v");
  one.store.load("k", std::move(item));
  State with_event;
  put_event(with_event, "q", 3, "e");
  CHECK(error_of(ended(header(9, 1, 0, 0) + key("k", "v"), one.digest())).empty());
  CHECK(error_of(ended(header(9, 0, 1, 0) + event("q", 3, "e"), with_event.digest())).empty());

  const std::string long_name(kMaxKeyBytes + 1, 'k');
  const auto record_then_huge_length = [](uint8_t kind) {
    std::string out(1, static_cast<char>(kind));
    Writer(out).u32(0xffffffff);
    return out;
  };
  const std::pair<std::string, const char*> bad[] = {
      {"GARBAGE!" + header(9, 0, 0, 0), "not a snapshot of the state"},
      {"W?", "not a snapshot of the state"},
      {header(uint64_t{1} << 62, 0, 0, 0), "numbers out of range in the snapshot's header"},
      {header(9, 0, 10, 0), "numbers out of range in the snapshot's header"},
      {header(9, 0, 0, 257), "numbers out of range in the snapshot's header"},
      {header(9, 1, 0, 0) + "\x0c", "a record of unknown kind in the snapshot"},
      {header(9, 1, 0, 0) + std::string(1, '\0'), "a record of unknown kind in the snapshot"},
      {header(9, 1, 0, 0) + record_then_huge_length(format::kKey), "a key or value out of bounds in the snapshot"},
      {header(9, 1, 0, 0) + key("", "v"), "a key or value out of bounds in the snapshot"},
      {header(9, 1, 0, 0) + key(long_name, "v"), "a key or value out of bounds in the snapshot"},
      {header(9, 2, 0, 0) + key("k", "v") + key("k", "w"), "a key twice in the snapshot"},
      {header(9, 1, 0, 0) + key("k", "v") + key("l", "w"), "more keys in the snapshot than it says"},
      {header(9, 0, 1, 0) + record_then_huge_length(format::kEvent), "a queue's name out of bounds in the snapshot"},
      {header(9, 0, 1, 0) + event("", 3, "e"), "a queue's name out of bounds in the snapshot"},
      {header(9, 0, 1, 0) + event("q", 3, ""), "an event out of bounds in the snapshot"},
      {header(9, 0, 1, 0) + event("q", 0, "e"), "an event's id out of bounds in the snapshot"},
      {header(9, 0, 1, 0) + event("q", 10, "e"), "an event's id out of bounds in the snapshot"},
      {header(9, 0, 2, 0) + event("q", 3, "e") + event("q", 3, "e"), "an event twice in the snapshot"},
      {header(9, 0, 1, 0) + event("q", 3, "e") + event("r", 4, "e"), "more events in the snapshot than it says"},
      {header(9, 0, 0, 1) + "\x03" + std::string(Sessions::kRecordBytes, '\0'), "a malformed session in the snapshot"},
      {ended(header(9, 2, 0, 0) + key("k", "v"), one.digest()), "fewer items in the snapshot than it says"},
      {ended(header(9, 0, 2, 0) + event("q", 3, "e"), with_event.digest()), "fewer items in the snapshot than it says"},
      {ended(header(9, 1, 0, 1) + key("k", "v"), one.digest()), "fewer items in the snapshot than it says"},
      {ended(header(9, 1, 0, 0) + key("k", "v"), one.digest() + 1), "the snapshot's digest does not match"},
      {ended(header(9, 1, 0, 0) + key("k", "w"), one.digest()), "the snapshot's digest does not match"},
  };
  for (const auto& [bytes, why] : bad) {
    CHECK(error_of(bytes) == why);
    CHECK(error_of(bytes, 1) == why);
  }
  std::string other_version = header(9, 0, 0, 0);
  other_version[8] = kLatestVersion + 1;
  CHECK(error_of(other_version).find("a version of the cluster that this node cannot do") != std::string::npos);
}

namespace {

// As of version 2: the record in front of all others, with so many idempotency keys.
std::string newer(uint64_t applied, uint64_t keys, uint64_t window_ms = 600'000) {
  std::string out = header(applied, 0, 0, 0);
  out[8] = 2;
  Writer w(out);
  w.u8(format::kCluster);
  w.u64(0);
  w.u64(keys);
  w.u32(3);
  w.u64(window_ms);
  w.u64(1'000);
  w.u64(1 << 20);
  return out;
}

std::string idempotency(const std::string& name, uint64_t index, const std::string& reply) {
  std::string out;
  Writer w(out);
  w.u8(format::kIdempotency);
  w.bytes(name);
  w.u64(1);
  w.u64(2);
  w.u64(index);
  w.u64(5);
  w.bytes(reply);
  return out;
}

}  // namespace

TEST_CASE("HAZARDS F9: a hostile snapshot of version 2 is refused with a reason") {
  const std::string name = IdempotencyKeys::name_of("", "k");
  const std::string reply = encode_reply({.count = 1});
  const std::pair<std::string, const char*> bad[] = {
      {ended(newer(9, 1), 0), "fewer items in the snapshot than it says"},
      {newer(9, 1, 1), "a setting out of its range in the snapshot"},
      {header(9, 0, 0, 0) + idempotency(name, 3, reply), "a record out of place in the snapshot"},
      {newer(9, 0) + newer(9, 0).substr(format::kHeaderBytes), "a record out of place in the snapshot"},
      {newer(9, 0) + idempotency(name, 3, reply), "more idempotency keys in the snapshot than it says"},
      {newer(9, 2) + idempotency(name, 3, reply) + idempotency(name, 4, reply),
       "an idempotency key twice, or out of bounds, in the snapshot"},
      {newer(9, 1) + idempotency(name, 10, reply), "a malformed answer in the snapshot"},
      {newer(9, 1) + idempotency(name, 3, "no reply"), "a malformed answer in the snapshot"},
      {newer(9, 1) + idempotency(std::string("\x01\0\0\0q", 5), 3, reply),
       "an idempotency key twice, or out of bounds, in the snapshot"},
      {newer(9, 1) + idempotency(std::string(600, 'n'), 3, reply), "an idempotency key out of bounds in the snapshot"},
  };
  for (const auto& [bytes, why] : bad) {
    CHECK(error_of(bytes) == why);
    CHECK(error_of(bytes, 1) == why);
  }
  // A node that is held back takes none of it.
  SnapshotLoader held_back(wh::kFirstVersion);
  CHECK_FALSE(held_back.feed(newer(9, 0)).ok());
}

TEST_CASE("HAZARDS F9: mutated snapshots are refused whole, and loading them is bounded") {
  Machine machine;
  Model model;
  Source source(21);
  for (int i = 0; i < 200; ++i) source.step(model, machine);
  const std::string whole = snapshot_of(machine);
  wh::Prng prng(5);
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = whole;
    for (uint64_t n = prng.between(1, 3); n > 0; --n) {
      const size_t at = prng.below(bytes.size());
      switch (prng.below(4)) {
        case 0:
          bytes[at] = static_cast<char>(prng.next());
          break;
        case 1:
          bytes.erase(at, prng.below(20));
          break;
        case 2:
          bytes.insert(at, source.random_bytes(prng.between(1, 20)));
          break;
        default:
          bytes.insert(at, bytes.substr(prng.below(bytes.size()), 100));
      }
    }
    if (bytes == whole) continue;
    REQUIRE_FALSE(load(bytes, prng.between(1, 5000)).ok());
  }
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = header(9, 5, 5, 5) + source.random_bytes(prng.below(300));
    REQUIRE_FALSE(load(bytes, prng.between(1, 100)).ok());
  }
}

TEST_CASE("a loader that failed keeps its error, and one that is given up frees what it had") {
  SnapshotLoader failed;
  CHECK_FALSE(failed.feed("nonsense").ok());
  CHECK(failed.feed(header(9, 0, 0, 0)).error() == "not a snapshot of the state");
  CHECK(failed.finish().error() == "not a snapshot of the state");

  SnapshotLoader given_up;
  REQUIRE(given_up.feed(header(9, 3, 0, 0) + key("a", "1") + key("b", "2")).ok());
  Discarded rest = given_up.discard();
  CHECK(rest.free_some(1));
  CHECK(rest.free_some(1));
  CHECK_FALSE(rest.free_some(1));
  CHECK_FALSE(given_up.feed(key("c", "3")).ok());
}
