#include "raft/log.h"

#include <map>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "support.h"

using namespace wh;
using namespace wh::raft;
using namespace wh::raft::test;

namespace {
Log filled(const std::vector<uint64_t>& terms) {
  Log log;
  for (const Entry& e : log_of(terms)) log.append(e);
  return log;
}
Entry change(uint64_t index, uint64_t term, const Configuration& configuration) {
  Entry e = entry_of(index, term, configuration.encode());
  e.kind = EntryKind::configuration;
  return e;
}
}  // namespace

TEST_CASE("an empty log ends at index 0, of term 0") {
  const Log log;
  CHECK(log.last_index() == Index{0});
  CHECK(log.last_term() == Term{0});
  CHECK(log.term_at(Index{0}) == Term{0});
  CHECK_FALSE(log.term_at(Index{1}).has_value());
  CHECK(log.configuration().empty());
}

TEST_CASE("terms are known for every kept entry, and for the one before the first") {
  Log log = filled({1, 1, 2, 2, 5});
  CHECK(log.term_at(Index{3}) == Term{2});
  CHECK(log.first_of_term_at(Index{4}) == Index{3});
  log.compact(Index{3});
  CHECK(log.term_at(Index{3}) == Term{2});
  CHECK_FALSE(log.term_at(Index{2}).has_value());
  CHECK(log.first_of_term_at(Index{4}) == Index{4});
  CHECK(log.last_term() == Term{5});
  log.compact(Index{5});
  CHECK(log.last_term() == Term{5});
  CHECK(log.last_index() == Index{5});
}

TEST_CASE("a log does the same as a plain list, whatever is appended, truncated and compacted") {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Prng random(seed);
    Log log;
    std::map<uint64_t, uint64_t> plain;  // index to term
    uint64_t base = 0;
    uint64_t base_term = 0;
    uint64_t last = 0;
    uint64_t term = 1;
    for (int i = 0; i < 200; ++i) {
      switch (random.below(6)) {
        case 0:
          if (last > base) {
            const uint64_t from = base + 1 + random.below(last - base);
            log.truncate_from(Index{from});
            plain.erase(plain.lower_bound(from), plain.end());
            last = from - 1;
          }
          break;
        case 1:
          if (last > base && random.below(4) == 0) {
            const uint64_t to = base + 1 + random.below(last - base);
            log.compact(Index{to});
            base_term = plain.at(to);
            base = to;
            plain.erase(plain.begin(), plain.upper_bound(to));
          }
          break;
        case 2:
          log.trim_cache(random.below(500), Index{base + random.below(last - base + 1)});
          break;
        default:
          term += random.below(3) == 0 ? 1 : 0;
          log.append(entry_of(++last, term));
          plain[last] = term;
      }
      REQUIRE(log.last_index() == Index{last});
      REQUIRE(log.base_index() == Index{base});
      REQUIRE(log.last_term() == Term{plain.empty() ? base_term : plain.rbegin()->second});
      for (const auto& [index, expected] : plain) {
        REQUIRE(log.term_at(Index{index}) == Term{expected});
        if (log.cached(Index{index})) REQUIRE(log.at(Index{index}).term == Term{expected});
      }
      const uint64_t asked = random.below(term + 2);
      const uint64_t limit = base + random.below(last - base + 1);
      uint64_t answer = base;
      for (const auto& [index, here] : plain)
        if (index <= limit && here <= asked) answer = index;
      REQUIRE(log.last_not_after_term(Term{asked}, Index{limit}) == Index{answer});
    }
  }
}

TEST_CASE("the cache gives up its oldest entries, but none that may still be needed") {
  Log log = filled({1, 1, 1, 1, 1, 1, 1, 1});
  const uint64_t all = log.cached_bytes();
  log.trim_cache(0, Index{0});
  CHECK(log.cached_bytes() == all);
  log.trim_cache(0, Index{3});
  CHECK_FALSE(log.cached(Index{3}));
  CHECK(log.cached(Index{4}));
  CHECK(log.slice(Index{3}, Index{8}, UINT64_MAX).empty());
  CHECK(log.slice(Index{4}, Index{8}, UINT64_MAX).size() == 5);
  CHECK(log.slice(Index{4}, Index{5}, UINT64_MAX).size() == 2);
  CHECK(log.slice(Index{4}, Index{8}, 1).size() == 1);
  log.trim_cache(0, Index{8});
  CHECK(log.cached_bytes() == 0);
  CHECK(log.term_at(Index{2}) == Term{1});
}

TEST_CASE("what a compaction removes leaves the cache a bounded number at a time") {
  Log log = filled(std::vector<uint64_t>(5'000, 1));
  log.compact(Index{4'900});
  size_t trims = 1;
  for (Index before = log.cached_from(); before <= Index{4'900}; before = log.cached_from(), ++trims) {
    log.trim_cache(UINT64_MAX, Index{5'000});
    REQUIRE(log.cached_from() > before);
    REQUIRE(log.cached_from() <= before + 1'000);
  }
  CHECK(trims <= 6);
  CHECK(log.cached_from() == Index{4'901});
}

TEST_CASE(
    "HAZARDS D3, D4: a configuration is in force when appended and goes back when truncated, also after compaction") {
  Log log;
  log.append(change(1, 1, configuration_of({1})));
  log.append(entry_of(2, 1));
  log.append(change(3, 1, configuration_of({1, 2})));
  log.append(change(4, 1, configuration_of({1, 2, 3})));
  CHECK(log.configuration().voters() == 3);
  CHECK(log.configuration_at(Index{3}).configuration.voters() == 2);
  log.compact(Index{3});
  log.truncate_from(Index{4});
  CHECK(log.configuration().voters() == 2);
  CHECK(log.configuration_index() == Index{3});
}

TEST_CASE("HAZARDS D5: a snapshot in place of the log leaves its configuration only") {
  Log log;
  log.append(change(1, 1, configuration_of({1, 2, 3, 4})));
  log.reset({.index = Index{9},
             .term = Term{4},
             .configuration_index = Index{7},
             .configuration = configuration_of({1, 2}),
             .time_ms = 55});
  CHECK(log.configuration() == configuration_of({1, 2}));
  CHECK(log.configuration_index() == Index{7});
  CHECK(log.last_index() == Index{9});
  CHECK(log.last_term() == Term{4});
  CHECK(log.last_time_ms() == 55);
  log.append(entry_of(10, 4));
  CHECK(log.term_at(Index{9}) == Term{4});
}

TEST_CASE("thesis 4.2.2: whoever is a voter in any configuration that may still count is found") {
  Log log;
  log.append(change(1, 1, configuration_of({1})));
  log.append(change(2, 1, configuration_of({1, 2})));
  log.append(change(3, 1, configuration_of({1})));
  CHECK(log.names_voter_since(Index{1}, NodeId{2}));
  CHECK(log.names_voter_since(Index{2}, NodeId{2}));
  CHECK_FALSE(log.names_voter_since(Index{3}, NodeId{2}));
  CHECK(log.names_voter_since(Index{3}, NodeId{1}));
  CHECK_FALSE(log.names_voter_since(Index{0}, NodeId{9}));
}

TEST_CASE("a recovered log knows all terms and holds its newest entries") {
  Disk disk;
  disk.genesis = configuration_of({1});
  disk.log = log_of({1, 1, 2, 3, 3});
  const Log log(disk.recover(2).log);
  CHECK(log.last_index() == Index{5});
  CHECK(log.term_at(Index{2}) == Term{1});
  CHECK_FALSE(log.cached(Index{3}));
  CHECK(log.at(Index{4}).term == Term{3});
  CHECK(log.configuration().is_voter(NodeId{1}));
}

TEST_CASE("after a truncation the last stamp is that of the entry that is last, cached or not") {
  Log log;
  for (uint64_t i = 1; i <= 6; ++i) {
    Entry entry = entry_of(i, 1, "value");
    entry.time_ms = i * 1'000;
    log.append(std::move(entry));
  }
  log.trim_cache(0, Index{3});
  log.truncate_from(Index{6});
  CHECK(log.last_time_ms() == 5'000);
  log.truncate_from(Index{4});  // nothing is cached any more
  CHECK(log.last_time_ms() == 3'000);
  Entry entry = entry_of(4, 2, "other");
  entry.time_ms = 3'500;
  log.append(std::move(entry));
  CHECK(log.last_time_ms() == 3'500);
}
