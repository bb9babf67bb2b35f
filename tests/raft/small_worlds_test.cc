// Cases small enough to test all of them, or a thousand: pairs of logs, links between servers, elections.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "../rounds.h"
#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

namespace {

using Terms = std::vector<uint64_t>;

// Every log of up to four entries and three terms.
void logs_behind(const Terms& log, std::vector<Terms>& all) {
  all.push_back(log);
  if (log.size() == 4) return;
  for (uint64_t term = log.empty() ? 1 : log.back(); term <= 3; ++term) {
    Terms longer = log;
    longer.push_back(term);
    logs_behind(longer, all);
  }
}

size_t shared(const Terms& a, const Terms& b) {
  size_t count = 0;
  while (count < a.size() && count < b.size() && a[count] == b[count]) ++count;
  return count;
}

// Log matching: whoever has an entry of the same index and term has the same before it. Two logs that part and meet
// again cannot be.
bool can_be(const Terms& a, const Terms& b) {
  for (size_t i = shared(a, b); i < std::min(a.size(), b.size()); ++i)
    if (a[i] == b[i]) return false;
  return true;
}

}  // namespace

TEST_CASE("HAZARDS B10: for every two small logs hints find the place in no more steps than going back one by one") {
  std::vector<Terms> all;
  logs_behind({}, all);
  size_t pairs = 0;
  for (const Terms& mine : all) {
    for (const Terms& theirs : all) {
      if (!can_be(mine, theirs)) continue;
      ++pairs;
      Cluster c;
      c.add(1, c.disk_of({1, 2, 3}, mine, 3));
      c.add(2, c.disk_of({1, 2, 3}, theirs, 3));
      c.add(3, c.disk_of({1, 2, 3}, mine, 3));
      c.clog(1, 2);
      c.timeout(1);
      c.deliver_all();
      REQUIRE(c.raft(1).role() == Role::leader);
      auto& link = c.link(1, 2);
      std::erase_if(link, [](const MessageBody& body) { return std::holds_alternative<RequestVote>(body); });
      CAPTURE(mine);
      CAPTURE(theirs);
      size_t refused = 0;
      uint64_t before = UINT64_MAX;
      while (c.terms(2) != c.terms(1)) {
        const auto* message = c.last<AppendEntries>(1, 2);
        REQUIRE(message != nullptr);
        const uint64_t prev = message->prev_log_index.value;
        REQUIRE(prev < before);  // each step goes back
        before = prev;
        c.deliver(1, 2);
        const auto* reply = c.last<AppendEntriesReply>(2, 1);
        REQUIRE(reply != nullptr);
        // What fits is accepted, what does not is refused, and a hint never counts as a match (B5).
        CHECK(reply->success == (prev <= shared(mine, theirs)));
        if (!reply->success) {
          ++refused;
          CHECK(reply->match_index == Index{});
        }
        c.deliver(2, 1);
        if (c.terms(2) != c.terms(1)) CHECK(c.raft(1).peers()[0].match_index == Index{});
      }
      CHECK(refused <= mine.size() - shared(mine, theirs));
    }
  }
  CHECK(pairs > 300);
}

namespace {

// Whether, with these links left of five servers, somebody commits within ten election timeouts of the old leader's
// end.
bool commits(const std::set<std::pair<Id, Id>>& links) {
  Cluster c;
  c.nodes({1, 2, 3, 4, 5});
  c.run_until([&] { return c.leader() != 0; });
  for (Id a = 1; a <= 5; ++a)
    for (Id b = 1; b <= 5; ++b)
      if (a != b && !links.contains({a, b})) c.cut(a, b);
  c.run(1100);
  const size_t before = c.committed().size();
  return c.run_until(
      [&] {
        for (Id id = 1; id <= 5; ++id)
          if (c.raft(id).role() == Role::leader) c.propose(id, "m");
        return c.committed().size() > before;
      },
      5000);
}

// Three that hear each other both ways.
bool has_majority(const std::set<std::pair<Id, Id>>& links) {
  const auto both = [&](Id a, Id b) { return links.contains({a, b}) && links.contains({b, a}); };
  for (Id x = 1; x <= 5; ++x)
    for (Id y = x + 1; y <= 5; ++y)
      for (Id z = y + 1; z <= 5; ++z)
        if (both(x, y) && both(y, z) && both(x, z)) return true;
  return false;
}

}  // namespace

TEST_CASE("HAZARDS A11: between five servers, whatever links there are, three that see each other commit") {
  size_t worlds = 0;
  const unsigned all = 1U << 10U;
  const unsigned last = std::min(wh::testing::rounds(all), all);
  for (unsigned round = 0; round < last; ++round) {
    const unsigned mask = round * 389 % all;  // each once, and of fewer rounds not those of a kind
    std::set<std::pair<Id, Id>> links;
    unsigned bit = 0;
    for (Id a = 1; a <= 5; ++a) {
      for (Id b = a + 1; b <= 5; ++b) {
        if ((mask >> bit++ & 1U) == 0) continue;
        links.insert({a, b});
        links.insert({b, a});
      }
    }
    if (!has_majority(links)) continue;
    ++worlds;
    CHECK_MESSAGE(commits(links), "mask " << mask);
  }
  CHECK((last == all ? worlds == 636 : worlds > 0));
}

TEST_CASE("HAZARDS A11: the same where others hear, or are heard, one way only") {
  Prng random(11);
  for (unsigned round = 0, last = wh::testing::rounds(150); round < last; ++round) {
    std::set<std::pair<Id, Id>> links;
    // Three see each other, and of the other links each way is there or not.
    const Id out = random.between(1, 5);
    const Id also = (out + random.below(4)) % 5 + 1;
    for (Id a = 1; a <= 5; ++a)
      for (Id b = 1; b <= 5; ++b)
        if (a != b && ((a != out && a != also && b != out && b != also) || random.below(2) == 0)) links.insert({a, b});
    CHECK(has_majority(links));
    CHECK_MESSAGE(commits(links), "round " << round);
  }
}

TEST_CASE("HAZARDS A13: a thousand elections take few rounds") {
  for (const bool five : {false, true}) {
    std::vector<uint64_t> rounds;
    std::vector<Millis> times;
    const std::vector<Id> ids = five ? std::vector<Id>{1, 2, 3, 4, 5} : std::vector<Id>{1, 2, 3};
    Cluster c;
    c.nodes(ids);
    const auto settled = [&] { return c.leader() != 0 && c.raft(c.leader()).leads_for_certain(); };
    REQUIRE(c.run_until(settled));
    const size_t elections = wh::testing::rounds(five ? 100 : 1000);
    for (size_t i = 0; i < elections; ++i) {
      const Id old = c.leader();
      const Term term = c.raft(old).current_term();
      c.crash(old);
      const Millis began = c.now();
      REQUIRE(c.run_until(settled));
      rounds.push_back(c.raft(c.leader()).current_term().value - term.value);
      times.push_back(c.now() - began);
      c.start(old);
      c.run(100);
    }
    std::sort(rounds.begin(), rounds.end());
    std::sort(times.begin(), times.end());
    CHECK(rounds[elections / 2] == 1);
    CHECK(rounds[elections * 99 / 100] <= 3);
    CHECK(times[elections / 2] < 1'000);  // two election timeouts
    CHECK(times[elections * 99 / 100] < 5'000);
  }
}

TEST_CASE("HAZARDS A14: indices and terms at the end of what numbers can say are refused, or believed no further") {
  const uint64_t limit = kLimit;
  for (const uint64_t number : {limit, limit + 1, uint64_t{1} << 63, UINT64_MAX - 1, UINT64_MAX}) {
    Cluster c;
    lead(c, {1}, 5);
    const auto untouched = [&] {
      return c.raft(1).role() == Role::leader && c.raft(1).current_term() == Term{5} &&
             c.raft(1).commit_index() == Index{} && c.raft(1).log().last_index() == Index{2};
    };
    // Of a term that cannot be: every message.
    c.receive(1, 2, ask(number, 9, number));
    c.receive(1, 2, ask(number, 9, number, true));
    c.receive(1, 2, grant(number));
    c.receive(1, 2, grant(number, true));
    c.receive(1, 2, append(number, 1, 1));
    c.receive(1, 2, accepted(number, 2));
    c.receive(1, 2, InstallSnapshot{.term = Term{number}, .data = {}});
    c.receive(1, 2, InstallSnapshotReply{.term = Term{number}});
    c.receive(1, 2, TimeoutNow{.term = Term{number}});
    c.receive(1, 2, ReadIndexRequest{.term = Term{number}});
    c.receive(1, 2, ReadIndexReply{.term = Term{number}});
    CHECK(untouched());
    // Of our own term, about entries that cannot be.
    c.receive(1, 2, accepted(5, number));
    c.receive(1, 2,
              AppendEntriesReply{.term = Term{5},
                                 .rejected_index = Index{number},
                                 .conflict_index = Index{number},
                                 .conflict_term = Term{number}});
    c.receive(1, 2, AppendEntriesReply{.term = Term{5}, .conflict_index = Index{number}});
    c.receive(
        1, 2,
        InstallSnapshotReply{.term = Term{5}, .index = Index{number}, .installed = true, .match_index = Index{number}});
    c.receive(1, 2, ReadIndexReply{.term = Term{5}, .token = number, .index = Index{number}});
    CHECK(untouched());
    Cluster f;
    lone(f, {1}, 5);
    f.receive(1, 2, append(5, number, 1));
    f.receive(1, 2, append(5, 1, 1, {}, number));
    CHECK(f.raft(1).commit_index() == Index{1});
    CHECK(f.raft(1).log().last_index() == Index{1});
    f.receive(1, 3, ask(6, number, number, true));
    CHECK(f.raft(1).current_term() == Term{5});
  }
}
