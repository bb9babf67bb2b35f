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
  c.snapshot(1);
  REQUIRE(c.raft(1).log().base_index() == Index{21});
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

TEST_CASE("HAZARDS F4: a new term ends a transfer; the next leader's begins at 0") {
  Cluster c;
  lone(c, {1}, 1);
  const Picture p = picture(10, 1);
  c.receive(1, 2, chunk(p, 1, 0, 20));
  c.receive(1, 3, chunk(p, 2, 20, 20));
  CHECK(c.last<InstallSnapshotReply>(1, 3)->next_offset == 0);
  c.receive(1, 3, chunk(p, 2, 0, p.bytes.size()));
  CHECK(c.raft(1).log().base_index() == Index{10});
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

TEST_CASE("a newer snapshot takes the place of the one that is being sent") {
  Cluster c;
  cluster_behind(c);
  c.chunk_bytes = 50;
  c.heal();
  c.run(5);
  c.propose(1, "more");
  c.run(2);
  c.snapshot(1);
  CHECK(c.converge() == "");
  CHECK(c.values(3).size() == 21);
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
