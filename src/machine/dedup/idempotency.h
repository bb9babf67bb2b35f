// The first answers to requests that carried an idempotency key, by scope (the store, or a queue) and key: asked again,
// a request gets its first answer and has no second effect (CONTRACT, Asking again). Part of the state: in its digest
// and in its snapshots. Each is kept for a window of the log's own time, which goes on only while a leader leads; so a
// client that could not ask meanwhile loses nothing of it. Bounds are the cluster's settings.
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
  // What an answer counts for in logical_bytes() beside its name and reply: about what the containers take.
  static constexpr uint64_t kOverhead = 320;
  static constexpr size_t kMaxScopeBytes = 1 + kMaxQueueNameBytes;
  static constexpr size_t kMaxReplyBytes = size_t{4} << 10;

  struct Answer {
    Fingerprint fingerprint{};
    raft::Index index;  // of the entry that was answered
    Millis due = 0;     // by the log's stamps: forgotten then
    Bytes reply;        // encode_reply()
  };
  // The scope's length (u32), the scope, the key.
  using ByName = std::map<std::string, Answer, std::less<>>;
  using Item = ByName::value_type;

  // The answer that is kept, or nullptr. Valid until the next change.
  [[nodiscard]] const Answer* find(std::string_view scope, std::string_view key) const;
  // Keeps an answer under a name that is not there.
  void add(std::string name, Answer answer);
  static std::string name_of(std::string_view scope, std::string_view key);

  // What goes next because its time has come by `now`, or because more is kept than `settings` allow; nullptr: nothing
  // does.
  [[nodiscard]] const Item* next_due(Millis now) const;
  [[nodiscard]] const Item* next_too_many(const Settings& settings) const;
  void remove(const Item& item);

  // By the log's stamps; kNever when nothing is kept.
  [[nodiscard]] Millis next_deadline() const { return by_due_.empty() ? kNever : by_due_.begin()->first; }
  [[nodiscard]] const ByName& by_name() const { return by_name_; }
  [[nodiscard]] size_t size() const { return by_name_.size(); }
  [[nodiscard]] uint64_t logical_bytes() const { return logical_bytes_; }
  [[nodiscard]] uint64_t digest() const { return digest_; }

  // Frees one answer of a state that is not used any more, and returns its size; nullopt when there is none.
  std::optional<size_t> free_one();

 private:
  ByName by_name_;
  std::set<std::pair<Millis, const Item*>,
           bool (*)(const std::pair<Millis, const Item*>&, const std::pair<Millis, const Item*>&)>
      by_due_{[](const auto& a, const auto& b) {
        return a.first != b.first ? a.first < b.first : a.second->first < b.second->first;
      }};
  uint64_t logical_bytes_ = 0;
  uint64_t digest_ = 0;  // the sum of a hash of each
};

}  // namespace wh::machine
