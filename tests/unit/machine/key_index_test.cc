#include "machine/store/key_index.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

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
    changing([&] { index.remove(place, tree.end()); });
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

TEST_CASE("keys that were left out are added bit by bit, while others come and go") {
  for (const uint64_t step : {uint64_t{1}, uint64_t{15}, uint64_t{16}, uint64_t{100}, uint64_t{100'000}}) {
    CAPTURE(step);
    Indexed all;
    constexpr uint64_t kLoaded = 5'000;
    for (uint64_t n = 0; n < kLoaded; ++n) {
      all.tree.try_emplace(name_of(n));
      all.index.leave_out();
      CHECK_FALSE(all.index.find(name_of(n)));
    }
    CHECK_FALSE(all.index.complete());
    all.index.begin_adding(all.tree);
    const size_t made = all.index.buckets();
    uint64_t fresh = kLoaded;
    uint64_t gone = 0;
    bool more = true;
    while (more) {
      more = all.index.add_some(all.tree, step);
      all.add(name_of(fresh++));  // in the part that is done or in the other
      all.remove(name_of(gone));  // the first, the last, the one that is next
      gone += 1 + gone % 2;
      if (gone >= kLoaded) break;
      for (const uint64_t n : {gone - 1, gone, gone / 2, fresh - 1})
        if (const auto place = all.index.find(name_of(n))) CHECK(*place == all.tree.find(name_of(n)));
    }
    while (all.index.add_some(all.tree, step)) continue;
    CHECK(all.index.complete());
    CHECK(all.index.left_out() == 0);
    for (const auto& [key, item] : all.tree) CHECK_MESSAGE(all.has(key), key);
    CHECK(all.most_moved <= static_cast<int64_t>(KeyIndex::kSteps));
    CHECK((fresh > kLoaded + 200 || all.index.buckets() == made));
    while (!all.tree.empty()) all.remove(all.tree.begin()->first);
    CHECK(all.index.complete());
  }
}

TEST_CASE("a key that goes just when it is the next to be added takes nothing with it") {
  for (const bool last : {false, true}) {
    Indexed all;
    for (uint64_t n = 0; n < 40; ++n) {
      all.tree.try_emplace(name_of(n));
      all.index.leave_out();
    }
    all.index.begin_adding(all.tree);
    const int added = last ? 39 : 20;
    for (int i = 0; i < added; ++i) CHECK(all.index.add_some(all.tree, 1));
    const std::string next = std::next(all.tree.begin(), added)->first;
    CHECK_FALSE(all.index.find(next));
    all.remove(next);
    CHECK(all.index.complete() == last);
    while (all.index.add_some(all.tree, 7)) continue;
    CHECK(all.index.complete());
    for (const auto& [key, item] : all.tree) CHECK_MESSAGE(all.has(key), key);
  }
}

TEST_CASE("keys that were left out can all go before one is added") {
  Indexed all;
  for (const bool begun : {false, true}) {
    for (uint64_t n = 0; n < 10; ++n) {
      all.tree.try_emplace(name_of(n));
      all.index.leave_out();
    }
    if (begun) all.index.begin_adding(all.tree);
    while (!all.tree.empty()) all.remove(all.tree.begin()->first);
    CHECK(all.index.complete());
    CHECK_FALSE(all.index.add_some(all.tree, 5));
  }
  all.add("a");
  CHECK(all.has("a"));
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
  // A third of them come with a snapshot, and are indexed while the rest is done.
  std::vector<std::string> loaded;
  for (uint64_t n = 0; n < kNames; n += 3) loaded.push_back(name_of(n));
  for (uint64_t n = 0; n < 50; ++n) loaded.push_back(colliding(n));
  std::sort(loaded.begin(), loaded.end());
  for (const std::string& key : loaded) REQUIRE(store.load(key, item_of("v")));
  store.begin_index();
  for (int step = 0; step < 60'000; ++step) {
    // Long runs of more keys, then of fewer.
    const bool more = (prng.below(4) != 0) == (step / 15'000 % 2 == 0);
    const std::string key = prng.below(50) == 0 ? colliding(prng.below(100)) : name_of(prng.below(kNames));
    if (step % 8 == 0) store.index_some(1);
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
