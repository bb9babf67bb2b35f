#include "machine/store/key_index.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <doctest/doctest.h>

#include "base/hash.h"
#include "base/prng.h"
#include "machine/store/store.h"

using wh::Bytes;
using wh::machine::Item;
using wh::machine::Items;
using wh::machine::KeyIndex;
using wh::machine::Store;

namespace {

std::string name_of(uint64_t number) { return "key:" + std::to_string(number); }

// A tree with its index, which counts the buckets that each change moves.
struct Indexed {
  void add(const std::string& key) {
    const auto [place, fresh] = tree.try_emplace(key);
    REQUIRE(fresh);
    changing([&] { index.add(place); });
  }
  void remove(const std::string& key) {
    const auto place = tree.find(key);
    changing([&] { index.remove(place); });
    tree.erase(place);
  }
  [[nodiscard]] bool has(const std::string& key) const {
    const auto place = index.find(key);
    return place && *place == tree.find(key);
  }
  template <typename Change>
  void changing(const Change& change) {
    const auto before = static_cast<int64_t>(index.buckets());
    change();
    const int64_t moved = std::abs(static_cast<int64_t>(index.buckets()) - before);
    if (before != 0) most_moved = std::max(most_moved, moved);
  }
  mutable Items tree;
  KeyIndex index;
  int64_t most_moved = 0;
};

Item item_of(std::string value) {
  Item item;
  item.value = Bytes(std::move(value));
  return item;
}

// Keys with one hash, whatever it begins with: hash64 multiplies by the difference of their second word and a constant.
std::string colliding(uint64_t number) {
  constexpr uint64_t kForgets = 0xe7037ed1a0b428dbULL;
  std::string key(24, 'k');
  std::memcpy(key.data(), &number, sizeof number);
  std::memcpy(key.data() + 8, &kForgets, sizeof kForgets);
  return key;
}

}  // namespace

TEST_CASE("an index that expects keys splits no bucket for them, and is made as they come") {
  for (const uint64_t said : {uint64_t{0}, uint64_t{10}, uint64_t{5'000}, uint64_t{1} << 20}) {
    CAPTURE(said);
    Indexed all;
    all.index.expect(said);
    const size_t made = all.index.buckets();
    CHECK(made * 19 >= said * 4);
    CHECK_FALSE(all.index.find("key:0"));
    for (uint64_t n = 0; n < 5'000; ++n) {
      CHECK_FALSE(all.index.find(name_of(n)));
      all.add(name_of(n));
      CHECK(all.has(name_of(n)));
    }
    for (uint64_t n = 0; n < 5'000; ++n) CHECK_MESSAGE(all.has(name_of(n)), n);
    CHECK((said < 5'000 || all.index.buckets() == made));
    // More than it expected, and less.
    for (uint64_t n = 5'000; n < 12'000; ++n) all.add(name_of(n));
    for (uint64_t n = 0; n < 12'000; ++n) {
      CHECK_MESSAGE(all.has(name_of(n)), n);
      all.remove(name_of(n));
      CHECK_FALSE(all.index.find(name_of(n)));
    }
    CHECK(all.most_moved <= static_cast<int64_t>(KeyIndex::kSteps));
  }
}

TEST_CASE("each key is found while the index grows and shrinks, and no change moves many") {
  Indexed all;
  constexpr uint64_t kMost = 20'000;
  CHECK_FALSE(all.index.find("key:0"));
  for (uint64_t n = 0; n < kMost; ++n) {
    all.add(name_of(n));
    CHECK_MESSAGE((all.has(name_of(n)) && all.has(name_of(n / 2)) && all.has(name_of(n / 3))), n);
    CHECK_FALSE(all.index.find(name_of(n + 1)));
  }
  for (uint64_t n = 0; n < kMost; ++n) CHECK_MESSAGE(all.has(name_of(n)), n);
  CHECK(all.index.complete());
  const size_t most = all.index.buckets();
  CHECK(most >= kMost / 7);
  CHECK(most * 64 <= kMost * 28);  // bytes
  for (uint64_t n = 0; n < kMost; ++n) {
    all.remove(name_of(n));
    CHECK_FALSE(all.index.find(name_of(n)));
    if (n + 1 < kMost) CHECK_MESSAGE((all.has(name_of(n + 1)) && all.has(name_of((n + kMost) / 2))), n);
  }
  CHECK(all.index.buckets() == KeyIndex::kFewestBuckets);
  CHECK(all.index.complete());
  CHECK(all.most_moved == KeyIndex::kSteps);
}

TEST_CASE("one key more and one less do not make it grow and shrink in turn") {
  Indexed all;
  uint64_t n = 0;
  constexpr size_t kGrown = 2 * KeyIndex::kFewestBuckets;
  while (all.index.buckets() < kGrown) all.add(name_of(n++));
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 100; ++i) all.remove(name_of(--n));
    for (int i = 0; i < 100; ++i) all.add(name_of(n++));
    CHECK(all.index.buckets() == kGrown);
  }
}

TEST_CASE("keys chosen to collide are left to the tree, and trouble no others") {
  CHECK(wh::hash64(colliding(1)) == wh::hash64(colliding(2)));
  Indexed all;
  constexpr uint64_t kChosen = 10'000;
  for (uint64_t n = 0; n < 1'000; ++n) all.add(name_of(n));
  for (uint64_t n = 0; n < kChosen; ++n) all.add(colliding(n));
  CHECK(all.index.left_out() >= kChosen - 14);
  CHECK(all.most_moved <= static_cast<int64_t>(KeyIndex::kSteps));
  // They make it grow as others do, no further.
  CHECK(all.index.buckets() * 64 <= (kChosen + 1'000) * 28);
  size_t found = 0;
  for (uint64_t n = 0; n < 1'000; ++n) found += all.has(name_of(n)) ? 1 : 0;
  CHECK(found >= 990);  // all but those whose buckets are the full ones
  for (uint64_t n = 0; n < kChosen; ++n) all.remove(colliding(n));
  for (uint64_t n = 0; n < 1'000; ++n) all.remove(name_of(n));
  CHECK(all.index.complete());
  CHECK(all.tree.empty());
}

TEST_CASE("a store finds keys that are left to the tree, changes and removes them") {
  Store store;
  constexpr uint64_t kChosen = 100;
  for (uint64_t n = 0; n < kChosen; ++n) store.exchange(colliding(n), item_of(name_of(n)));
  for (uint64_t n = 0; n < kChosen; ++n) {
    const Item* item = store.find(colliding(n));
    REQUIRE(item != nullptr);
    CHECK(item->value.view() == name_of(n));
    CHECK(store.exchange(colliding(n), item_of("new"))->value.view() == name_of(n));
  }
  CHECK(store.find(colliding(kChosen)) == nullptr);
  CHECK(store.items().size() == kChosen);
  for (uint64_t n = 0; n < kChosen; ++n) {
    CHECK(store.exchange(colliding(n), std::nullopt)->value.view() == "new");
    CHECK(store.find(colliding(n)) == nullptr);
  }
  CHECK(store.digest() == Store().digest());
}

TEST_CASE("a store finds what a walk of its tree finds, whatever was done to it") {
  Store store;
  wh::Prng prng(7);
  constexpr uint64_t kNames = 6'000;
  for (int step = 0; step < 60'000; ++step) {
    // Long runs of more keys, then of fewer.
    const bool more = (prng.below(4) != 0) == (step / 15'000 % 2 == 0);
    const std::string key = prng.below(50) == 0 ? colliding(prng.below(100)) : name_of(prng.below(kNames));
    const auto in_tree = store.items().find(key);
    REQUIRE(store.place_of(key) == in_tree);
    const bool was = in_tree != store.items().end();
    const auto old = store.exchange(key, more ? std::optional(item_of("v")) : std::nullopt);
    REQUIRE(old.has_value() == was);
    REQUIRE((store.find(key) != nullptr) == more);
  }
  size_t found = 0;
  for (const auto& [key, item] : store.items()) found += store.find(key) == &item ? 1 : 0;
  CHECK(found == store.items().size());
}
