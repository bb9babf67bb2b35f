#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

namespace {
std::vector<Entry> entries(uint64_t from, const std::vector<uint64_t>& terms) {
  std::vector<Entry> list;
  for (size_t i = 0; i < terms.size(); ++i) list.push_back(entry_of(from + i, terms[i]));
  return list;
}
}  // namespace

TEST_CASE("Figure 7: all six logs come to the leader's in few round trips") {
  const std::vector<std::vector<uint64_t>> logs{
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6},    {1, 1, 1, 4, 4, 5, 5, 6, 6},          {1, 1, 1, 4},
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6}, {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}, {1, 1, 1, 4, 4, 4, 4},
      {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}};
  for (size_t other = 1; other < logs.size(); ++other) {
    Cluster c;
    c.add(1, c.disk_of({1, 2, 3}, logs[0], 7));
    c.add(2, c.disk_of({1, 2, 3}, logs[other], 7));
    c.add(3, c.disk_of({1, 2, 3}, logs[0], 7));
    c.isolate(2);
    c.timeout(1);
    c.deliver_all();
    REQUIRE(c.raft(1).role() == Role::leader);
    c.heal();
    size_t trips = 0;
    while (c.terms(2) != c.terms(1) && trips < 20) {
      c.deliver(1, 2);
      c.deliver(2, 1);
      ++trips;
    }
    CHECK_MESSAGE(trips <= 4, "log " << other);
    CHECK(c.converge() == "");
  }
}

TEST_CASE("HAZARDS B10: conflict hints lead to where the logs part, in no more steps than there are terms") {
  Prng random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint64_t> common;
    uint64_t term = 1;
    for (uint64_t i = random.below(20); i > 0; --i) common.push_back(term += random.below(2));
    std::vector<uint64_t> mine = common;
    std::vector<uint64_t> theirs = common;
    // Terms behind the fork come from two disjoint sets, as two leaders never share one.
    uint64_t a = term + 1;
    uint64_t b = term + 2;
    for (uint64_t i = random.below(30); i > 0; --i) theirs.push_back(b += 2 * random.below(2));
    for (uint64_t i = random.below(30); i > 0; --i) mine.push_back(a += 2 * random.below(2));
    const uint64_t now = std::max({term, mine.empty() ? 0 : mine.back(), theirs.empty() ? 0 : theirs.back()});
    Cluster c;
    c.add(1, c.disk_of({1, 2, 3}, mine, now));
    c.add(2, c.disk_of({1, 2, 3}, theirs, now));
    c.add(3, c.disk_of({1, 2, 3}, {}, 0));
    c.isolate(2);
    c.timeout(1);
    c.deliver_all();
    REQUIRE(c.raft(1).role() == Role::leader);
    c.heal();
    std::set<uint64_t> distinct(theirs.begin(), theirs.end());
    distinct.insert(mine.begin(), mine.end());
    size_t trips = 0;
    while (c.terms(2) != c.terms(1) && trips < 100) {
      c.deliver(1, 2);
      c.deliver(2, 1);
      ++trips;
    }
    CHECK_MESSAGE(trips <= distinct.size() + 3, "round " << round);
  }
}

TEST_CASE("HAZARDS B10: a follower 10,000 entries behind is found in a few steps") {
  std::vector<uint64_t> mine(10'000);
  for (size_t i = 0; i < mine.size(); ++i) mine[i] = 1 + i / 500;  // twenty terms
  Cluster c;
  c.add(1, c.disk_of({1, 2, 3}, mine, 30));
  c.add(3, c.disk_of({1, 2, 3}, mine, 30));
  c.timeout(1);
  c.deliver_all();
  REQUIRE(c.raft(1).role() == Role::leader);
  c.add(2, c.disk_of({1, 2, 3}, {1, 1, 1}, 1));
  c.step(1, PeerConnected{NodeId{2}});
  for (int trip = 0; trip < 6; ++trip) {
    c.deliver(1, 2);
    c.deliver(2, 1);
  }
  CHECK(c.raft(2).log().last_index() == c.raft(1).log().last_index());
}

TEST_CASE("section 5.3, HAZARDS B2: only the first entry that conflicts truncates") {
  Cluster c;
  lone(c, {1, 1, 1}, 2);
  c.receive(1, 2, append(2, 1, 1, entries(2, {1})));  // all of it is there already
  CHECK(c.raft(1).log().last_index() == Index{3});
  c.receive(1, 2, append(2, 0, 0, {}));
  CHECK(c.raft(1).log().last_index() == Index{3});
  c.receive(1, 2, append(2, 1, 1, entries(2, {1, 2})));
  CHECK(c.terms(1) == std::vector<uint64_t>{1, 1, 2});
  c.receive(1, 2, append(2, 1, 1, entries(2, {1})));  // the first one again, late
  CHECK(c.terms(1) == std::vector<uint64_t>{1, 1, 2});
}

TEST_CASE("section 5.3: what does not follow the log is refused, with a hint") {
  Cluster c;
  lone(c, {1, 2, 2, 2}, 3);
  c.receive(1, 2, append(3, 9, 3));
  const auto* reply = c.last<AppendEntriesReply>(1, 2);
  CHECK_FALSE(reply->success);
  CHECK(reply->rejected_index == Index{9});
  CHECK(reply->conflict_index == Index{5});
  CHECK(reply->conflict_term == Term{0});
  c.receive(1, 2, append(3, 4, 3));
  reply = c.last<AppendEntriesReply>(1, 2);
  CHECK_FALSE(reply->success);
  CHECK(reply->rejected_index == Index{4});
  CHECK(reply->conflict_index == Index{2});
  CHECK(reply->conflict_term == Term{2});
  CHECK(reply->match_index == Index{0});
}

TEST_CASE("entries that are no leader's log are ignored whole") {
  const auto ignored = [](AppendEntries message) {
    Cluster c;
    lone(c, {1}, 3);
    c.receive(1, 2, std::move(message));
    return c.raft(1).log().last_index() == Index{1} && c.link(1, 2).empty() && c.raft(1).leader_id() == kNobody;
  };
  CHECK(ignored(append(3, 1, 1, entries(3, {3}))));                   // a hole
  CHECK(ignored(append(3, 1, 1, {entry_of(2, 3), entry_of(2, 3)})));  // twice the same
  CHECK(ignored(append(3, 1, 1, entries(2, {3, 2}))));                // terms fall
  CHECK(ignored(append(3, 1, 1, entries(2, {4}))));                   // of a term to come
  CHECK(ignored(append(3, UINT64_MAX, 1, {})));
  CHECK(ignored(append(3, 1, 4, {})));
  Entry bad = entry_of(2, 3, "no configuration");
  bad.kind = EntryKind::configuration;
  CHECK(ignored(append(3, 1, 1, {bad})));
}

TEST_CASE("HAZARDS B5: the hint of a refusal is no match, however far it points") {
  Cluster c;
  lead(c, {1, 1, 1}, 2);
  for (const uint64_t rejected : {3, 9}) {
    AppendEntriesReply refusal{.term = Term{2},
                               .rejected_index = Index{rejected},
                               .conflict_index = Index{UINT64_MAX},
                               .conflict_term = Term{1}};
    c.receive(1, 2, refusal);
    c.receive(1, 3, refusal);
    for (const PeerStatus& peer : c.raft(1).peers()) CHECK(peer.match_index == Index{0});
    CHECK(c.raft(1).commit_index() == Index{0});
  }
}

TEST_CASE("a refusal from nowhere does not move a pipelined follower") {
  Cluster c;
  lead(c, {}, 1);
  c.receive(1, 2, accepted(1, 1));
  CHECK(c.raft(1).peers()[0].state == ProgressState::replicate);
  AppendEntriesReply refusal{
      .term = Term{1}, .rejected_index = Index{uint64_t{1} << 40}, .conflict_index = Index{uint64_t{1} << 40}};
  c.receive(1, 2, refusal);
  CHECK(c.raft(1).peers()[0].state == ProgressState::replicate);
  CHECK(c.raft(1).peers()[0].match_index == Index{1});
}

TEST_CASE("an acknowledgement of more than was sent is not believed") {
  Cluster c;
  lead(c, {}, 1);
  c.receive(1, 2, accepted(1, 50));
  CHECK(c.raft(1).commit_index() == Index{0});
}

TEST_CASE("HAZARDS B11: after a reconnect one probe goes, and replication resumes when it fits") {
  Cluster c;
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  for (int i = 0; i < 10; ++i) c.propose(1, "v" + std::to_string(i));
  c.drop(1, 2);  // the connection breaks with ten messages under way
  c.step(1, PeerConnected{NodeId{2}});
  CHECK(c.link(1, 2).size() == 1);
  CHECK(c.raft(1).peers()[0].state == ProgressState::probe);
  c.propose(1, "more");
  CHECK(c.link(1, 2).size() == 1);
  c.deliver(1, 2);
  c.deliver(2, 1);
  CHECK(c.raft(1).peers()[0].state == ProgressState::replicate);
  c.deliver_all();
  CHECK(c.converge() == "");
  CHECK(c.raft(2).log().last_index() == Index{12});
}

TEST_CASE("HAZARDS B11: lost at any message, a follower is caught up again by the next heartbeats") {
  for (size_t lost = 0; lost < 6; ++lost) {
    Cluster c;
    c.nodes({1, 2, 3});
    c.timeout(1);
    c.deliver_all();
    for (int i = 0; i < 6; ++i) c.propose(1, "v" + std::to_string(i));
    auto& queue = c.link(1, 2);
    queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(lost));
    c.run(200);
    CHECK(c.raft(2).commit_index() == Index{7});
  }
}

TEST_CASE("HAZARDS B13: messages and bytes in flight are bounded; heartbeats go all the same") {
  Options options = test_options();
  options.max_in_flight_messages = 4;
  options.max_in_flight_bytes = 1000;
  options.max_append_bytes = 300;
  Cluster c(options);
  lead(c, {}, 1);
  c.receive(1, 2, accepted(1, 1));
  clear_links(c);
  for (int i = 0; i < 50; ++i) c.propose(1, std::string(100, 'x'));
  CHECK(c.link(1, 2).size() == 4);
  c.advance(60);
  CHECK(c.link(1, 2).size() == 5);
  CHECK(std::get<AppendEntries>(c.link(1, 2).back()).entries.empty());
  clear_links(c);
  c.receive(1, 2, accepted(1, 5));
  uint64_t bytes = 0;
  for (const MessageBody& body : c.link(1, 2)) {
    uint64_t one = 0;
    for (const Entry& e : std::get<AppendEntries>(body).entries) one += cost(e);
    CHECK(one <= 300);
    bytes += one;
  }
  CHECK(bytes > 0);
  CHECK(bytes <= 1000 + 300);
}

TEST_CASE("one Output sends a follower that lacks much a part of it, and asks for another Output") {
  Options options = test_options();
  options.max_append_bytes = 1'000;
  options.max_in_flight_bytes = 1 << 20;
  Cluster c(options);
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  Raft& raft = *c.at(1).raft;
  for (uint64_t i = 0; i < 100; ++i) raft.step(c.now(), Propose{i, Bytes(std::string(100, 'v'))});
  size_t outputs = 0;
  size_t sent = 0;
  for (bool more = true; more && outputs < 100; ++outputs) {
    const Output output = raft.take_output(c.now());
    more = output.more;
    uint64_t bytes = 0;
    for (const Outbound& message : output.send_now)
      if (const auto* append = std::get_if<AppendEntries>(&message.body); append != nullptr && message.to == NodeId{2})
        for (const Entry& entry : append->entries) {
          bytes += cost(entry);
          ++sent;
        }
    CHECK(bytes <= 2 * options.max_append_bytes);
  }
  // Then the bytes in flight to it are as many as may be.
  CHECK(sent > 20);
  CHECK(outputs > 2);
}

TEST_CASE("HAZARDS B13: an entry larger than all limits still goes, alone") {
  Options options = test_options();
  options.max_append_bytes = 100;
  options.max_in_flight_bytes = 100;
  Cluster c(options);
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  c.propose(1, std::string(10'000, 'x'));
  c.propose(1, "y");
  c.deliver_all();
  CHECK(c.converge() == "");
  CHECK(c.values(2).size() == 2);
}

TEST_CASE("beyond the limit of uncommitted bytes a proposal is refused, and taken again when some committed") {
  Options options = test_options();
  options.max_uncommitted_bytes = 1000;
  Cluster c(options);
  lead(c, {}, 1);
  c.receive(1, 2, accepted(1, 1));
  uint64_t taken = 0;
  while (taken < 100 && c.proposal(c.propose(1, std::string(100, 'x'))).refusal == Refusal::none) ++taken;
  CHECK(taken > 3);
  CHECK(taken < 10);
  CHECK(c.proposal(c.propose(1, std::string(100, 'x'))).refusal == Refusal::overloaded);
  c.receive(1, 2, accepted(1, 1 + taken));
  CHECK(c.raft(1).commit_index() == Index{1 + taken});
  CHECK(c.proposal(c.propose(1, "y")).refusal == Refusal::none);
}

TEST_CASE("a leader whose disk lags behind its followers' refuses proposals: its backlog has a bound") {
  Options options = test_options();
  options.max_uncommitted_bytes = 1000;
  Cluster c(options);
  lead(c, {}, 1);
  c.at(1).hold_sync = true;
  uint64_t last = 1;
  for (const Id other : {2, 3}) c.receive(1, other, accepted(1, last));
  bool refused = false;
  for (int i = 0; i < 100 && !refused; ++i) {
    refused = c.proposal(c.propose(1, std::string(100, 'x'))).refusal == Refusal::overloaded;
    if (refused) break;
    ++last;
    for (const Id other : {2, 3}) c.receive(1, other, accepted(1, last));
  }
  CHECK(refused);
  CHECK(c.raft(1).commit_index() == Index{last});
  c.at(1).hold_sync = false;
  c.release_sync(1);
  CHECK(c.proposal(c.propose(1, "y")).refusal == Refusal::none);
}

TEST_CASE("cluster time never goes back, whoever leads and whatever its clock says") {
  Cluster c;
  c.nodes({1, 2, 3});
  c.at(1).skew = 5'000'000;
  c.at(2).skew = 7;
  for (const Id id : {1, 2, 3, 1}) {
    c.at(id).skew += 10;
    for (int i = 0; i < 5 && c.leader() != id; ++i) {
      if (const Id lead = c.leader(); lead != 0) c.transfer(lead, id);
      c.run(300);
      if (c.leader() == 0) c.timeout(id);
    }
    if (c.leader() != 0) c.propose(c.leader(), "v");
    c.run(100);
  }
  CHECK(c.converge() == "");
  Millis before = 0;
  for (const Entry& e : c.committed()) {
    CHECK(e.time_ms >= before);
    before = e.time_ms;
  }
  CHECK(before < 100'000);
}

TEST_CASE("entries leave the cache when they are old, a bounded number at a time, and are loaded for who lacks them") {
  Options options = test_options();
  options.log_cache_ms = 20;
  options.trailing_entries = 10'000;
  Cluster c(options);
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  c.isolate(3);
  for (int i = 0; i < 3'000; ++i) c.propose(1, "v");
  c.deliver_all();
  const uint64_t all = c.raft(1).log().cached_bytes();
  CHECK(all > 3'000 * 20);
  // Followers are woken for it by their owner, not by a message.
  for (const Id id : {1, 2}) {
    Raft& raft = *c.at(id).raft;
    const Millis begun = raft.cache_trim_at();
    uint64_t before = raft.log().cached_bytes();
    (void)raft.take_output(begun);
    CHECK(raft.log().cached_bytes() == before);  // they came since it looked last
    for (int output = 0; output < 20 && before != 0; ++output) {
      REQUIRE(raft.cache_trim_at() <= begun + 40);
      (void)raft.take_output(raft.cache_trim_at());
      CHECK(before - raft.log().cached_bytes() <= all / 2);
      before = raft.log().cached_bytes();
    }
    CHECK(raft.cache_trim_at() == kNever);
  }
  CHECK(c.raft(1).log().cached_bytes() == 0);
  CHECK(c.raft(2).log().cached_bytes() == 0);
  // What is not on the disk yet, or not handed out, stays.
  c.propose(1, "new");
  CHECK(c.raft(1).log().cached_bytes() != 0);
  c.heal();
  c.run(2'000);
  CHECK(c.converge() == "");
  CHECK(c.raft(3).log().last_index() == c.raft(1).log().last_index());
}

TEST_CASE("entries behind the cache are asked for once at a time, and sent when they come") {
  Options options = test_options();
  options.log_cache_bytes = 1;
  options.max_append_bytes = 200;
  options.trailing_entries = 1000;
  Cluster c(options);
  c.nodes({1, 2, 3});
  c.timeout(1);
  c.deliver_all();
  c.isolate(3);
  for (int i = 0; i < 20; ++i) {
    c.propose(1, "v" + std::to_string(i));
    c.deliver_all();
  }
  CHECK(c.raft(1).log().cached_bytes() < 200);
  c.at(1).hold_loads = true;
  c.heal();
  c.run(120);
  REQUIRE(c.at(1).load.has_value());
  CHECK(c.at(1).load->first == Index{2});
  CHECK(c.at(1).loads == 1);
  // Nothing there: asked again, not stuck.
  c.answer_load(1, true);
  c.run(60);
  REQUIRE(c.at(1).load.has_value());
  c.at(1).hold_loads = false;
  c.answer_load(1);
  CHECK(c.converge() == "");
  CHECK(c.values(3).size() == 20);
}

TEST_CASE("two followers that lack much take turns with the loads") {
  Options options = test_options();
  options.log_cache_bytes = 1;
  options.trailing_entries = 10'000;
  Cluster c(options);
  c.nodes({1, 2, 3, 4, 5});
  c.timeout(1);
  c.deliver_all();
  c.isolate(4);
  c.isolate(5);
  for (int i = 0; i < 2'000; ++i) c.propose(1, std::string(500, 'v'));
  c.deliver_all();
  c.at(1).hold_loads = true;
  c.heal();
  for (int i = 0; i < 1'000 && c.at(1).loads < 8; ++i) {
    c.run(10);
    if (c.at(1).load) c.answer_load(1);
  }
  REQUIRE(c.at(1).loads == 8);
  // A load has some 100 entries.
  for (const Id id : {4, 5}) {
    CHECK(c.raft(id).log().last_index().value > 150);
    CHECK(c.raft(id).log().last_index().value < 1'500);
  }
  c.at(1).hold_loads = false;
  if (c.at(1).load) c.answer_load(1);
  CHECK(c.converge() == "");
}

TEST_CASE("what comes while older entries are loaded to be applied is not all kept in memory") {
  Options options = test_options();
  options.log_cache_bytes = 2'000;
  options.trailing_entries = 10'000;
  Cluster c(options);
  c.recovered_tail = 1;
  lone(c, {1, 1, 1, 1, 1}, 1);
  c.at(1).hold_loads = true;
  uint64_t last = 5;
  for (int i = 0; i < 200; ++i, ++last) c.receive(1, 2, append(2, last, i == 0 ? 1 : 2, entries(last + 1, {2}), last));
  REQUIRE(c.at(1).load.has_value());
  CHECK(c.at(1).load->to_apply);
  CHECK(c.raft(1).log().last_index().value == last);
  CHECK(c.raft(1).log().cached_bytes() <= 3'000);
  c.at(1).hold_loads = false;
  c.answer_load(1);
  c.receive(1, 2, append(2, last, 2, {}, last));
  CHECK(c.raft(1).applied_index().value == last);
  CHECK(c.at(1).applied.size() == last);
}

TEST_CASE("a load that ends after its entries were replaced gives nothing of the old") {
  Options options = test_options();
  options.log_cache_bytes = 1;
  options.trailing_entries = 1000;
  Cluster c(options);
  c.recovered_tail = 1;
  lone(c, {1, 1, 1, 1, 1}, 1);
  c.receive(1, 2, append(2, 5, 1, {}, 2));  // commit 1 and 2
  CHECK(c.raft(1).applied_index() == Index{2});
  c.at(1).hold_loads = true;
  c.receive(1, 2, append(2, 5, 1, {}, 3));
  REQUIRE(c.at(1).load.has_value());
  const LoadEntries wanted = *c.at(1).load;
  // A new leader replaces 4 and 5 while 3 to 5 are read.
  c.receive(1, 3, append(3, 3, 1, entries(4, {3, 3})));
  c.at(1).load.reset();
  c.step(1, EntriesLoaded{entries(3, {1, 1, 1}), wanted.first});
  CHECK(c.raft(1).applied_index() <= Index{3});
  c.at(1).hold_loads = false;
  if (c.at(1).load) c.answer_load(1);
  c.receive(1, 3, append(3, 5, 3, {}, 5));
  CHECK(c.raft(1).applied_index() == Index{5});
  CHECK(c.at(1).applied[3].term == Term{3});
}

TEST_CASE(
    "a load for a follower that ends after the leader was deposed is not applied in place of what was committed") {
  Cluster c;
  c.recovered_tail = 1;
  lead(c, {1, 1, 1, 1}, 2);
  c.at(1).hold_loads = true;
  c.receive(1, 2, AppendEntriesReply{.term = Term{2}, .rejected_index = Index{4}, .conflict_index = Index{1}});
  c.receive(1, 2, accepted(2, 0));
  REQUIRE(c.at(1).load.has_value());
  c.receive(1, 3, append(3, 0, 0, entries(1, {3, 3})));
  c.at(1).load.reset();
  c.step_all(1, {Receive{NodeId{3}, append(3, 2, 3, {}, 2)}, EntriesLoaded{log_of({1, 1, 1, 1}), Index{1}}});
  REQUIRE(c.at(1).applied.size() == 2);
  CHECK(c.at(1).applied[0].term == Term{3});
}
