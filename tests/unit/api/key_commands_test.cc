// The debug port's commands on keys as such: KEYS, SCAN and its cursors, RANDOMKEY, UNLINK.
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "api/scan_cursors.h"
#include "fixture.h"

namespace wh::api {
namespace {

using Words = std::vector<std::string>;

using test::array;
using test::bulk;

// The bulk strings of a reply, whatever arrays they are in.
Words bulks_of(const std::string& reply) {
  Words found;
  for (size_t at = 0; at < reply.size();) {
    const size_t end = reply.find("\r\n", at);
    if (reply[at] != '$') {
      at = end + 2;
      continue;
    }
    const size_t size = std::stoul(reply.substr(at + 1, end - at - 1));
    found.push_back(reply.substr(end + 2, size));
    at = end + 2 + size + 2;
  }
  return found;
}

void fill(test::Fronts& fronts, const std::string& prefix, int from, int to, size_t value_bytes = 1) {
  constexpr size_t kMostWords = 1'001;
  while (from < to) {
    Words words{"mset"};
    for (; from < to && words.size() < kMostWords; ++from) {
      words.push_back(prefix + std::to_string(from));
      words.emplace_back(value_bytes, 'v');
    }
    REQUIRE(fronts.command(words) == "+OK\r\n");
  }
}

// All that a scan brings; `turn` runs between its answers.
template <typename Turn>
std::multiset<std::string> scan(test::Fronts& fronts, const Words& options, Turn turn) {
  std::multiset<std::string> keys;
  std::string cursor = "0";
  do {
    Words words{"scan", cursor};
    words.insert(words.end(), options.begin(), options.end());
    Words found = bulks_of(fronts.command(words));
    REQUIRE_FALSE(found.empty());
    cursor = found[0];
    keys.insert(found.begin() + 1, found.end());
    turn();
  } while (cursor != "0");
  return keys;
}
std::multiset<std::string> scan(test::Fronts& fronts, const Words& options) {
  return scan(fronts, options, [] {});
}

}  // namespace

TEST_CASE("KEYS: patterns as in Redis, letters as they are") {
  test::Fronts fronts;
  CHECK(fronts.command({"keys", "*"}) == "*0\r\n");
  CHECK(fronts.command({"mset", "a", "1", "A", "1", "ab", "1", "abc", "1", "b*", "1", "b\\", "1"}) == "+OK\r\n");
  CHECK(fronts.command({"keys", "*"}) == array({"A", "a", "ab", "abc", "b*", "b\\"}));
  CHECK(fronts.command({"keys", "a*"}) == array({"a", "ab", "abc"}));
  CHECK(fronts.command({"keys", "a?"}) == array({"ab"}));
  CHECK(fronts.command({"keys", "[^a]*"}) == array({"A", "b*", "b\\"}));
  CHECK(fronts.command({"keys", "b\\*"}) == array({"b*"}));
  CHECK(fronts.command({"keys", "ab"}) == array({"ab"}));
  CHECK(fronts.command({"keys", ""}) == "*0\r\n");
  CHECK(fronts.command({"keys", std::string(4'097, 'a')}) == "-ERR a pattern has at most 4096 bytes\r\n");
  CHECK(fronts.command({"unlink", "a", "ab", "none"}) == ":2\r\n");
  CHECK(fronts.command({"keys", "a*"}) == array({"abc"}));
}

TEST_CASE("KEYS looks at a bounded number of keys, however large their values are") {
  test::Fronts fronts;
  for (int i = 0; i < 6; ++i) fill(fronts, "large", i, i + 1, 900'000);
  CHECK(bulks_of(fronts.command({"keys", "*"})).size() == 6);
  fill(fronts, "k", 0, 10'000);
  CHECK(bulks_of(fronts.command({"keys", "k*"})).size() == 10'000);
  CHECK(fronts.command({"keys", "k*5"}).starts_with("*"));
  CHECK(fronts.command({"keys", "*5"}).starts_with("-ERR too many keys for KEYS"));
  CHECK(scan(fronts, {"match", "*5", "count", "1000"}).size() == 1'001);
}

TEST_CASE("a pattern may not burn: KEYS refuses it, SCAN answers less at once") {
  test::Fronts fronts;
  Words words{"mset"};
  for (int i = 0; i < 40; ++i) {
    words.push_back(std::string(4'000, 'a') + std::to_string(100 + i));
    words.emplace_back("v");
  }
  REQUIRE(fronts.command(words) == "+OK\r\n");
  std::string pattern;
  for (int i = 0; i < 2'000; ++i) pattern += "*a";
  CHECK(fronts.command({"keys", pattern + "b"}).starts_with("-ERR too many keys for KEYS"));
  CHECK(scan(fronts, {"match", pattern + "*", "count", "100"}).size() == 40);
}

TEST_CASE("SCAN brings each key that stands all the time once, while others come and go") {
  test::Fronts fronts;
  fill(fronts, "stands", 0, 300);
  fill(fronts, "goes", 0, 100);
  int turn = 0;
  const auto change = [&] {
    fronts.command({"unlink", "goes" + std::to_string(turn)});
    fronts.command({"set", "new" + std::to_string(turn), "v"});
    ++turn;
  };
  const std::multiset<std::string> keys = scan(fronts, {"COUNT", "7"}, change);
  for (int i = 0; i < 300; ++i) CHECK(keys.count("stands" + std::to_string(i)) == 1);
  // Of the key at which the scan stands nothing needs to be left.
  CHECK(scan(fronts, {"count", "1", "match", "stands1*"}, [&, at = 0]() mutable {
          fronts.command({"unlink", "stands1" + std::to_string(at++)});
        }).size() >= 56);
}

TEST_CASE("SCAN: its options, and what is refused") {
  test::Fronts fronts;
  fill(fronts, "k", 0, 25);
  CHECK(bulks_of(fronts.command({"scan", "0"})).size() == 11);
  CHECK(scan(fronts, {}).size() == 25);
  CHECK(scan(fronts, {"match", "k1?"}).size() == 10);
  CHECK(scan(fronts, {"Type", "String"}).size() == 25);
  CHECK(fronts.command({"scan", "0", "type", "hash"}) == "*2\r\n$1\r\n0\r\n*0\r\n");
  CHECK(fronts.command({"scan", "0", "count", "5000000000"}).starts_with("*2\r\n$1\r\n0\r\n*25\r\n"));
  for (const Words& words : {Words{"scan", "0", "count"}, Words{"scan", "0", "count", "0"},
                             Words{"scan", "0", "count", "-1"}, Words{"scan", "0", "novalues", "x"}})
    CHECK(fronts.command(words) == "-ERR syntax error\r\n");
  CHECK(fronts.command({"scan", "0", "count", "x"}) == "-ERR value is not an integer or out of range\r\n");
  for (const std::string cursor : {"x", "", "1x", "18446744073709551616"})
    CHECK(fronts.command({"scan", cursor, "count", "0"}) == "-ERR invalid cursor\r\n");
  CHECK(fronts.command({"scan", "12345"}) ==
        "-ERR invalid cursor: this node does not know it, or not any more: start again with SCAN 0\r\n");
  // Asked again, it answers the same.
  const std::string cursor = bulks_of(fronts.command({"scan", "0"}))[0];
  const Words first = bulks_of(fronts.command({"scan", cursor}));
  const Words again = bulks_of(fronts.command({"scan", cursor}));
  CHECK(Words(first.begin() + 1, first.end()) == Words(again.begin() + 1, again.end()));
}

TEST_CASE("scan cursors are bounded: first those that were gone on from are forgotten") {
  ScanCursors cursors;
  const uint64_t slow = cursors.add("slow");
  CHECK(slow < uint64_t{1} << 53);
  CHECK(ScanCursors().add("other") != slow);
  uint64_t fast = cursors.add("fast");
  for (size_t i = 0; i < 3 * ScanCursors::kMost; ++i) {
    REQUIRE(cursors.use(fast) != nullptr);
    fast = cursors.add("fast" + std::to_string(i));
  }
  REQUIRE(cursors.use(slow) != nullptr);
  CHECK(*cursors.use(slow) == "slow");
  // Abandoned ones go too, the oldest first.
  std::vector<uint64_t> abandoned;
  for (size_t i = 0; i <= ScanCursors::kMost; ++i) abandoned.push_back(cursors.add("a"));
  CHECK(cursors.use(slow) == nullptr);
  CHECK(cursors.use(abandoned[0]) == nullptr);
  CHECK(cursors.use(abandoned[1]) != nullptr);
  CHECK(cursors.use(abandoned.back()) != nullptr);
}

TEST_CASE("RANDOMKEY: any key may come, and none that is over") {
  test::Fronts fronts(kLatestVersion);
  CHECK(fronts.command({"randomkey"}) == "$-1\r\n");
  CHECK(fronts.command({"mset", "u", "1", "user:1", "1", "user:2", "1", "user:22", "1", "\xff\xff", "1"}) == "+OK\r\n");
  const Words expected = {"u", "user:1", "user:2", "user:22", "\xff\xff"};
  std::map<std::string, int> seen;
  for (int i = 0; i < 400; ++i) ++seen[bulks_of(fronts.command({"randomkey"})).at(0)];
  CHECK(seen.size() == expected.size());
  for (const std::string& key : expected) CHECK(seen[key] > 0);
  REQUIRE(fronts.command({"del", "u", "user:1", "user:2", "\xff\xff"}) == ":4\r\n");
  CHECK(fronts.command({"randomkey"}) == bulk("user:22"));
  CHECK(fronts.command({"pexpire", "user:22", "5"}) == ":1\r\n");
  fronts.wait(5);
  CHECK(fronts.command({"unlink", "none"}) == ":0\r\n");
  CHECK(fronts.command({"randomkey"}) == "$-1\r\n");
}

}  // namespace wh::api
