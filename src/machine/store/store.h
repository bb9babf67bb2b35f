// The key-value store: keys in byte order, each with a value. Keeps its size and its share of the state's digest up to
// date at each change. Bounds are the caller's (command.h).
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
  // What a key counts for in logical_bytes() beside its name and value: about what the containers take.
  static constexpr uint64_t kOverhead = 128;

  struct Item {
    Bytes value;
    // The log index that wrote it since this process has it; 0 when it came by a snapshot. Tells a running snapshot
    // what was there before it; not part of the state.
    raft::Index changed_at;
  };
  using Items = std::map<std::string, Item, std::less<>>;

  // Writes a key and gives back the item it replaced.
  std::optional<Item> set(std::string_view key, Bytes value, raft::Index now);
  // Removes a key and gives back what it was.
  std::optional<Item> erase(std::string_view key);
  // Adds an item of a snapshot; false when the key is there already. Fast when keys come in order.
  bool load(std::string_view key, Bytes value);

  // Valid until the next change.
  [[nodiscard]] const Bytes* get(std::string_view key) const;
  [[nodiscard]] const Items& items() const { return items_; }
  [[nodiscard]] uint64_t logical_bytes() const { return logical_bytes_; }
  [[nodiscard]] uint64_t digest() const { return digest_; }

  // Frees one item of a store that is not used any more, and returns its value's size; nullopt when there is none.
  std::optional<size_t> free_one();

 private:
  void count_in(std::string_view key, const Bytes& value);
  void count_out(std::string_view key, const Bytes& value);

  Items items_;
  uint64_t logical_bytes_ = 0;
  uint64_t digest_ = 0;  // the sum of a hash of each item, so that it does not depend on history
};

}  // namespace wh::machine
