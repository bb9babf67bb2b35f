// Snapshots and backups at the node: which are abandoned, lost or refused, and who is told.
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "base/hash.h"
#include "machine/machine.h"
#include "member.h"

namespace wh::node {
namespace {

// The state of another node after `keys` writes, as of this index.
struct Picture {
  raft::SnapshotMeta meta;
  std::string bytes;
};
Picture picture(uint64_t index, size_t keys = 3, ClusterVersion version = kFirstVersion) {
  machine::Machine machine;
  if (version > kFirstVersion) machine.raise_version(raft::Index{1}, 1, version);
  for (uint64_t i = machine.applied().value + 1; i <= index; ++i) {
    const std::string key = "key" + std::to_string(i % keys);
    const machine::Set set{{{key, "snapshot"}}};
    machine.apply(raft::Index{i}, i, machine::envelope({}, machine::encode_body(set)));
  }
  Picture result;
  machine.begin_snapshot();
  std::string slice;
  for (bool more = true; more; result.bytes += std::exchange(slice, {})) more = machine.next_slice(1 << 16, slice);
  result.meta = {.index = raft::Index{index},
                 .term = raft::Term{2},
                 .configuration_index = raft::Index{1},
                 .configuration = *raft::Configuration::decode(member_disk().raft.log.tail.at(0).payload.view()),
                 .time_ms = index,
                 .size = result.bytes.size(),
                 .crc = crc32c(result.bytes)};
  return result;
}

// Storage that keeps what it is sent, so that a snapshot can be received and loaded.
struct Receiver : Member {
  using Member::Member;
  // The whole of it in one chunk, written to the disk.
  void receive(const Picture& sent, raft::NodeId from = kOther, uint64_t term = 2) {
    node.receive(from,
                 raft::InstallSnapshot{
                     .term = raft::Term{term}, .meta = sent.meta, .offset = 0, .data = Bytes(sent.bytes), .done = true},
                 now);
    persist();
    node.storage_done(IncomingChunkWritten{sent.meta, sent.bytes.size(), true, true}, now);
    turn();
  }
  // What the node reads of it to load it; `ok` false: it is no longer there.
  void read(const std::string& bytes, bool ok = true, bool done = true) {
    REQUIRE(storage.reads.size() == 1);
    const auto request = storage.reads.front();
    storage.reads.clear();
    node.storage_done(SnapshotChunkRead{.request = request.number,
                                        .index = request.index,
                                        .offset = 0,
                                        .data = Bytes(bytes),
                                        .done = done,
                                        .ok = ok},
                      now);
    persist();
  }
};

TEST_CASE("HAZARDS B8, E12: those who wait for entries that a snapshot took the place of are told that it is unknown") {
  Receiver bench;
  bench.lead();
  bench.write(1, "perhaps");
  const Picture sent = picture(9);
  bench.receive(sent, kThird, 3);
  bench.read(sent.bytes);
  CHECK(bench.node.machine().applied() == raft::Index{9});
  REQUIRE(bench.answer(1) != nullptr);
  CHECK(bench.answer(1)->outcome == Outcome::unknown);
  CHECK(bench.node.counters().snapshots_installed == 1);
}

TEST_CASE("the keys of a snapshot come into the store's index without a request") {
  constexpr uint64_t kKeys = 5'000;
  Receiver bench;
  bench.heartbeat(raft::Term{2});
  const Picture sent = picture(kKeys, kKeys);
  bench.receive(sent);
  bench.read(sent.bytes);
  const machine::Store& store = bench.node.machine().store();
  REQUIRE(store.items().size() == kKeys);
  CHECK(store.all_indexed());
  CHECK(store.find("key1") != nullptr);
  CHECK(store.find("key") == nullptr);
}

TEST_CASE("HAZARDS B17: a version learnt from a snapshot is announced, so that older releases are refused") {
  NodeOptions options = bench_options();
  options.version = kLatestVersion;
  Receiver bench(options);
  bench.heartbeat(raft::Term{2});
  CHECK(bench.transport.identity.versions.lowest == kFirstVersion);
  const Picture sent = picture(9, 3, kLatestVersion);
  bench.receive(sent);
  bench.read(sent.bytes);
  REQUIRE(bench.node.cluster_version() == kLatestVersion);
  CHECK(bench.transport.identity.versions.lowest == kLatestVersion);
}

TEST_CASE("HAZARDS F9: a snapshot that cannot be read, or is not what it says, is given up and asked for anew") {
  const Picture good = picture(9);
  Picture other_index = good;
  other_index.meta.index = raft::Index{8};
  std::string damaged = good.bytes;
  damaged[damaged.size() / 2] ^= 1;
  struct Case {
    const char* what;
    const Picture* sent;
    std::string bytes;
    bool ok;
    bool done = true;
  };
  for (const Case& it :
       {Case{"gone", &good, {}, false}, Case{"empty", &good, {}, true}, Case{"without an end", &good, {}, true, false},
        Case{"damaged", &good, damaged, true}, Case{"cut", &good, good.bytes.substr(0, good.bytes.size() - 5), true},
        Case{"of another index", &other_index, good.bytes, true}}) {
    CAPTURE(it.what);
    Receiver bench;
    bench.heartbeat(raft::Term{2});
    bench.receive(*it.sent);
    bench.transport.sent.clear();
    bench.read(it.bytes, it.ok, it.done);
    CHECK(bench.node.machine().applied() == raft::Index{});
    CHECK(bench.node.raft()->snapshot() == std::nullopt);
    const auto replies = bench.sent_to<raft::InstallSnapshotReply>(kOther);
    REQUIRE(replies.size() == 1);
    CHECK_FALSE(replies[0].installed);
    CHECK(replies[0].next_offset == 0);
    // It comes anew, and is right.
    bench.receive(good);
    bench.read(good.bytes);
    CHECK(bench.node.machine().applied() == raft::Index{9});
  }
}

TEST_CASE("HAZARDS F10: a leader's snapshot that finds no room is not answered, and nothing of it is believed") {
  Member bench;
  bench.heartbeat(raft::Term{2});
  const Picture sent = picture(9);
  bench.node.receive(kOther,
                     raft::InstallSnapshot{.term = raft::Term{2},
                                           .meta = sent.meta,
                                           .offset = 0,
                                           .data = Bytes(sent.bytes.substr(0, 10)),
                                           .done = false},
                     bench.now);
  bench.persist();
  bench.transport.sent.clear();
  bench.node.storage_done(IncomingChunkWritten{sent.meta, 0, false, false, true}, bench.now);
  bench.persist();
  CHECK(bench.sent_to<raft::InstallSnapshotReply>(kOther).empty());
  CHECK(bench.node.raft()->incoming_snapshot() == nullptr);
}

TEST_CASE("HAZARDS F6: a snapshot of one's own that a received one overtakes is abandoned, and a later one is taken") {
  NodeOptions options = bench_options();
  options.snapshot_entries = 4;
  Receiver bench(options);
  bench.led(kOther, 2, raft::Index{1}, {"2", "3", "4", "5", "6"}, 6);
  CHECK(bench.storage.snapshots_begun == 1);
  CHECK(bench.node.snapshot_in_progress());
  bench.node.storage_done(SnapshotSliceWritten{}, bench.now);
  bench.persist();
  const Picture sent = picture(30);
  bench.receive(sent);
  bench.read(sent.bytes);
  CHECK(bench.node.machine().applied() == raft::Index{30});
  // The storage had finished the old one just before: it is none of the state that counts now.
  const uint64_t taken = bench.node.counters().snapshots_taken;
  bench.node.storage_done(SnapshotSaved{picture(6).meta}, bench.now);
  bench.persist();
  CHECK(bench.node.counters().snapshots_taken == taken);
  CHECK_FALSE(bench.node.snapshot_in_progress());
  REQUIRE(bench.node.raft()->snapshot().has_value());
  CHECK(bench.node.raft()->snapshot()->index == raft::Index{30});
  bench.led(kOther, 2, raft::Index{30}, {"31", "32", "33", "34", "35"}, 35);
  CHECK(bench.storage.snapshots_begun == 2);
}

TEST_CASE("a snapshot is made as fast as the disk takes it while the node rests, and at a pace while it serves") {
  for (const bool serves : {false, true}) {
    NodeOptions options = bench_options();
    options.snapshot_entries = 2'000;
    options.snapshot_slice_bytes = 30;
    Member bench(options);
    bench.led(kOther, 2, raft::Index{1}, std::vector<std::string>(1'900, "v"), 1'901);
    REQUIRE(bench.storage.snapshots_begun == 0);
    raft::Index last{1'901};
    const auto pass = [&](const std::string& value) {
      bench.led(kOther, 2, last, {value}, last.value + 1);
      last = last + 1;
    };
    while (bench.storage.snapshots_begun == 0) pass("v");
    size_t most_at_once = 0;
    for (int ms = 0; ms < 12 && !bench.storage.finished; ++ms) {
      const size_t before = bench.storage.slices;
      for (int turn = 0; turn < 5; ++turn) {
        if (serves) pass("v");
        bench.node.storage_done(SnapshotSliceWritten{}, bench.now);
        bench.turn();
      }
      most_at_once = std::max(most_at_once, bench.storage.slices - before);
      if (serves && !bench.storage.finished) CHECK(bench.node.next_deadline() <= bench.now + 3);
      ++bench.now;
    }
    CHECK(bench.storage.slices > 1);
    CHECK((serves ? most_at_once == 1 : most_at_once > 1));
  }
}

TEST_CASE("a snapshot that falls behind what is written does not wait for its slices' time") {
  NodeOptions options = bench_options();
  options.snapshot_entries = 2'000;
  options.snapshot_slice_bytes = 30;
  Member bench(options);
  bench.led(kOther, 2, raft::Index{1}, std::vector<std::string>(1'900, "v"), 1'901);
  raft::Index last{1'901};
  const auto pass = [&](const std::string& value) {
    bench.led(kOther, 2, last, {value}, last.value + 1);
    last = last + 1;
  };
  while (bench.storage.snapshots_begun == 0) pass(std::string(5'000, 'v'));
  const auto slices_of_turns = [&] {
    ++bench.now;
    const size_t before = bench.storage.slices;
    for (int turn = 0; turn < 5; ++turn) {
      pass("v");
      bench.node.storage_done(SnapshotSliceWritten{}, bench.now);
      bench.turn();
    }
    return bench.storage.slices - before;
  };
  CHECK(slices_of_turns() <= 1);
  for (int i = 0; i < 18; ++i) pass(std::string(1 << 20, 'x'));
  REQUIRE_FALSE(bench.storage.finished);
  CHECK(slices_of_turns() > 1);
}

TEST_CASE("HAZARDS F6: a backup is the state at its beginning, one at a time, and is lost with the state it walks") {
  Receiver bench;
  std::string out;
  CHECK_FALSE(bench.node.begin_backup().has_value());  // nothing was applied yet
  bench.led(kOther, 2, raft::Index{1}, {"before"}, 2);
  const auto point = bench.node.begin_backup();
  REQUIRE(point.has_value());
  CHECK(point->index == raft::Index{2});
  CHECK(point->term == raft::Term{2});
  CHECK_FALSE(bench.node.begin_backup().has_value());
  bench.led(kOther, 2, raft::Index{2}, {"after"}, 3);
  std::string bytes;
  Node::BackupSlice slice = Node::BackupSlice::more;
  while (slice == Node::BackupSlice::more) {
    slice = bench.node.next_backup_slice(out);
    bytes += std::exchange(out, {});
  }
  CHECK(slice == Node::BackupSlice::done);
  machine::SnapshotLoader loader;
  REQUIRE(loader.feed(bytes).ok());
  const Result<machine::State> state = loader.finish();
  REQUIRE(state.ok());
  CHECK(state->applied == raft::Index{2});
  CHECK(state->store.find("k")->value.view() == "before");

  REQUIRE(bench.node.begin_backup().has_value());
  const Picture sent = picture(30);
  bench.receive(sent);
  bench.read(sent.bytes);
  CHECK(bench.node.next_backup_slice(out) == Node::BackupSlice::lost);
  bench.node.end_backup();
  bench.node.end_backup();  // once more does no harm
  REQUIRE(bench.node.begin_backup().has_value());
  bench.node.end_backup();  // in the middle
  CHECK(bench.node.begin_backup().has_value());
}

TEST_CASE("a large state that was replaced is freed over many turns") {
  Receiver bench;
  bench.heartbeat(raft::Term{2});
  for (const uint64_t index : {9'000, 9'001}) {
    const Picture sent = picture(index, 5'000);
    bench.receive(sent);
    bench.read(sent.bytes);
    CHECK(bench.node.machine().applied() == raft::Index{index});
  }
  CHECK(bench.node.machine().key_count() == 5'000);
}

TEST_CASE(
    "HAZARDS K2: a turn whose time is spent leaves loading, indexing and freeing to later ones, which end all of it") {
  constexpr uint64_t kKeys = 5'000;
  static uint64_t clock_us;
  clock_us = 0;
  NodeOptions options = bench_options();
  options.clock_us = [] { return clock_us += 10'000; };
  Receiver bench(options);
  bench.heartbeat(raft::Term{2});
  for (const uint64_t index : {uint64_t{9'000}, uint64_t{9'001}}) {
    const Picture sent = picture(index, kKeys);
    bench.receive(sent);
    const auto request = bench.storage.reads.at(0);
    bench.storage.reads.clear();
    bench.node.storage_done(SnapshotChunkRead{.request = request.number,
                                              .index = request.index,
                                              .offset = 0,
                                              .data = Bytes(sent.bytes),
                                              .done = true,
                                              .ok = true},
                            bench.now);
    // A turn decodes 2 KiB, indexes 64 keys and frees 64 items, and asks for the next while there is more.
    size_t turns = 0;
    for (bench.node.drain(bench.now); bench.node.wants_turn() && turns < 2'000; ++turns) bench.node.drain(bench.now);
    CHECK(turns >= sent.bytes.size() / 2'048 + kKeys / 64);
    CHECK(turns < sent.bytes.size() / 2'048 + 2 * kKeys / 64);
    bench.persist();
    CHECK(bench.node.machine().applied() == raft::Index{index});
    CHECK(bench.node.machine().key_count() == kKeys);
    CHECK(bench.node.machine().store().all_indexed());
  }
}

TEST_CASE("limits of snapshots that change at run time count at once") {
  NodeOptions options = bench_options();
  options.snapshot_entries = 1'000;
  Member bench(options);
  bench.led(kOther, 2, raft::Index{1}, {"2", "3", "4", "5", "6"}, 6);
  CHECK(bench.storage.snapshots_begun == 0);
  bench.node.set_snapshot_limits(4, 1'000'000, 1'000);
  bench.heartbeat(raft::Term{2});
  CHECK(bench.storage.snapshots_begun == 1);
}

}  // namespace
}  // namespace wh::node
