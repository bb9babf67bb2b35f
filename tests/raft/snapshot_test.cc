#include <doctest/doctest.h>

#include "base/hash.h"
#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

namespace {
// A snapshot of entries 1..index, as the harness' state machine writes it.
struct Picture {
  SnapshotMeta meta;
  std::string bytes;
};
Picture picture(uint64_t index, uint64_t term) {
  std::string out;
  Writer w(out);
  w.u64(index);
  for (uint64_t i = 1; i <= index; ++i) {
    const Entry e = entry_of(i, term);
    w.u64(term);
    w.u8(static_cast<uint8_t>(e.kind));
    w.u64(e.time_ms);
    w.bytes(e.payload.view());
  }
  SnapshotMeta meta{.index = Index{index},
                    .term = Term{term},
                    .configuration_index = Index{0},
                    .configuration = configuration_of({1, 2, 3}),
                    .time_ms = index};
  meta.size = out.size();
  meta.crc = crc32c(out);
  return {meta, out};
}
InstallSnapshot chunk(const Picture& p, uint64_t term, size_t from, size_t count) {
  return {.term = Term{term},
          .meta = p.meta,
          .offset = from,
          .data = Bytes(p.bytes.substr(from, count)),
          .done = from + count >= p.bytes.size()};
}
void cluster_behind(Cluster& c) {
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  c.isolate(3);
  for (int i = 0; i < 20; ++i) {
    c.propose(1, "v" + std::to_string(i));
    c.deliver_all();
  }
  c.run(1'200);  // nothing is kept for one that is silent for so long
  c.snapshot(1);
  REQUIRE(c.raft(1).log().base_index() == Index{21});
}
const SnapshotCounters& sent(Cluster& c, Id leader) { return c.raft(leader).snapshot_counters(); }
uint64_t offset_of(Cluster& c, Id leader, Id follower) {
  for (const PeerStatus& peer : c.raft(leader).peers())
    if (peer.id == NodeId{follower}) return peer.snapshot_offset;
  return 0;
}
// Part of the snapshot is there.
void cluster_in_transfer(Cluster& c, size_t chunk_bytes = 50) {
  cluster_behind(c);
  c.chunk_bytes = chunk_bytes;
  c.heal();
  REQUIRE(c.run_until([&] { return offset_of(c, 1, 3) >= 200; }));
  REQUIRE(offset_of(c, 1, 3) < c.raft(1).snapshot()->size);
}
}  // namespace

TEST_CASE("section 7: a follower whose next entry is gone gets the state in chunks, and then the log") {
  Cluster c;
  cluster_behind(c);
  c.heal();
  c.propose(1, "after");
  CHECK(c.converge() == "");
  CHECK(c.values(3).size() == 21);
  CHECK(c.raft(3).log().base_index() == Index{21});
  CHECK(c.raft(3).snapshot()->index == Index{21});
}

TEST_CASE("HAZARDS F7: compaction keeps a trail, and a dead follower does not hold it back") {
  Options options = test_options();
  options.trailing_entries = 5;
  Cluster c(options);
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  c.crash(3);
  for (int i = 0; i < 20; ++i) {
    c.propose(1, "v" + std::to_string(i));
    c.deliver_all();
  }
  c.run(1'200);
  c.snapshot(1);
  CHECK(c.raft(1).log().base_index() == Index{16});
  REQUIRE(c.at(1).compactions.size() == 1);
  CHECK(c.at(1).compactions[0] == Index{16});
  CHECK(c.raft(1).snapshot()->index == Index{21});
  c.crash(1);
  c.start(1);
  CHECK(c.raft(1).log().base_index() == Index{16});
  CHECK(c.raft(1).commit_index() == Index{21});
  c.start(3);
  CHECK(c.converge() == "");
}

TEST_CASE("HAZARDS C7: on a disk without room no trail is kept") {
  Options options = test_options();
  options.trailing_entries = 5;
  Cluster c(options);
  c.nodes({1});
  c.timeout(1);
  c.deliver_all();
  for (int i = 0; i < 20; ++i) c.propose(1, "v" + std::to_string(i));
  c.deliver_all();
  c.snapshot(1);
  const Index snapshot = c.raft(1).snapshot()->index;
  CHECK(c.raft(1).log().base_index() == snapshot - 5);
  c.step(1, DiskLow{true});
  CHECK(c.raft(1).log().base_index() == snapshot);
}

TEST_CASE("HAZARDS F1: the log is compacted no further than it is durable") {
  Cluster c;
  lone(c, {1}, 1);
  c.at(1).hold_sync = true;
  c.receive(1, 2, append(1, 1, 1, {entry_of(2, 1), entry_of(3, 1)}, 3));
  REQUIRE(c.raft(1).applied_index() == Index{3});
  SnapshotMeta meta{.index = Index{3}, .term = Term{1}, .configuration = configuration_of({1, 2, 3}), .size = 1};
  c.at(1).disk.snapshot = meta;
  c.step(1, SnapshotTaken{meta});
  CHECK(c.raft(1).log().base_index() == Index{1});
}

TEST_CASE("Figure 13 rule 7, HAZARDS F2: a log that disagrees at the snapshot's index goes whole") {
  Cluster c;
  lone(c, {1, 1, 1, 1, 1, 1}, 1);
  const Picture p = picture(4, 2);
  c.receive(1, 2, chunk(p, 2, 0, p.bytes.size()));
  CHECK(c.raft(1).log().base_index() == Index{4});
  CHECK(c.raft(1).log().last_index() == Index{4});
  CHECK(c.raft(1).log().last_term() == Term{2});
  CHECK(c.at(1).disk.log.empty());
  CHECK(c.raft(1).commit_index() == Index{4});
  CHECK(c.last<AppendEntriesReply>(1, 2)->match_index == Index{4});
}

TEST_CASE("Figure 13 rule 6: entries behind the snapshot stay when the log agrees at its index") {
  Cluster c;
  lone(c, {1, 1, 1, 1, 1, 1}, 1);
  const Picture p = picture(4, 1);
  c.receive(1, 2, chunk(p, 1, 0, p.bytes.size()));
  CHECK(c.raft(1).log().base_index() == Index{4});
  CHECK(c.raft(1).log().last_index() == Index{6});
  CHECK(c.at(1).disk.log.size() == 2);
  CHECK(c.raft(1).durable_index() == Index{6});
}

TEST_CASE("an installation is acknowledged when it is on the disk") {
  Cluster c;
  lone(c, {1, 1}, 1);
  c.receive(1, 2, append(2, 1, 1));
  c.at(1).hold_sync = true;
  clear_links(c);
  const Picture p = picture(10, 2);
  c.receive(1, 2, chunk(p, 2, 0, p.bytes.size()));
  CHECK(c.raft(1).commit_index() == Index{10});
  c.receive(1, 2, append(2, 0, 0));
  CHECK(c.last<AppendEntriesReply>(1, 2)->match_index < Index{2});
  CHECK(c.raft(1).durable_index() < Index{2});
  c.sync(1);
  CHECK(c.raft(1).durable_index() == Index{10});
  CHECK(c.last<AppendEntriesReply>(1, 2)->match_index == Index{10});
}

TEST_CASE("HAZARDS F3: a snapshot that is older than what is committed is answered, not installed") {
  Cluster c;
  lone(c, {1, 1, 1, 1}, 1);
  c.receive(1, 2, append(1, 4, 1, {}, 4));
  const Picture p = picture(3, 1);
  c.receive(1, 2, chunk(p, 1, 0, 20));
  const auto* reply = c.last<InstallSnapshotReply>(1, 2);
  REQUIRE(reply != nullptr);
  CHECK(reply->installed);
  CHECK(reply->match_index == Index{4});
  CHECK(c.raft(1).log().base_index() == Index{0});
  // Nor when it became so while it was on its way.
  c.step(1, SnapshotReceived{p.meta});
  CHECK(c.raft(1).log().base_index() == Index{0});
}

TEST_CASE("HAZARDS F4: chunks out of order, doubled, or of another transfer are answered with what is wanted") {
  Cluster c;
  lone(c, {1}, 1);
  const Picture p = picture(10, 1);
  const Picture other = picture(12, 1);
  const auto wanted = [&] { return c.last<InstallSnapshotReply>(1, 2)->next_offset; };
  c.receive(1, 2, chunk(p, 1, 20, 20));
  CHECK(wanted() == 0);
  c.receive(1, 2, chunk(p, 1, 0, 20));
  CHECK(wanted() == 20);
  c.receive(1, 2, chunk(p, 1, 40, 20));
  CHECK(wanted() == 20);
  c.receive(1, 2, chunk(p, 1, 0, 20));
  CHECK(wanted() == 20);
  c.receive(1, 2, chunk(other, 1, 20, 20));
  CHECK(wanted() == 0);
  c.receive(1, 2, chunk(p, 1, 20, 20));
  CHECK(wanted() == 40);
  InstallSnapshot too_long = chunk(p, 1, 40, p.bytes.size());
  too_long.data = Bytes(p.bytes);
  c.receive(1, 2, too_long);
  CHECK(wanted() == 40);
  c.receive(1, 2, chunk(p, 1, 40, p.bytes.size()));
  CHECK(c.raft(1).log().base_index() == Index{10});
}

TEST_CASE("HAZARDS F4: in a new term the same snapshot goes on, by whoever sends it, and another begins at 0") {
  Cluster c;
  lone(c, {1}, 1);
  const Picture p = picture(10, 1);
  Picture other = p;  // of the same index and size
  other.bytes.back() = static_cast<char>(other.bytes.back() ^ 1);
  other.meta.crc = crc32c(other.bytes);
  c.receive(1, 2, chunk(p, 1, 0, 20));
  c.receive(1, 3, chunk(other, 2, 20, 20));
  CHECK(c.last<InstallSnapshotReply>(1, 3)->next_offset == 0);
  c.receive(1, 2, chunk(p, 1, 20, 20));  // of a term that is over
  CHECK(c.last<InstallSnapshotReply>(1, 2)->next_offset == 0);
  c.receive(1, 3, chunk(p, 2, 20, 20));
  CHECK(c.last<InstallSnapshotReply>(1, 3)->next_offset == 40);
  c.receive(1, 3, chunk(p, 2, 40, p.bytes.size()));
  CHECK(c.raft(1).log().base_index() == Index{10});
}

TEST_CASE("an offer is answered with what is there, and changes nothing") {
  Cluster c;
  lone(c, {1}, 1);
  const Picture p = picture(10, 1);
  const Picture other = picture(12, 1);
  const auto offer = [&](const Picture& which) {
    c.receive(1, 2, InstallSnapshot{.term = Term{1}, .meta = which.meta, .data = {}});
    return c.last<InstallSnapshotReply>(1, 2)->next_offset;
  };
  CHECK(offer(p) == 0);
  c.receive(1, 2, chunk(p, 1, 0, 20));
  CHECK(offer(p) == 20);
  CHECK(offer(other) == 0);
  CHECK(offer(p) == 20);
  c.crash(1);
  c.start(1);
  CHECK(offer(p) == 20);
  c.receive(1, 2, chunk(p, 1, 20, p.bytes.size()));
  CHECK(c.raft(1).log().base_index() == Index{10});
}

TEST_CASE("HAZARDS F10: a part that found no room is forgotten, and an offer begins it anew") {
  Cluster c;
  lone(c, {1}, 1);
  const Picture p = picture(10, 1);
  c.receive(1, 2, chunk(p, 1, 0, 20));
  c.step(1, ChunkStored{.meta = p.meta, .next_offset = 0, .ok = false, .no_room = true});
  c.receive(1, 2, InstallSnapshot{.term = Term{1}, .meta = p.meta, .data = {}});
  CHECK(c.last<InstallSnapshotReply>(1, 2)->next_offset == 0);
}

TEST_CASE("HAZARDS F9: a snapshot that does not verify is fetched anew") {
  Cluster c;
  lone(c, {1}, 1);
  const Picture p = picture(10, 1);
  std::string damaged = p.bytes;
  damaged[30] = static_cast<char>(damaged[30] ^ 1);
  c.receive(1, 2, chunk({p.meta, damaged}, 1, 0, damaged.size()));
  CHECK(c.raft(1).log().base_index() == Index{0});
  CHECK(c.last<InstallSnapshotReply>(1, 2)->next_offset == 0);
  c.receive(1, 2, chunk(p, 1, 0, p.bytes.size()));
  CHECK(c.raft(1).log().base_index() == Index{10});
}

TEST_CASE("HAZARDS F11: three servers, one down, one in a transfer: the leader stays") {
  Cluster c;
  cluster_behind(c);
  c.chunk_bytes = 4;
  c.crash(2);
  c.heal();
  c.run(2'000);
  CHECK(c.raft(1).role() == Role::leader);
  CHECK(c.raft(1).current_term() == Term{1});
}

TEST_CASE("a snapshot to a follower survives lost chunks, lost answers and a restart of the receiver") {
  for (int lost = 0; lost < 12; ++lost) {
    Cluster c;
    cluster_behind(c);
    c.chunk_bytes = 200;
    c.heal();
    for (int i = 0; i < lost; ++i) {
      c.run(1);
    }
    c.drop(1, 3);
    c.drop(3, 1);
    if (lost % 3 == 0) {
      c.crash(3);
      c.start(3);
      c.step(1, PeerConnected{NodeId{3}});
    }
    CHECK_MESSAGE(c.converge() == "", "lost after " << lost);
  }
}

TEST_CASE("a transfer goes on where the connection broke: nothing but what was under way is sent twice") {
  Cluster c;
  cluster_in_transfer(c);
  for (int i = 0; i < 3; ++i) {
    c.isolate(3);
    c.run(700);
    c.heal();
    c.run(6);
  }
  CHECK(c.converge() == "");
  CHECK(sent(c, 1).begun == 1);
  CHECK(sent(c, 1).resumed == 3);
  CHECK(sent(c, 1).restarted == 0);
  CHECK(sent(c, 1).finished == 1);
  CHECK(sent(c, 1).bytes <= c.raft(1).snapshot()->size + 3 * c.chunk_bytes);
}

TEST_CASE("a transfer goes on after the follower's restart, and begins anew when it lost what it had") {
  for (const bool lost : {false, true}) {
    Cluster c;
    cluster_in_transfer(c);
    const uint64_t before = sent(c, 1).bytes;
    c.crash(3);
    if (lost) {
      c.at(3).disk.incoming.reset();
      c.at(3).disk.incoming_bytes.clear();
    }
    c.run(300);
    c.start(3);
    c.step(1, PeerConnected{NodeId{3}});
    CHECK(c.converge() == "");
    CHECK(sent(c, 1).resumed == (lost ? 0 : 1));
    CHECK(sent(c, 1).restarted == (lost ? 1 : 0));
    CHECK(sent(c, 1).bytes <= c.raft(1).snapshot()->size + (lost ? before : 2 * c.chunk_bytes));
  }
}

TEST_CASE("an offer that is answered twice does not double what is sent from there on") {
  Cluster c;
  cluster_in_transfer(c);
  c.isolate(3);
  c.run(10);
  c.heal();
  c.duplicate(1, 3);
  c.run(1);
  c.duplicate(3, 1);
  CHECK(c.converge() == "");
  CHECK(sent(c, 1).bytes <= c.raft(1).snapshot()->size + 2 * c.chunk_bytes);
}

TEST_CASE("another leader goes on with a transfer when its snapshot is the same, and only then") {
  for (const bool same : {true, false}) {
    Cluster c;
    cluster_in_transfer(c);
    const uint64_t size = c.raft(1).snapshot()->size;
    c.isolate(3);
    if (!same) c.propose(1, "more");
    c.run(100);
    c.snapshot(2);
    c.heal();
    c.isolate(1);
    REQUIRE(c.run_until([&] { return c.leader() == 2; }));
    REQUIRE(c.run_until([&] { return c.raft(3).log().base_index() == c.raft(2).log().base_index(); }));
    CHECK(sent(c, 2).resumed == (same ? 1 : 0));
    CHECK((sent(c, 2).bytes < size) == same);
    c.heal();
    CHECK(c.converge() == "");
  }
}

TEST_CASE("HAZARDS F7: a transfer outlasts newer snapshots, and the log behind it is still there when it ends") {
  Cluster c;
  cluster_in_transfer(c, 10);
  for (int i = 0; i < 8; ++i) {
    c.propose(1, "more" + std::to_string(i));
    c.run(2);
    c.snapshot(1);
    CHECK(c.raft(1).log().base_index() == Index{21});
  }
  REQUIRE(c.raft(1).snapshot()->index == Index{29});
  REQUIRE(c.raft(1).snapshot_in_transfer(c.now()) != nullptr);
  CHECK(c.raft(1).snapshot_in_transfer(c.now())->index == Index{21});
  CHECK(c.converge() == "");
  CHECK(c.raft(3).snapshot()->index == Index{21});
  CHECK(c.values(3).size() == 28);
  CHECK(sent(c, 1).begun == 1);
  CHECK(sent(c, 1).restarted == 0);
  // Nobody needs it any more.
  CHECK(c.raft(1).snapshot_in_transfer(c.now()) == nullptr);
  CHECK(c.raft(1).log().base_index() == Index{29});
}

TEST_CASE("HAZARDS F7: a follower that does not get on any more is not waited for") {
  Cluster c;
  cluster_in_transfer(c);
  c.crash(3);
  c.propose(1, "more");
  c.run(1'000);
  c.snapshot(1);
  CHECK(c.raft(1).log().base_index() == Index{21});
  c.run(30'000);
  CHECK(c.raft(1).log().base_index() == Index{22});
  CHECK(c.raft(1).snapshot_in_transfer(c.now()) == nullptr);
  c.start(3);
  c.step(1, PeerConnected{NodeId{3}});
  CHECK(c.converge() == "");
  CHECK(c.raft(3).snapshot()->index == Index{22});
}

TEST_CASE("HAZARDS F7: what is kept for a follower in a transfer is bounded in bytes") {
  Options options = test_options();
  options.held_log_bytes = 1 << 20;
  Cluster c(options);
  cluster_in_transfer(c);
  c.isolate(3);
  for (int i = 0; i < 40; ++i) {
    c.propose(1, std::string(64 << 10, 'x'));
    c.run(2);
  }
  c.snapshot(1);
  CHECK(c.raft(1).log().base_index() == Index{61});
  c.chunk_bytes = SIZE_MAX;
  c.heal();
  CHECK(c.converge() == "");
  REQUIRE(c.raft(3).snapshot().has_value());
  CHECK(c.raft(3).snapshot()->index == Index{61});
}

TEST_CASE(
    "HAZARDS F11: loading a snapshot for longer than an election timeout is no silence, and keeps no read waiting") {
  Cluster c;
  cluster_behind(c);
  c.at(3).hold_install = true;
  c.heal();
  REQUIRE(c.run_until([&] { return c.at(3).complete.has_value(); }));
  c.crash(2);
  const uint64_t read = c.read(1);
  c.run(20'000);
  CHECK(c.read_result(read).ok);
  CHECK(c.raft(1).role() == Role::leader);
  CHECK(c.raft(1).current_term() == Term{1});
  CHECK(c.raft(3).role() == Role::follower);
  // It gets on all the while: nothing it will need goes.
  CHECK(c.raft(1).snapshot_in_transfer(c.now()) != nullptr);
  c.release_install(3);
  c.start(2);
  CHECK(c.converge() == "");
  CHECK(sent(c, 1).begun == 1);
}

TEST_CASE("snapshots leave at the rate that was set, and followers share it") {
  Options options = test_options();
  options.snapshot_rate = 100'000;
  Cluster c(options);
  c.chunk_bytes = SIZE_MAX;
  c.nodes({1, 2, 3, 4, 5});
  c.timeout(1);
  c.deliver_all();
  c.isolate(4);
  c.isolate(5);
  for (int i = 0; i < 10; ++i) {
    c.propose(1, std::string(10'000, static_cast<char>('a' + i)));
    c.run(2);
  }
  c.run(1'200);
  c.snapshot(1);
  const Millis start = c.now();
  c.heal();
  REQUIRE(c.run_until([&] { return sent(c, 1).bytes > 100'000; }));
  // Both are under way, neither far ahead of the other.
  CHECK(offset_of(c, 1, 4) > 30'000);
  CHECK(offset_of(c, 1, 5) > 30'000);
  REQUIRE(c.run_until([&] { return sent(c, 1).finished == 2; }));
  // 2 s, but for what was saved up and the last chunks, which nobody waits behind.
  CHECK(c.now() - start >= 1'800);
  CHECK(c.now() - start <= 2'500);
  CHECK(c.raft(1).current_term() == Term{1});
}

TEST_CASE("entries loaded in the turn in which a snapshot is installed are not applied on top of it") {
  Cluster c;
  c.recovered_tail = 1;
  lone(c, {1, 1, 1, 1, 1}, 1);
  c.at(1).hold_loads = true;
  c.at(1).hold_install = true;
  c.receive(1, 2, append(1, 5, 1, {}, 4));
  REQUIRE(c.at(1).load.has_value());
  const Picture p = picture(8, 1);
  c.receive(1, 2, chunk(p, 1, 0, p.bytes.size()));
  c.at(1).load.reset();
  c.step_all(1, {EntriesLoaded{log_of({1, 1, 1, 1}), Index{1}}, SnapshotReceived{p.meta}});
  CHECK(c.raft(1).applied_index() == Index{8});
  CHECK(c.at(1).applied.size() == 8);
}

TEST_CASE("a follower that has committed what a snapshot holds, but not synced it, is not sent it over and over") {
  Cluster c;
  cluster_behind(c);
  c.heal();
  c.run(3);
  clear_links(c);
  c.receive(1, 3,
            InstallSnapshotReply{.term = Term{1}, .index = Index{21}, .installed = true, .match_index = Index{1}});
  CHECK(c.last<InstallSnapshot>(1, 3) == nullptr);
  CHECK(c.converge() == "");
}

TEST_CASE(
    "HAZARDS D4, F8: a snapshot during a change holds the configuration at its index, and the change can go back") {
  Cluster c;
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  c.isolate(1);
  c.change(1, configuration_of({1, 2, 3, 4}));
  c.snapshot(1);
  CHECK(c.raft(1).snapshot()->index == Index{1});
  CHECK(c.raft(1).snapshot()->configuration == configuration_of({1, 2, 3}));
  c.crash(1);
  c.start(1);
  CHECK(c.raft(1).configuration().voters() == 4);
  c.heal();
  CHECK(c.converge() == "");
  CHECK(c.raft(1).configuration() == configuration_of({1, 2, 3}));
}
