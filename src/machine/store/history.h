// The last changes of keys, in the order in which the log made them: what watches read. Every node keeps its own, since
// it began to apply or installed a snapshot; it is not part of the state. A change is complete with all changes of its
// entry, and they are forgotten together (HAZARDS W2, W3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "raft/types.h"

namespace wh::machine {

enum class ChangeType : uint8_t { put, erase, expire };

struct Change {
  raft::Index index;  // of the entry
  ChangeType type = ChangeType::put;
  std::string key;
  // Of a put:
  Bytes value;
  std::string content_type;
  uint64_t create_index = 0;
  uint64_t version = 0;
  uint64_t lease = 0;
  Millis expires_at = 0;  // cluster time; 0: never
  // Before it:
  bool had_prev = false;
  Bytes prev;
  [[nodiscard]] size_t size() const {
    return kOverhead + key.size() + value.size() + prev.size() + content_type.size();
  }
  static constexpr size_t kOverhead = 256;
};

// The changes of one watched key, or of all keys with one prefix: so a watch finds its own without looking at others,
// however long it was quiet.
struct WatchedName {
  std::string name;
  bool prefix = false;
  uint64_t since = 0;            // changes of lower numbers are not in the list
  std::deque<uint64_t> numbers;  // of the changes that are kept
  uint64_t lost_below = 0;       // one of a lower number, and not below `since`, is not kept any more
};

class History {
 public:
  static constexpr size_t kDefaultLimit = size_t{64} << 20;

  // The changes of the last entry stay, whatever their size, until `trim`. Not within an entry.
  void set_limit(size_t bytes) {
    limit_ = bytes;
    trim();
  }
  void add(Change change);
  // Nothing before this entry is known any more.
  void begin_at(raft::Index index);

  // The first index whose changes, and all later ones, are here.
  [[nodiscard]] raft::Index oldest() const { return oldest_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] size_t count() const { return changes_.size(); }
  // The changes are numbered for as long as the process lives: those from first_number() to end_number() - 1 are here.
  [[nodiscard]] uint64_t first_number() const { return first_number_; }
  [[nodiscard]] uint64_t end_number() const { return first_number_ + changes_.size(); }
  [[nodiscard]] const Change& at(uint64_t number) const { return changes_[number - first_number_]; }
  // When a key that is not there was last removed, as far as is known here.
  [[nodiscard]] std::optional<raft::Index> gone_at(std::string_view key) const;
  // The first change of this index or a later one.
  [[nodiscard]] uint64_t number_from(raft::Index index) const;
  // Kept up to date for as long as somebody holds it; all who watch the same share it.
  [[nodiscard]] std::shared_ptr<const WatchedName> watch(const std::string& name, bool prefix);
  // Forgets what is too much, but for the changes of the last entry. Between entries.
  void trim();

 private:
  using Names = std::map<std::string, std::weak_ptr<WatchedName>, std::less<>>;
  void note(Names& names, std::string_view name, uint64_t number);
  // A name that nobody watches any more; returns the next.
  Names::iterator forget(Names& names, Names::iterator at);

  std::deque<Change> changes_;
  std::map<std::string_view, uint64_t> gone_;  // by key, in a change: the number of its removal, while it is the last
  Names keys_;                                 // that are watched, or were
  Names prefixes_;
  std::map<size_t, size_t> prefix_lengths_;  // how many of the prefixes have this length
  uint64_t first_number_ = 0;
  raft::Index oldest_{1};
  size_t bytes_ = 0;
  size_t limit_ = kDefaultLimit;
};

}  // namespace wh::machine
