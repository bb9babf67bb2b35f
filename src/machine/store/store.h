// The key-value store: keys in byte order, each with a value. Keeps its size and its share of the state's digest up to
// date at each change. The caller checks bounds (command.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "raft/types.h"

namespace wh::machine {

class Store {
 public:
  // What a key adds to logical_bytes() beside its name and value: about what the containers take.
  static constexpr uint64_t kOverhead = 128;

  struct Item {
    Bytes value;
    // The log index that last wrote the key in this process; 0 when a snapshot brought it. Tells a running snapshot
    // what existed before it; not part of the state.
    raft::Index changed_at;
  };
  using Items = std::map<std::string, Item, std::less<>>;

  // Writes a key and returns the item it replaced.
  std::optional<Item> set(std::string_view key, Bytes value, raft::Index now);
  // Removes a key and returns its item.
  std::optional<Item> erase(std::string_view key);
  // Adds an item from a snapshot; false when the key already exists. Fast when keys come in order.
  bool load(std::string_view key, Bytes value);

  // Valid until the next change.
  [[nodiscard]] const Bytes* get(std::string_view key) const;
  [[nodiscard]] const Items& items() const { return items_; }
  [[nodiscard]] uint64_t logical_bytes() const { return logical_bytes_; }
  [[nodiscard]] uint64_t digest() const { return digest_; }

  // Frees one item of a discarded store and returns its value's size; nullopt when there is none.
  std::optional<size_t> free_one();

 private:
  void count_in(std::string_view key, const Bytes& value);
  void count_out(std::string_view key, const Bytes& value);

  Items items_;
  uint64_t logical_bytes_ = 0;
  uint64_t digest_ = 0;  // the sum of each item's hash, so it does not depend on history
};

}  // namespace wh::machine
