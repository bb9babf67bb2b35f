// A key's item, and a lease.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "raft/types.h"

namespace wh::machine {

// What few items have.
struct ItemExtra {
  std::string content_type;  // empty: none was given
  uint64_t lease = 0;        // 0: none; else the item goes with that lease
  Millis expires_at = 0;     // cluster time; 0: never
  friend bool operator==(const ItemExtra&, const ItemExtra&) = default;
};

// The three numbers count as of version 4; before it the second one only tells running snapshots what is younger than
// they are. Of an item that the rise to version 4 found, see Store::create_index and the like.
struct Item {
  Bytes value;
  raft::Index create_index;  // of the entry that made the key
  raft::Index mod_index;     // of the entry that last changed it
  uint64_t version = 0;      // how often it was changed since it was made; 1: never
  uint64_t hash = 0;         // of key and value, once it is in a store
  std::unique_ptr<ItemExtra> extra;

  [[nodiscard]] std::string_view content_type() const { return extra ? extra->content_type : std::string_view(); }
  [[nodiscard]] uint64_t lease() const { return extra ? extra->lease : 0; }
  [[nodiscard]] Millis expires_at() const { return extra ? extra->expires_at : 0; }
};

// Holds keys as long as its holder keeps it alive. Its id is the log index of the entry that granted it, so none is
// used twice.
struct Lease {
  Millis ttl = 0;
  Millis deadline = 0;              // by the log's stamps: it is over from then on, whether it was removed yet or not
  raft::Index changed_at;           // of the entry that last changed it: for running snapshots. Not part of the state
  std::set<std::string_view> keys;  // of its items, in the store
};

}  // namespace wh::machine
