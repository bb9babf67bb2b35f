// The key-value store: keys in byte order, each with its item, and the leases that items may belong to. Keeps its size,
// its deadlines and its share of the state's digest up to date at each change. The caller checks bounds (command.h);
// StoreOps decides what an entry changes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "machine/store/item.h"
#include "machine/store/key_index.h"
#include "raft/types.h"

namespace wh::machine {

class Store {
 public:
  // What a key adds to logical_bytes() beside its name and value: about what the containers take. A content type adds
  // its own bytes, and an item with any extra the second, with a deadline or a lease the third; a lease the fourth.
  static constexpr uint64_t kOverhead = 160;
  static constexpr uint64_t kExtraOverhead = 64;
  static constexpr uint64_t kIndexOverhead = 64;
  static constexpr uint64_t kLeaseOverhead = 192;

  using Items = machine::Items;
  using Leases = std::map<uint64_t, Lease>;
  using Dues = std::set<std::pair<Millis, std::string_view>>;
  using LeaseDues = std::set<std::pair<Millis, uint64_t>>;

  // The one change of a key: puts the item in its place, or removes it, and returns what was there. A lease that it
  // names must be there.
  std::optional<Item> exchange(std::string_view key, std::optional<Item> item);
  // The same where the key's item is known to be.
  std::optional<Item> exchange_at(Items::const_iterator place, std::optional<Item> item);
  // The one change of a lease; with a ttl of 0 it is removed, and must hold no keys.
  void set_lease(uint64_t id, Millis ttl, Millis deadline, raft::Index now);

  // Adds an item, or a lease, of a snapshot; false when it is there already. Fast when keys come in order. A lease may
  // come after items that name it: then leases_missing() counts it until it does.
  bool load(std::string_view key, Item item);
  bool load_lease(uint64_t id, Millis ttl, Millis deadline);
  [[nodiscard]] uint64_t leases_missing() const { return leases_missing_; }
  // All items are loaded: index_some() is to bring their keys into the index. Until it has, a key is found more slowly.
  void begin_index() {
    last_loaded_.reset();
    index_.begin_adding(items_);
  }
  // Brings in up to so many keys. True: more are left.
  bool index_some(size_t keys) { return index_.add_some(items_, keys); }
  // For tests: whether all keys are in the index.
  [[nodiscard]] bool all_indexed() const { return index_.complete(); }

  // The entry that raised the cluster to version 4: items that are older count as made and last changed by it. 0: not
  // yet.
  void count_since(raft::Index index) { since_ = index; }
  [[nodiscard]] raft::Index since() const { return since_; }
  [[nodiscard]] bool is_old(const Item& item) const { return item.mod_index < since_ || since_ == raft::Index{}; }
  [[nodiscard]] uint64_t create_index(const Item& item) const { return std::max(item.create_index, since_).value; }
  [[nodiscard]] uint64_t mod_index(const Item& item) const { return std::max(item.mod_index, since_).value; }
  [[nodiscard]] uint64_t version(const Item& item) const { return is_old(item) ? 1 : item.version; }

  // The item of a key, though its time may be over. Valid until the next change.
  [[nodiscard]] const Item* find(std::string_view key) const;
  // The same, as a place in items(); its end when there is none.
  [[nodiscard]] Items::const_iterator place_of(std::string_view key) const;
  // Whether its own time, or its lease's, is over at this stamp and cluster time: then it is as good as removed.
  [[nodiscard]] bool is_over(const Item& item, Millis stamp, Millis now) const;
  [[nodiscard]] const Items& items() const { return items_; }
  [[nodiscard]] const Leases& leases() const { return leases_; }
  [[nodiscard]] const Lease* find_lease(uint64_t id) const;
  // In the order in which they fall due: items by cluster time, leases by stamp.
  [[nodiscard]] const Dues& dues() const { return dues_; }
  [[nodiscard]] const LeaseDues& lease_dues() const { return lease_dues_; }
  [[nodiscard]] uint64_t logical_bytes() const { return logical_bytes_; }
  [[nodiscard]] uint64_t digest() const { return digest_; }
  // What an item adds to logical_bytes().
  [[nodiscard]] static uint64_t logical_bytes_of(std::string_view key, const Item& item);

  // Frees one item of a discarded store and returns its value's size; nullopt when there is none.
  std::optional<size_t> free_one();

 private:
  // An item that is in its place enters, or is about to leave, the indexes.
  void count_in(std::string_view key, Item& item);
  void count_out(std::string_view key, const Item& item);
  [[nodiscard]] uint64_t digest_of(const Item& item) const;

  Items items_;
  std::optional<Items::iterator> last_loaded_;  // until begin_index()
  KeyIndex index_;                              // of items_
  Leases leases_;
  Dues dues_;
  LeaseDues lease_dues_;
  raft::Index since_;
  uint64_t leases_missing_ = 0;
  uint64_t logical_bytes_ = 0;
  uint64_t digest_ = 0;  // the sum of each item's and lease's hash, so it does not depend on history
};

}  // namespace wh::machine
