#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

namespace {
Refusal refusal_of(Cluster& c, const Configuration& configuration) {
  return c.proposal(c.change(1, configuration)).refusal;
}
}  // namespace

TEST_CASE("Ongaro 2015, HAZARDS D1: no change before an entry of the leader's own term is committed") {
  Cluster c;
  lead(c, {1, 1}, 2);
  CHECK(refusal_of(c, configuration_of({1, 2, 3, 4})) == Refusal::change_pending);
  CHECK(refusal_of(c, configuration_of({1, 2})) == Refusal::change_pending);
  CHECK(c.raft(1).log().last_index() == Index{3});
  c.receive(1, 2, accepted(2, 3));
  CHECK(refusal_of(c, configuration_of({1, 2, 3, 4})) == Refusal::none);
}

TEST_CASE("HAZARDS D2: one change at a time; the next waits for the first to be committed") {
  Cluster c;
  lead_for_certain(c);
  CHECK(refusal_of(c, configuration_of({1, 2, 3, 4})) == Refusal::none);
  CHECK(c.raft(1).change_pending());
  CHECK(refusal_of(c, configuration_of({1, 2, 3})) == Refusal::change_pending);
  c.receive(1, 2, accepted(1, 2));
  CHECK(c.raft(1).change_pending());  // two of four are no quorum
  c.receive(1, 3, accepted(1, 2));
  CHECK_FALSE(c.raft(1).change_pending());
  CHECK(refusal_of(c, configuration_of({1, 2, 3})) == Refusal::none);
}

TEST_CASE(
    "thesis 4.1, HAZARDS D12: what is no single change, or leaves no voter, or cannot be written down, is refused") {
  Cluster c;
  lead_for_certain(c);
  CHECK(refusal_of(c, configuration_of({1, 2, 3, 4, 5})) == Refusal::bad_change);
  CHECK(refusal_of(c, configuration_of({1})) == Refusal::bad_change);
  CHECK(refusal_of(c, configuration_of({1, 2, 4})) == Refusal::bad_change);
  CHECK(refusal_of(c, configuration_of({}, {1, 2, 3})) == Refusal::bad_change);
  CHECK(refusal_of(c, Configuration()) == Refusal::bad_change);
  Member nameless_twin = member_of(4, Suffrage::learner);
  nameless_twin.name = "n1";
  CHECK(refusal_of(c, c.raft(1).configuration().with(nameless_twin)) == Refusal::bad_change);
  Member endless = member_of(4);
  endless.raft_address = std::string(600, 'a');
  CHECK(refusal_of(c, c.raft(1).configuration().with(endless)) == Refusal::bad_change);
  CHECK(c.raft(1).log().last_index() == Index{1});
  CHECK(refusal_of(c, configuration_of({1, 2, 3}, {4, 5})) == Refusal::none);  // learners are in no quorum
}

TEST_CASE("HAZARDS D12: a cluster of one grows to two and shrinks again, with a crash at each step") {
  for (int crash_at = 0; crash_at < 40; ++crash_at) {
    Cluster c;
    c.nodes({1});
    c.outsider(2);
    int step = 0;
    const auto maybe_crash = [&](Id id) {
      if (step++ != crash_at) return;
      c.crash(id);
      c.start(id);
    };
    const auto settle = [&](const std::function<bool()>& done) {
      return c.run_until([&] {
        maybe_crash(1);
        maybe_crash(2);
        return done();
      });
    };
    const auto led = [&] { return c.leader() != 0 && c.raft(c.leader()).leads_for_certain(); };
    REQUIRE(settle(led));
    CHECK(settle([&] {
      if (!led()) return false;
      const Id lead = c.leader();
      if (!c.raft(lead).configuration().contains(NodeId{2}))
        c.change(lead, c.raft(lead).configuration().with(member_of(2, Suffrage::learner)));
      return c.raft(lead).configuration().is_voter(NodeId{2}) && !c.raft(lead).change_pending();
    }));
    CHECK(settle([&] {
      if (!led()) return false;
      const Id lead = c.leader();
      if (c.raft(lead).configuration().is_voter(NodeId{2}))
        c.change(lead, c.raft(lead).configuration().without(NodeId{2}));
      return !c.raft(lead).configuration().contains(NodeId{2}) && !c.raft(lead).change_pending();
    }));
    CHECK(c.raft(1).configuration().members() == configuration_of({1}).members());
    CHECK(c.raft(1).configuration().remembers(NodeId{2}));
    CHECK(c.converge() == "");
  }
}

TEST_CASE("thesis 4.1, HAZARDS D3: a configuration is in force at once, and gone when its entry is replaced") {
  Cluster c;
  lead_for_certain(c);
  c.change(1, configuration_of({1, 2, 3, 4}));
  CHECK(c.raft(1).configuration().voters() == 4);
  CHECK(c.last<AppendEntries>(1, 4) != nullptr);
  c.receive(1, 2, append(2, 1, 1, {entry_of(2, 2)}));
  CHECK(c.raft(1).configuration().voters() == 3);
}

TEST_CASE("HAZARDS A6: an election counts by the newest configuration in the log, committed or not") {
  Cluster c;
  lead_for_certain(c);
  c.change(1, configuration_of({1, 2, 3, 4}));
  c.receive(1, 2, AppendEntriesReply{.term = Term{5}});
  c.timeout(1);
  c.receive(1, 2, grant(6, true));
  CHECK(c.raft(1).role() == Role::pre_candidate);  // two of four
  c.receive(1, 4, grant(6, true));
  CHECK(c.raft(1).role() == Role::candidate);
}

TEST_CASE("thesis 4.2.2, HAZARDS D8: a leader that removes itself leads on without counting itself, then steps down") {
  Cluster c;
  lead_for_certain(c);
  c.change(1, configuration_of({2, 3}));
  CHECK(c.raft(1).role() == Role::leader);
  c.receive(1, 2, accepted(1, 2));
  CHECK(c.raft(1).role() == Role::leader);
  CHECK(c.raft(1).commit_index() == Index{1});
  clear_links(c);
  c.receive(1, 3, accepted(1, 2));
  CHECK(c.raft(1).commit_index() == Index{2});
  CHECK(c.raft(1).role() == Role::follower);
  // The others hear of it, and it never campaigns again.
  REQUIRE(c.last<AppendEntries>(1, 3) != nullptr);
  CHECK(c.last<AppendEntries>(1, 3)->leader_commit == Index{2});
  c.timeout(1);
  CHECK(c.raft(1).role() == Role::follower);
}

TEST_CASE("HAZARDS D8: a leader that removes itself stays until just that is committed, not what lies before it") {
  Cluster c;
  lead_for_certain(c);
  c.propose(1, "x");
  c.change(1, configuration_of({2, 3}));
  for (const Id id : {2, 3}) c.receive(1, id, accepted(1, 2));
  CHECK(c.raft(1).commit_index() == Index{2});
  CHECK(c.raft(1).role() == Role::leader);
  for (const Id id : {2, 3}) c.receive(1, id, accepted(1, 3));
  CHECK(c.raft(1).role() == Role::follower);
}

TEST_CASE(
    "thesis 4.2.2, HAZARDS D8: outside its own uncommitted configuration a server still campaigns, also restarted") {
  Cluster c;
  lead_for_certain(c);
  c.change(1, configuration_of({2, 3}));
  c.crash(1);
  c.start(1);
  CHECK(c.at(1).deadline != kNever);
  c.timeout(1);
  c.receive(1, 2, grant(2, true));
  CHECK(c.raft(1).role() == Role::pre_candidate);  // its own voice is none
  c.receive(1, 3, grant(2, true));
  CHECK(c.raft(1).role() == Role::candidate);
}

TEST_CASE(
    "thesis 4.2.2, HAZARDS D8: the heir of a leader that removed itself needs no timeout, also while writes go on") {
  Cluster c;
  lead_for_certain(c);
  c.change(1, configuration_of({1, 2, 3}).without(NodeId{1}));
  c.propose(1, "behind the change");
  c.receive(1, 3, accepted(1, 1));
  c.receive(1, 2, accepted(1, 2));
  clear_links(c);
  c.receive(1, 3, accepted(1, 2));
  REQUIRE(c.raft(1).role() == Role::follower);
  CHECK((c.last<TimeoutNow>(1, 2) != nullptr) + (c.last<TimeoutNow>(1, 3) != nullptr) == 1);
  CHECK(c.raft(1).removed());
}

TEST_CASE("thesis 4.2.2, HAZARDS A16: a removed server gets the change and its commitment, and nothing after that") {
  Cluster c;
  lead_for_certain(c);
  clear_links(c);
  c.change(1, configuration_of({1, 2, 3}).without(NodeId{3}));
  REQUIRE(c.last<AppendEntries>(1, 3) != nullptr);
  CHECK(c.last<AppendEntries>(1, 3)->entries.size() == 1);
  c.advance(60);
  CHECK(c.raft(1).peers().size() == 2);  // heartbeats go on until it is committed
  clear_links(c);
  c.receive(1, 2, accepted(1, 2));  // before the removed server acknowledged it
  REQUIRE(c.last<AppendEntries>(1, 3) != nullptr);
  CHECK(c.last<AppendEntries>(1, 3)->leader_commit == Index{2});
  CHECK(c.last<AppendEntries>(1, 3)->prev_log_index == Index{2});
  CHECK(c.raft(1).peers().size() == 1);
  clear_links(c);
  c.receive(1, 3, accepted(1, 2));
  c.propose(1, "x");
  c.advance(60);
  CHECK(c.last<AppendEntries>(1, 3) == nullptr);
}

TEST_CASE("HAZARDS A16, D9: what a server is told of its removal counts against what its own log says of it") {
  // Server 1's log: its configuration at 2, in term 3; entries of term 3 up to 5; committed up to 4.
  const auto fresh = [](Cluster& c) {
    c.trust_the_test();
    Disk disk;
    disk.genesis = configuration_of({1, 2, 3});
    disk.hard_state.current_term = Term{3};
    disk.log = log_of({2, 3, 3, 3, 3});
    disk.log[1] = entry_of(2, 3, configuration_of({1, 2, 3}, {4}).encode());
    disk.log[1].kind = EntryKind::configuration;
    c.add(1, disk);
    c.receive(1, 2, append(3, 5, 3, {}, 4));
    REQUIRE(c.raft(1).commit_index() == Index{4});
    REQUIRE_FALSE(c.raft(1).removed());
  };
  struct Case {
    uint64_t term, index;
    bool believed;
  };
  for (const Case& said : {Case{1, 9, false}, Case{2, 9, false}, Case{3, 2, false}, Case{3, 4, false}, Case{3, 5, true},
                           Case{4, 1, true}, Case{4, 9, true}, Case{uint64_t{1} << 62, 9, false}}) {
    CAPTURE(said.term);
    CAPTURE(said.index);
    Cluster c;
    fresh(c);
    c.step(1, ToldRemoved{{Term{said.term}, Index{said.index}}});
    CHECK(c.raft(1).removed() == said.believed);
    c.timeout(1);
    CHECK((c.raft(1).role() == Role::follower) == said.believed);
  }
  // An uncommitted configuration of a later term names it: whoever made that knew of the removal.
  Cluster c;
  fresh(c);
  Entry again = entry_of(6, 5, configuration_of({1, 2, 3}).encode());
  again.kind = EntryKind::configuration;
  c.step(1, ToldRemoved{{Term{4}, Index{6}}});
  CHECK(c.raft(1).removed());
  c.receive(1, 2, append(5, 5, 3, {again}, 4));
  CHECK_FALSE(c.raft(1).removed());
  c.step(1, ToldRemoved{{Term{4}, Index{7}}});  // a member that is behind says so once more
  CHECK_FALSE(c.raft(1).removed());
  c.step(1, ToldRemoved{{Term{5}, Index{7}}});
  CHECK(c.raft(1).removed());
}

TEST_CASE("RedisRaft 596, 608, 643 to 651: any message in any state, also in no cluster yet, half joined and removed") {
  const std::vector<std::pair<const char*, Configuration>> states{
      {"in no cluster", Configuration()},       {"half joined", configuration_of({2, 3}, {1})},
      {"a voter", configuration_of({1, 2, 3})}, {"removed", configuration_of({1, 2, 3}).without(NodeId{1})},
      {"alone", configuration_of({1})},
  };
  const SnapshotMeta meta{.index = Index{3},
                          .term = Term{2},
                          .configuration_index = Index{1},
                          .configuration = configuration_of({2, 3}),
                          .time_ms = 0,
                          .size = 10};
  for (const auto& [name, configuration] : states) {
    for (const uint64_t term : {0, 1, 2, 3}) {
      const std::vector<MessageBody> messages{
          ask(term, 9, term, true),
          ask(term, 9, term),
          grant(term, true),
          grant(term),
          RequestVoteReply{.term = Term{term}},
          append(term, 0, 0),
          append(term, 7, 0, {}, 9),
          AppendEntriesReply{.term = Term{term}, .rejected_index = Index{4}, .conflict_index = Index{2}},
          accepted(term, 4, 5),
          InstallSnapshot{.term = Term{term}, .meta = meta, .offset = 0, .data = Bytes("12345"), .done = false},
          InstallSnapshot{.term = Term{term}, .meta = meta, .offset = 7, .data = Bytes("12345"), .done = true},
          InstallSnapshotReply{.term = Term{term}, .index = Index{3}, .installed = true, .match_index = Index{3}},
          TimeoutNow{.term = Term{term}},
          ReadIndexRequest{.term = Term{term}, .token = 1},
          ReadIndexReply{.term = Term{term}, .token = 1, .ok = true, .index = Index{9}},
      };
      for (const Id from : {2, 9}) {
        for (size_t i = 0; i < messages.size(); ++i) {
          for (size_t j = 0; j < messages.size(); ++j) {
            CAPTURE(name);
            CAPTURE(term);
            CAPTURE(i);
            CAPTURE(j);
            Cluster c;
            c.trust_the_test();
            Disk disk;
            disk.genesis = configuration;
            disk.hard_state.current_term = Term{1};
            c.add(1, disk);
            c.receive(1, from, MessageBody(messages[i]));
            c.step(1, ToldRemoved{{Term{1}, Index{1}}});
            c.receive(1, from, MessageBody(messages[j]));
            c.timeout(1);
            CHECK(c.raft(1).commit_index().value <= c.raft(1).log().last_index().value);
            (void)c.take_violations();  // the test's own messages need not make sense together
          }
        }
      }
    }
  }
}

TEST_CASE("RedisRaft 480: a thousand members that come and go leave nothing behind but a bounded memory of them") {
  Cluster c;
  lead_for_certain(c, {1});
  size_t largest = 0;
  for (Id id = 10; id < 1'300; ++id) {
    c.change(1, c.raft(1).configuration().with(member_of(id, Suffrage::learner)));
    REQUIRE_FALSE(c.raft(1).change_pending());
    c.change(1, c.raft(1).configuration().without(NodeId{id}));
    REQUIRE_FALSE(c.raft(1).change_pending());
    CHECK(c.raft(1).peers().empty());
    largest = std::max(largest, c.raft(1).configuration().encode().size());
  }
  CHECK(c.raft(1).configuration().removed().size() == 1'024);
  CHECK(c.raft(1).configuration().removed().back() == NodeId{1'299});
  CHECK(largest < 10'000);
}

TEST_CASE("HAZARDS A16: a learner and a server in no cluster never campaign") {
  Cluster c;
  c.trust_the_test();
  Disk disk;
  disk.genesis = configuration_of({2, 3}, {1});
  c.add(1, disk);
  c.timeout(1);
  CHECK(c.raft(1).role() == Role::follower);
  c.outsider(9);
  c.timeout(9);
  CHECK(c.raft(9).role() == Role::follower);
}

TEST_CASE("a learner that hears nothing for an election timeout names no leader any more") {
  Cluster c;
  c.trust_the_test();
  Disk disk;
  disk.genesis = configuration_of({2, 3}, {1});
  c.add(1, disk);
  c.receive(1, 2, AppendEntries{.term = Term{2}});
  CHECK(c.raft(1).leader_id() == NodeId{2});
  c.timeout(1);
  CHECK(c.raft(1).leader_id() == kNobody);
}

TEST_CASE("thesis 4.2.1, HAZARDS D7: a learner is promoted when it has caught up, not before") {
  Cluster c;
  lead_for_certain(c);
  for (int i = 0; i < 5; ++i) c.propose(1, "v");
  c.receive(1, 2, accepted(1, 6));
  c.change(1, configuration_of({1, 2, 3}, {4}));
  c.receive(1, 2, accepted(1, 7));
  CHECK_FALSE(c.raft(1).change_pending());
  c.receive(1, 4, accepted(1, 0));
  CHECK(c.raft(1).configuration().is_learner(NodeId{4}));
  c.receive(1, 4, accepted(1, 5));
  CHECK(c.raft(1).configuration().is_learner(NodeId{4}));
  c.receive(1, 4, accepted(1, 7));
  CHECK(c.raft(1).configuration().is_voter(NodeId{4}));
  CHECK(c.raft(1).change_pending());
}

TEST_CASE("HAZARDS D7: a round of catching up that took longer than an election timeout does not count") {
  Cluster c;
  lead_for_certain(c);
  for (int i = 0; i < 5; ++i) c.propose(1, "v");
  c.change(1, configuration_of({1, 2, 3}, {4}));
  c.receive(1, 2, accepted(1, 7));
  c.receive(1, 4, accepted(1, 0));
  for (int i = 0; i < 12; ++i) {
    c.advance(50);
    c.receive(1, 2, accepted(1, 7));
    c.receive(1, 4, accepted(1, 1));
  }
  c.propose(1, "more");
  c.receive(1, 2, accepted(1, 8));
  c.receive(1, 4, accepted(1, 7));  // the round's target, 600 ms later
  CHECK(c.raft(1).configuration().is_learner(NodeId{4}));
  c.receive(1, 4, accepted(1, 8));
  CHECK(c.raft(1).configuration().is_voter(NodeId{4}));
}

TEST_CASE("HAZARDS D7: a learner that caught up while another change was pending is looked at again") {
  Cluster c;
  lead_for_certain(c);
  c.change(1, configuration_of({1, 2, 3}, {4}));
  c.receive(1, 2, accepted(1, 2));
  c.change(1, configuration_of({1, 2, 3}, {4, 5}));  // pending from here on
  c.receive(1, 4, accepted(1, 3));
  CHECK(c.raft(1).configuration().is_learner(NodeId{4}));
  for (int i = 0; i < 30; ++i) c.propose(1, "v");
  for (int i = 0; i < 24; ++i) {
    c.advance(50);
    c.receive(1, 2, accepted(1, 2));
    c.receive(1, 4, accepted(1, 3));
  }
  c.receive(1, 2, accepted(1, 33));
  CHECK_FALSE(c.raft(1).change_pending());
  CHECK(c.raft(1).configuration().is_learner(NodeId{4}));  // 30 entries behind by now
  c.receive(1, 4, accepted(1, 33));
  CHECK(c.raft(1).configuration().is_voter(NodeId{4}));
}

TEST_CASE("HAZARDS D6: a learner's acknowledgement commits nothing and its vote elects nobody") {
  Cluster c;
  c.trust_the_test();
  Disk disk;
  disk.genesis = configuration_of({1, 2, 3}, {4, 5});
  c.add(1, disk);
  c.timeout(1);
  c.receive(1, 4, grant(1, true));
  c.receive(1, 5, grant(1, true));
  CHECK(c.raft(1).role() == Role::pre_candidate);
  c.receive(1, 2, grant(1, true));
  c.receive(1, 4, grant(1));
  c.receive(1, 5, grant(1));
  CHECK(c.raft(1).role() == Role::candidate);
  c.receive(1, 2, grant(1));
  REQUIRE(c.raft(1).role() == Role::leader);
  c.receive(1, 4, accepted(1, 1));
  c.receive(1, 5, accepted(1, 1));
  CHECK(c.raft(1).commit_index() == Index{0});
  c.receive(1, 3, accepted(1, 1));
  CHECK(c.raft(1).commit_index() == Index{1});
}

TEST_CASE("thesis 3.10, HAZARDS A18: a transfer is refused to whoever cannot take over") {
  Cluster c;
  lead_for_certain(c);
  c.transfer(1, 9);
  c.transfer(1, 1);
  c.change(1, configuration_of({1, 2, 3}, {4}));
  c.receive(1, 2, accepted(1, 2));
  c.transfer(1, 4);
  REQUIRE(c.at(1).transfers.size() == 3);
  for (const TransferDone& done : c.at(1).transfers) CHECK_FALSE(done.ok);
  CHECK_FALSE(c.raft(1).transferring());
}

TEST_CASE("thesis 3.10: a transfer brings the target up first, takes no proposals, and says TimeoutNow once") {
  Cluster c;
  lead_for_certain(c);
  c.propose(1, "x");
  clear_links(c);
  c.transfer(1, 2);
  CHECK(c.last<TimeoutNow>(1, 2) == nullptr);
  CHECK(c.proposal(c.propose(1, "y")).refusal == Refusal::not_leader);
  c.transfer(1, 3);  // one at a time
  CHECK_FALSE(c.at(1).transfers.back().ok);
  c.receive(1, 2, accepted(1, 2));
  REQUIRE(c.last<TimeoutNow>(1, 2) != nullptr);
  clear_links(c);
  c.receive(1, 2, accepted(1, 2));
  CHECK(c.last<TimeoutNow>(1, 2) == nullptr);
  c.receive(1, 2, append(2, 2, 1));
  CHECK(c.at(1).transfers.back().ok);
}

TEST_CASE("thesis 3.10: a transfer ends when the target's process is gone; the loss of another does not matter") {
  Cluster c;
  lead_for_certain(c);
  c.transfer(1, 2);
  c.step(1, PeerLost{NodeId{3}});
  CHECK(c.raft(1).transferring());
  c.step(1, PeerLost{NodeId{2}});
  CHECK_FALSE(c.raft(1).transferring());
  REQUIRE(c.at(1).transfers.size() == 1);
  CHECK_FALSE(c.at(1).transfers.back().ok);
  CHECK(c.proposal(c.propose(1, "y")).refusal == Refusal::none);
}

TEST_CASE("HAZARDS A17: a transfer ends at its deadline or with the term, and only a newer term is success") {
  Cluster c;
  lead_for_certain(c);
  c.transfer(1, 2);
  for (int i = 0; i < 9; ++i) {
    c.advance(50);
    c.receive(1, 3, accepted(1, 1));
  }
  CHECK(c.raft(1).transferring());
  c.advance(50);
  CHECK_FALSE(c.raft(1).transferring());
  CHECK_FALSE(c.at(1).transfers.back().ok);
  CHECK(c.proposal(c.propose(1, "y")).refusal == Refusal::none);

  Cluster d;
  lead_for_certain(d);
  d.transfer(1, 2);
  d.step(1, DiskStalled{true});
  REQUIRE(d.at(1).transfers.size() == 1);
  CHECK_FALSE(d.at(1).transfers.back().ok);
}
