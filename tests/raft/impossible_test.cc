// Each message, in every role, with each field set to a value that no correct member sends. The core reports who sent
// it and what was wrong, and nothing else happens: term, vote, log, commit index and match index stay, nothing is sent,
// and the process goes on. Each case is paired with the last value that a correct member may send.
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

namespace {

// Server 1 is in term 5, over entries 1 and 2 of term 1, of which both are committed where somebody leads. As a leader
// it has its own no-op at 3 besides; else 2 leads, if anybody does.
enum class As { follower, leaderless, candidate, leader };
constexpr As kAll[] = {As::follower, As::leaderless, As::candidate, As::leader};
const char* name_of(As as) {
  switch (as) {
    case As::follower:
      return "follower";
    case As::leaderless:
      return "leaderless";
    case As::candidate:
      return "candidate";
    default:
      return "leader";
  }
}

void bring_about(Cluster& c, As as) {
  lone(c, {1, 1}, as == As::candidate || as == As::leader ? 4 : 5);
  if (as == As::follower) c.receive(1, 2, append(5, 2, 1, {}, 2));
  if (as == As::candidate || as == As::leader) {
    c.timeout(1);
    c.receive(1, 2, grant(5, true));
  }
  if (as == As::leader) {
    c.receive(1, 2, grant(5));
    c.receive(1, 2, accepted(5, 3));
    REQUIRE(c.raft(1).commit_index() == Index{3});
  }
  REQUIRE(c.raft(1).current_term() == Term{5});
  clear_links(c);
}

Entry at_time(Entry entry, Millis time_ms) {
  entry.time_ms = time_ms;
  return entry;
}
Entry configuration_entry(uint64_t index, uint64_t term, const Configuration& configuration) {
  Entry entry = entry_of(index, term);
  entry.kind = EntryKind::configuration;
  entry.payload = Bytes(configuration.encode());
  return entry;
}
SnapshotMeta meta_of(uint64_t index, uint64_t term, uint64_t size = 10) {
  return {.index = Index{index},
          .term = Term{term},
          .configuration_index = Index{1},
          .configuration = configuration_of({1, 2, 3}),
          .size = size};
}
InstallSnapshot chunk(uint64_t term, SnapshotMeta meta, uint64_t offset, std::string data, bool done = false) {
  return {.term = Term{term}, .meta = std::move(meta), .offset = offset, .data = Bytes(std::move(data)), .done = done};
}
AppendEntriesReply refused(uint64_t term, uint64_t rejected, uint64_t conflict, uint64_t conflict_term = 0) {
  return {.term = Term{term},
          .rejected_index = Index{rejected},
          .conflict_index = Index{conflict},
          .conflict_term = Term{conflict_term}};
}

struct Row {
  std::string what;
  std::vector<As> roles;
  Id from;
  MessageBody impossible;
  std::optional<MessageBody> possible;
};

std::vector<Row> rows() {
  const std::vector<As> all(std::begin(kAll), std::end(kAll));
  const std::vector<As> led{As::follower};
  const std::vector<As> leads{As::leader};
  const std::vector<As> others{As::follower, As::leaderless, As::candidate};
  const uint64_t far = (uint64_t{1} << 32) + 5;
  std::vector<Row> rows;
  const auto row = [&](std::string what, std::vector<As> roles, Id from, MessageBody impossible,
                       std::optional<MessageBody> possible = std::nullopt) {
    rows.push_back({std::move(what), std::move(roles), from, std::move(impossible), std::move(possible)});
  };
  // --- the term of every message
  for (const uint64_t term : {far + 1, kLimit, kLimit + 1, UINT64_MAX}) {
    row("vote: term", all, 3, ask(term, 9, 5));
    row("pre-vote: term", all, 3, ask(term, 9, 5, true));
    row("vote-reply: term", all, 3, grant(term));
    row("pre-vote-reply: term", all, 3, grant(term, true));
    row("append: term", all, 3, append(term, 2, 1));
    row("append-reply: term", all, 3, accepted(term, 1));
    row("snapshot: term", all, 3, chunk(term, meta_of(50, 1), 0, "12345"));
    row("snapshot-reply: term", all, 3, InstallSnapshotReply{.term = Term{term}, .index = Index{50}});
    row("timeout-now: term", all, 3, TimeoutNow{.term = Term{term}});
    row("read-index: term", all, 3, ReadIndexRequest{.term = Term{term}, .token = 900});
    row("read-index-reply: term", all, 3, ReadIndexReply{.term = Term{term}, .token = 901});
  }
  // --- votes
  row("vote: last_log_term", all, 3, ask(6, 9, 7), ask(6, 9, 6));
  row("pre-vote: last_log_term", all, 3, ask(6, 9, 7, true), ask(6, 9, 6, true));
  row("pre-vote-reply: term", all, 3, grant(7, true), grant(6, true));
  // --- a second leader of the term
  row("append: a second leader", {As::follower, As::leader}, 3, append(5, 2, 1));
  row("append: a second leader, of itself", leads, 2, append(5, 2, 1));
  row("snapshot: a second leader", {As::follower, As::leader}, 3, chunk(5, meta_of(50, 1), 0, "12345"));
  row("snapshot offer: a second leader", {As::follower, As::leader}, 3, chunk(5, meta_of(50, 1), 0, ""));
  row("timeout-now: a second leader", {As::follower, As::leader}, 3, TimeoutNow{.term = Term{5}});
  row("read-index-reply: a second leader", {As::follower, As::leader}, 3,
      ReadIndexReply{.term = Term{5}, .token = 901, .ok = true, .index = Index{9}});
  row("read-index-reply: of a term nobody asked in", all, 2,
      ReadIndexReply{.term = Term{6}, .token = 901, .ok = true, .index = Index{9}});
  // --- entries
  row("append: prev_log_index", others, 2, append(5, kLimit, 1), append(5, kLimit - 1, 1));
  row("append: prev_log_term above the term", others, 2, append(5, 2, 6));
  row("append: prev_log_term of nothing", others, 2, append(5, 0, 1), append(5, 0, 0));
  row("append: prev is committed and of another term", led, 2, append(5, 2, 2), append(5, 2, 1));
  row("append: below the commit index", led, 2, append(5, 1, 1, {entry_of(2, 5)}), append(5, 2, 1, {entry_of(3, 5)}));
  row("append: below the commit index, in a newer term", led, 3, append(6, 1, 1, {entry_of(2, 6)}));
  row("append: below the commit index of a leader", leads, 3, append(6, 1, 1, {entry_of(2, 6)}),
      append(6, 3, 5, {entry_of(4, 6)}));
  row("append: a gap", others, 2, append(5, 2, 1, {entry_of(4, 5)}), append(5, 2, 1, {entry_of(3, 5)}));
  row("append: an entry's term falls", others, 2, append(5, 2, 1, {entry_of(3, 3), entry_of(4, 2)}),
      append(5, 2, 1, {entry_of(3, 2), entry_of(4, 3)}));
  row("append: an entry's term is above the leader's", others, 2, append(5, 2, 1, {entry_of(3, 6)}));
  row("append: an entry's time goes back", others, 2,
      append(5, 2, 1, {at_time(entry_of(3, 5), 100), at_time(entry_of(4, 5), 99)}),
      append(5, 2, 1, {at_time(entry_of(3, 5), 100), at_time(entry_of(4, 5), 100)}));
  row("append: an entry's time jumps", others, 2,
      append(5, 2, 1, {at_time(entry_of(3, 5), 100), at_time(entry_of(4, 5), kLimit - 1)}));
  row("append: a configuration that is none", others, 2, append(5, 2, 1, {[] {
                                                                  Entry entry = entry_of(3, 5, "no configuration");
                                                                  entry.kind = EntryKind::configuration;
                                                                  return entry;
                                                                }()}));
  row("append: a configuration that removes everybody", others, 2,
      append(5, 2, 1, {configuration_entry(3, 5, Configuration())}));
  row("append: a configuration of learners", others, 2,
      append(5, 2, 1, {configuration_entry(3, 5, configuration_of({}, {1, 2, 3}))}),
      append(5, 2, 1, {configuration_entry(3, 5, configuration_of({2, 3}))}));
  // It answered its leader before.
  // --- answers to a leader
  row("append-reply: match_index", leads, 2, accepted(5, 4), accepted(5, 3));
  row("append-reply: match_index near the end of numbers", leads, 2, accepted(5, kLimit - 1));
  row("append-reply: read_round", leads, 2, accepted(5, 3, 1), accepted(5, 3, 0));
  row("append-reply: rejected_index", leads, 3, refused(5, 4, 1), refused(5, 3, 1));
  row("append-reply: conflict_index", leads, 3, refused(5, 3, 4), refused(5, 3, 3));
  row("append-reply: conflict_term", leads, 3, refused(5, 3, 3, 6), refused(5, 3, 3, 5));
  // --- snapshots
  row("snapshot: index 0", others, 2, chunk(5, meta_of(0, 0), 0, "12345"));
  row("snapshot: meta.term", others, 2, chunk(5, meta_of(50, 6), 0, "12345"), chunk(5, meta_of(50, 5), 0, "12345"));
  row("snapshot: beyond its size", others, 2, chunk(5, meta_of(50, 1, 4), 0, "12345"));
  row("snapshot: offset near the end of numbers", others, 2, chunk(5, meta_of(50, 1), kLimit - 1, "12345"));
  row("snapshot: done before its end", others, 2, chunk(5, meta_of(50, 1), 0, "12345", true),
      chunk(5, meta_of(50, 1, 5), 0, "12345", true));
  row("snapshot: size near the end of numbers", others, 2, chunk(5, meta_of(50, 1, kLimit), 0, "12345"));
  row("snapshot: at a committed index, of another term", led, 2, chunk(5, meta_of(2, 2), 0, "12345"),
      chunk(5, meta_of(2, 1), 0, "12345"));
  row("snapshot: no voter", others, 2,
      chunk(
          5,
          [] {
            SnapshotMeta meta = meta_of(50, 1);
            meta.configuration = configuration_of({}, {1});
            return meta;
          }(),
          0, "12345"));
  row("snapshot: its configuration comes after it", others, 2,
      chunk(
          5,
          [] {
            SnapshotMeta meta = meta_of(50, 1);
            meta.configuration_index = Index{51};
            return meta;
          }(),
          0, "12345"));
  return rows;
}

}  // namespace

TEST_CASE("what no correct member can send is acted on in no role, and it is told who sent it") {
  for (const Row& row : rows()) {
    for (const As as : row.roles) {
      CAPTURE(row.what);
      CAPTURE(std::string(name_of(as)));
      Cluster c;
      bring_about(c, as);
      const Raft& raft = c.raft(1);
      const Role role = raft.role();
      const NodeId vote = raft.voted_for();
      const NodeId leader = raft.leader_id();
      const Index last = raft.log().last_index();
      const Index commit = raft.commit_index();
      const Millis deadline = c.at(1).deadline;
      std::vector<Index> matches;
      for (const PeerStatus& peer : raft.peers()) matches.push_back(peer.match_index);
      c.receive(1, row.from, row.impossible);
      CHECK(raft.role() == role);
      CHECK(raft.current_term() == Term{5});
      CHECK(raft.voted_for() == vote);
      CHECK(raft.leader_id() == leader);
      CHECK(raft.log().last_index() == last);
      CHECK(raft.commit_index() == commit);
      CHECK(c.at(1).deadline == deadline);
      std::vector<Index> now;
      for (const PeerStatus& peer : raft.peers()) now.push_back(peer.match_index);
      CHECK(now == matches);
      CHECK(c.link(1, 2).empty());
      CHECK(c.link(1, 3).empty());
      REQUIRE(c.at(1).violations.size() == 1);
      CHECK(c.at(1).violations[0].from == NodeId{row.from});
      CHECK(c.at(1).violations[0].what != "");
      if (!row.possible) continue;
      Cluster honest;
      bring_about(honest, as);
      honest.receive(1, row.from, *row.possible);
      CHECK(honest.at(1).violations.empty());
    }
  }
}

TEST_CASE("what a leader has shown it cannot take back: neither an entry nor the one before") {
  for (const bool in_prev : {false, true}) {
    Cluster c;
    lone(c, {1, 1}, 5);
    c.receive(1, 2, append(5, 2, 1, {entry_of(3, 4), entry_of(4, 4)}));
    c.receive(1, 2, in_prev ? append(5, 4, 5) : append(5, 2, 1, {entry_of(3, 5)}, 4));
    CHECK(c.at(1).violations.size() == 1);
    CHECK(c.raft(1).log().last_index() == Index{4});
    CHECK(c.raft(1).commit_index() == Index{});
    // The next leader may.
    c.receive(1, 3, append(6, 2, 1, {entry_of(3, 6)}));
    CHECK(c.at(1).violations.size() == 1);
    CHECK(c.raft(1).log().last_index() == Index{3});
  }
}

TEST_CASE("a leader that falls silent is still the only one of its term") {
  Cluster c;
  lone(c, {1, 1}, 5);
  c.receive(1, 2, append(5, 2, 1));
  c.timeout(1);
  REQUIRE(c.raft(1).role() == Role::pre_candidate);
  c.receive(1, 3, append(5, 2, 1));
  CHECK(c.at(1).violations.size() == 1);
  CHECK(c.raft(1).role() == Role::pre_candidate);
  c.receive(1, 2, append(5, 2, 1));
  CHECK(c.raft(1).leader_id() == NodeId{2});
  CHECK(c.at(1).violations.size() == 1);
}

TEST_CASE("HAZARDS A14: terms far above are believed once a second, so that they last") {
  Cluster c;
  lone(c, {1}, 3);
  uint64_t term = 3;
  for (int i = 0; i < 1'000; ++i) c.receive(1, 2, accepted(c.raft(1).current_term().value + (uint64_t{1} << 31), 1));
  term += uint64_t{1} << 31;
  CHECK(c.raft(1).current_term() == Term{term});
  c.at(1).skew += 1'000;
  c.receive(1, 2, accepted(term + (uint64_t{1} << 31), 1));
  CHECK(c.raft(1).current_term() == Term{term + (uint64_t{1} << 31)});
}

TEST_CASE("HAZARDS A14: in the last term there is no election") {
  Cluster c;
  lone(c, {1}, kLimit - 1);
  for (int i = 0; i < 5; ++i) c.timeout(1);
  CHECK(c.raft(1).current_term() == Term{kLimit - 1});
  CHECK(c.raft(1).role() == Role::follower);
}

TEST_CASE("a follower's reads that wait are bounded, and the others are told so") {
  Cluster c;
  lead(c, {1}, 5);  // nothing of its term is committed: reads wait
  clear_links(c);
  for (uint64_t token = 1; token <= 5'000; ++token) c.receive(1, 3, ReadIndexRequest{.term = Term{5}, .token = token});
  size_t refused_reads = 0;
  for (const MessageBody& body : c.link(1, 3))
    if (const auto* reply = std::get_if<ReadIndexReply>(&body)) refused_reads += reply->ok ? 0 : 1;
  CHECK(refused_reads == 5'000 - 4'096);
  clear_links(c);
  c.receive(1, 2, ReadIndexRequest{.term = Term{5}, .token = 1});
  CHECK(c.last<ReadIndexReply>(1, 2) == nullptr);  // the other one's still wait
}

TEST_CASE("one member's word that this server was removed is nothing against a leader that is heard") {
  Cluster c;
  lone(c, {1, 1}, 5);
  c.receive(1, 2, append(5, 2, 1));
  c.step(1, ToldRemoved{{Term{kLimit - 1}, Index{kLimit - 1}}, NodeId{3}});
  CHECK_FALSE(c.raft(1).removed());
  c.step(1, ToldRemoved{{Term{6}, Index{9}}, NodeId{2}});  // the leader's own
  CHECK(c.raft(1).removed());
  Cluster silent;
  lone(silent, {1, 1}, 5);
  silent.receive(1, 2, append(5, 2, 1));
  silent.at(1).skew += 600;
  silent.step(1, ToldRemoved{{Term{6}, Index{9}}, NodeId{3}});
  CHECK(silent.raft(1).removed());
}
