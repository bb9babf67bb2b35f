#include "machine/store/store.h"

#include <algorithm>
#include <set>
#include <string>

#include <doctest/doctest.h>

using wh::Bytes;
using wh::machine::Item;
using wh::raft::Index;

namespace {

// With the calls of a store of the first version.
struct Plain : wh::machine::Store {
  static Item item_of(Bytes value, Index at = {}) {
    Item item;
    item.value = std::move(value);
    item.mod_index = at;
    return item;
  }
  std::optional<Item> set(std::string_view key, Bytes value, Index at) {
    return exchange(key, item_of(std::move(value), at));
  }
  std::optional<Item> erase(std::string_view key) { return exchange(key, std::nullopt); }
  bool load(std::string_view key, Bytes value) { return wh::machine::Store::load(key, item_of(std::move(value))); }
  [[nodiscard]] const Bytes* get(std::string_view key) const {
    const Item* item = find(key);
    return item == nullptr ? nullptr : &item->value;
  }
};

}  // namespace

TEST_CASE("set and erase give back what they replaced") {
  Plain store;
  CHECK_FALSE(store.set("a", Bytes("1"), Index{5}).has_value());
  const auto old = store.set("a", Bytes("22"), Index{6});
  REQUIRE(old.has_value());
  CHECK(old->value == Bytes("1"));
  CHECK(old->mod_index == Index{5});
  REQUIRE(store.get("a") != nullptr);
  CHECK(*store.get("a") == Bytes("22"));
  CHECK(store.get("b") == nullptr);
  const auto gone = store.erase("a");
  REQUIRE(gone.has_value());
  CHECK(gone->mod_index == Index{6});
  CHECK_FALSE(store.erase("a").has_value());
  CHECK(store.get("a") == nullptr);
}

TEST_CASE("size and digest follow the content, not the way to it") {
  Plain one;
  CHECK(one.logical_bytes() == 0);
  const uint64_t empty = one.digest();
  one.set("a", Bytes("1"), Index{1});
  one.set("b", Bytes("2"), Index{2});
  CHECK(one.logical_bytes() == 2 * (2 + wh::machine::Store::kOverhead));
  Plain other;
  other.set("b", Bytes("long before"), Index{1});
  other.set("c", Bytes("2"), Index{2});
  other.set("b", Bytes("2"), Index{3});
  other.erase("c");
  CHECK(other.digest() != one.digest());
  REQUIRE(other.load("a", Bytes("1")));
  CHECK(other.digest() == one.digest());
  CHECK(other.logical_bytes() == one.logical_bytes());
  one.set("a", Bytes("2"), Index{3});
  one.set("b", Bytes("1"), Index{4});
  CHECK(one.digest() != other.digest());  // values swapped
  one.erase("a");
  one.erase("b");
  CHECK(one.digest() == empty);
  CHECK(one.logical_bytes() == 0);
}

TEST_CASE("the bounds between key and value count in the digest") {
  Plain one;
  one.set("ab", Bytes("c"), Index{1});
  Plain other;
  other.set("a", Bytes("bc"), Index{1});
  CHECK(one.digest() != other.digest());
  Plain empty_value;
  empty_value.set("a", Bytes(), Index{1});
  CHECK(empty_value.digest() != Plain().digest());
}

TEST_CASE("load takes keys in any order, each once") {
  Plain store;
  CHECK(store.load("m", Bytes("1")));
  CHECK(store.load("z", Bytes("2")));
  CHECK(store.load("a", Bytes("3")));
  const uint64_t digest = store.digest();
  CHECK_FALSE(store.load("m", Bytes("4")));
  CHECK_FALSE(store.load("z", Bytes("4")));
  CHECK(store.digest() == digest);
  CHECK(*store.get("m") == Bytes("1"));
  CHECK(store.items().begin()->first == "a");
  // In order, with some that come before their time, as in a snapshot beside writes.
  std::set<std::string> keys{"a", "m", "z"};
  for (const char* const key : {"b", "c", "x", "d", "e", "y", "w", "f", "n", "xx", "zz", "0"}) {
    CHECK(store.load(key, Bytes("5")));
    keys.insert(key);
    CHECK_FALSE(store.load(key, Bytes("6")));
  }
  Plain moved = std::move(store);
  CHECK(moved.load("g", Bytes("5")));
  keys.insert("g");
  CHECK(std::equal(keys.begin(), keys.end(), moved.items().begin(), moved.items().end(),
                   [](const std::string& key, const auto& item) { return key == item.first; }));
  moved.begin_index();
  while (moved.index_some(2)) {
  }
  for (const std::string& key : keys) CHECK(moved.find(key) != nullptr);
}
