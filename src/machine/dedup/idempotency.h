// The first answers to requests that carried an idempotency key, by scope (the store, or a queue) and key: a repeated
// request gets the first answer and has no second effect (CONTRACT, Asking again). Part of the state: in its digest and
// its snapshots. Each answer is kept for a window of the log's own time, which advances only while there is a leader;
// so the window does not run out while clients cannot ask. The cluster's settings bound it.
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
#include "machine/command/command.h"
#include "machine/settings.h"
#include "raft/types.h"

namespace wh::machine {

class IdempotencyKeys {
 public:
  // What an answer adds to logical_bytes() beside its name and reply: about what the containers take.
  static constexpr uint64_t kOverhead = 320;
  static constexpr size_t kMaxScopeBytes = 1 + kMaxDeadQueueNameBytes;
  static constexpr size_t kMaxReplyBytes = kMaxValueBytes + (size_t{64} << 10);  // it may hold an event

  struct Answer {
    Fingerprint fingerprint{};
    raft::Index index;  // of the answered entry
    Millis due = 0;     // by the log's stamps; the answer is forgotten then
    Bytes reply;        // encode_reply()
  };
  // The scope's length (u32), the scope, the key.
  using ByName = std::map<std::string, Answer, std::less<>>;
  using Item = ByName::value_type;

  // The kept answer, or nullptr. Valid until the next change.
  [[nodiscard]] const Answer* find(std::string_view scope, std::string_view key) const;
  // Keeps an answer under a new name.
  void add(std::string name, Answer answer);
  static std::string name_of(std::string_view scope, std::string_view key);

  // The next answer to forget: its time has come by `now`, or `settings` allow fewer answers and it is the oldest;
  // nullptr: none. The oldest need not be the next to expire, as the window may have been changed.
  [[nodiscard]] const Item* next_due(Millis now) const;
  [[nodiscard]] const Item* next_too_many(const Settings& settings) const;
  void remove(const Item& item);

  // By the log's stamps; kNever when nothing is kept.
  [[nodiscard]] Millis next_deadline() const { return by_due_.empty() ? kNever : by_due_.begin()->first; }
  [[nodiscard]] const ByName& by_name() const { return by_name_; }
  [[nodiscard]] size_t size() const { return by_name_.size(); }
  [[nodiscard]] uint64_t logical_bytes() const { return logical_bytes_; }
  [[nodiscard]] uint64_t digest() const { return digest_; }

  // Frees one answer of a discarded state and returns its size; nullopt when there is none.
  std::optional<size_t> free_one();

 private:
  // Then by name: the same order everywhere.
  struct InOrder {
    template <class Rank>
    bool operator()(const std::pair<Rank, const Item*>& a, const std::pair<Rank, const Item*>& b) const {
      return a.first != b.first ? a.first < b.first : a.second->first < b.second->first;
    }
  };
  ByName by_name_;
  std::set<std::pair<Millis, const Item*>, InOrder> by_due_;
  std::set<std::pair<raft::Index, const Item*>, InOrder> by_age_;
  uint64_t logical_bytes_ = 0;
  uint64_t digest_ = 0;  // the sum of each answer's hash
};

}  // namespace wh::machine
