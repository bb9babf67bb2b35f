// Bugs of a node that was taken into a cluster. It had no configuration yet, dialled nobody, and so could not answer
// the leader. While it changed clusters it claimed to be a member of the old one, and the leader removed it again. A
// snapshot of the old state that was still being written aborted the process.
#include <doctest/doctest.h>

#include "node_bench.h"

namespace wh::node {
namespace {

// Alone in a cluster of its own, leading.
void lead_alone(Bench& bench) {
  bench.persist();
  for (int i = 0; i < 5; ++i) bench.wait(1'000);
  REQUIRE(bench.node.raft() != nullptr);
  REQUIRE(bench.node.raft()->leads_for_certain());
  REQUIRE(bench.node.standing() == Standing::absorbable);
}

TEST_CASE("whoever of its cluster greets a node is dialled back") {
  Bench bench(bench_options(), empty_disk());
  lead_alone(bench);
  bench.node.asked(1, Adopt{kAnotherCluster, kMe, "other"}, bench.now);
  CHECK(bench.node.standing() == Standing::absorbable);
  bench.persist();
  REQUIRE(bench.node.identity().cluster == kAnotherCluster);
  CHECK(bench.node.standing() == Standing::member);
  CHECK(bench.transport.peers.empty());
  Identity leader = empty_node(kOther, "a:1").identity;
  leader.cluster = kAnotherCluster;
  bench.node.peer_identity(kOther, leader);
  REQUIRE(bench.transport.peers.size() == 1);
  CHECK(bench.transport.peers[0].id == kOther);
  CHECK(bench.transport.peers[0].raft_address == "a:1");
}

TEST_CASE("whoever was removed and comes back on its old connection is answered") {
  Bench bench(bench_options(), member_disk());
  bench.persist();
  Identity third = empty_node(kThird, "a:3").identity;
  third.cluster = kCluster;
  bench.node.peer_identity(kThird, third);
  bench.heartbeat(raft::Term{2});
  const raft::Configuration without = bench.node.raft()->configuration().without(kThird);
  raft::AppendEntries removal{.term = raft::Term{2}, .prev_log_index = raft::Index{1}, .prev_log_term = raft::Term{1}};
  removal.entries.push_back({.index = raft::Index{2},
                             .term = raft::Term{2},
                             .kind = raft::EntryKind::configuration,
                             .payload = Bytes(without.encode())});
  bench.node.receive(kOther, removal, bench.now);
  bench.persist();
  REQUIRE(bench.transport.peers.size() == 1);
  // Taken back meanwhile, of which this node does not know yet, it leads.
  bench.node.receive(kThird, raft::AppendEntries{.term = raft::Term{3}, .prev_log_index = raft::Index{9}}, bench.now);
  bench.persist();
  CHECK(bench.transport.peers.size() == 2);
}

// Taken in by a cluster of which it has heard nothing yet.
void be_adopted(Bench& bench) {
  lead_alone(bench);
  bench.node.asked(1, Adopt{kAnotherCluster, kMe, "other"}, bench.now);
  bench.persist();
  REQUIRE(bench.node.identity().cluster == kAnotherCluster);
  REQUIRE(bench.node.raft()->configuration().empty());
}

TEST_CASE("who was taken in and removed before it heard anything is told by whom it met") {
  Bench bench(bench_options(), empty_disk());
  be_adopted(bench);
  Identity leader = empty_node(kOther, "a:1").identity;
  leader.cluster = kAnotherCluster;
  bench.node.peer_identity(kOther, leader);
  // Of one that it never met it believes nothing.
  bench.node.told_removed(kThird, {raft::Term{3}, raft::Index{9}}, bench.now);
  bench.wait(1);
  CHECK_FALSE(bench.node.removed());
  bench.node.told_removed(kOther, {raft::Term{3}, raft::Index{9}}, bench.now);
  bench.wait(1);
  CHECK(bench.node.removed());
  std::string why;
  CHECK_FALSE(bench.node.ready(&why));
  CHECK(why.find("was removed from the cluster") != std::string::npos);
  // Added again, by a leader that knew of the removal, it is a member again.
  const raft::Member me{.id = kMe, .name = "me", .raft_address = "a:9", .http_address = {}, .https_address = {}};
  const raft::Member other{
      .id = kOther, .name = "other", .raft_address = "a:1", .http_address = {}, .https_address = {}};
  raft::AppendEntries addition{.term = raft::Term{3}};
  for (uint64_t i = 1; i <= 10; ++i)
    addition.entries.push_back({.index = raft::Index{i},
                                .term = raft::Term{3},
                                .kind = i == 10 ? raft::EntryKind::configuration : raft::EntryKind::noop,
                                .payload = i == 10 ? Bytes(raft::Configuration({other, me}).encode()) : Bytes()});
  addition.leader_commit = raft::Index{10};
  bench.node.receive(kOther, addition, bench.now);
  bench.persist();
  CHECK_FALSE(bench.node.removed());
}

TEST_CASE("who was taken in and heard nothing since dials whoever of its cluster answers at the addresses of join") {
  NodeOptions options = bench_options();
  options.join = {"a:1"};
  RecoveredNode taken_in = empty_disk();
  taken_in.cluster = kAnotherCluster;
  Bench bench(std::move(options), std::move(taken_in));
  bench.persist();
  REQUIRE(bench.node.raft() != nullptr);
  REQUIRE(bench.node.raft()->configuration().empty());
  for (int i = 0; i < 3 && bench.transport.asked.empty(); ++i) bench.wait(1'000);
  REQUIRE_FALSE(bench.transport.asked.empty());
  CHECK(bench.transport.asked.back().address == "a:1");
  WhoIAm who = empty_node(kOther, "a:1");
  who.identity.cluster = kAnotherCluster;
  bench.node.answered(bench.transport.asked.back().request, Answer{who}, bench.now);
  bench.persist();
  REQUIRE(bench.transport.peers.size() == 1);
  CHECK(bench.transport.peers[0].id == kOther);
  CHECK(bench.transport.peers[0].raft_address == "a:1");
}

TEST_CASE("a snapshot of the state before an adoption is forgotten") {
  NodeOptions options = bench_options();
  options.snapshot_entries = 1;
  options.trailing_entries = 0;
  Bench bench(std::move(options), empty_disk());
  lead_alone(bench);
  REQUIRE(bench.storage.snapshots_begun == 1);
  bench.node.asked(1, Adopt{kAnotherCluster, kMe, "other"}, bench.now);
  bench.persist();
  REQUIRE(bench.node.identity().cluster == kAnotherCluster);
  // What was finished of it comes too late.
  bench.node.storage_done(SnapshotSaved{raft::SnapshotMeta{.index = raft::Index{2}, .term = raft::Term{2}}}, bench.now);
  bench.persist();
  CHECK(bench.node.raft()->log().last_index() == raft::Index{});
}

}  // namespace
}  // namespace wh::node
