// When the index of the keys shrank, a bucket that was joined with another kept what it held; when the index grew
// again, that counted as the bucket's own. A key could be in the index twice: deleted, it was found again, in freed
// memory.
#include <string>

#include <doctest/doctest.h>

#include "machine/store/key_index.h"

namespace wh::machine {
namespace {

struct Indexed {
  void add(uint64_t number) { index.add(tree.try_emplace("key:" + std::to_string(number)).first); }
  void remove(uint64_t number) {
    const auto place = tree.find("key:" + std::to_string(number));
    index.remove(place, tree.end());
    tree.erase(place);
  }
  // Each key of the tree, and no other, of those below `most`.
  void check(uint64_t most) const {
    for (uint64_t n = 0; n < most; ++n) {
      const std::string key = "key:" + std::to_string(n);
      const auto found = index.find(key);
      const bool there = tree.find(key) != tree.end();
      REQUIRE_MESSAGE(found.has_value() == there, key);
      if (found) REQUIRE((*found)->first == key);
    }
  }
  Items tree;
  KeyIndex index;
};

}  // namespace

TEST_CASE("an index that shrinks to within a segment and grows again forgets what was removed") {
  Indexed all;
  constexpr uint64_t kMost = 1'280;
  constexpr uint64_t kMuch = 5'000;
  // Shrunk to each number of buckets of a segment, not only to whole segments.
  for (uint64_t least = 300; least < 600; least += 7) {
    for (uint64_t n = 0; n < kMost; ++n) all.add(n);
    REQUIRE(all.index.buckets() == 2 * KeyIndex::kFewestBuckets);
    for (uint64_t n = kMost; n-- > least;) all.remove(n);
    REQUIRE(all.index.buckets() < 2 * KeyIndex::kFewestBuckets);
    all.check(kMost);
    for (uint64_t n = least; n < kMuch; ++n) all.add(n);
    CHECK(all.index.complete());
    all.check(kMuch);
    // Every other first: the buckets hold both.
    for (uint64_t n = 0; n < kMuch; n += 2) all.remove(n);
    all.check(kMuch);
    for (uint64_t n = 1; n < kMuch; n += 2) all.remove(n);
    all.check(kMuch);
    CHECK(all.index.left_out() == 0);
  }
}

}  // namespace wh::machine
