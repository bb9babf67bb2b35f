// A watch's place in a node's history: which change it tells next, and whether one was forgotten before it was told.
// What watches share, whoever writes them down: HTTP's streams, and the simulator's watches.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "machine/machine.h"
#include "raft/types.h"

namespace wh::machine {

class WatchPlace {
 public:
  // One call of next() looks at so many changes at most.
  static constexpr size_t kMaxLookedAt = 2'000;

  // Of a key, or of all keys with a prefix, from the entry `from` on; 0: from now on. The machine must outlive it.
  WatchPlace(const Machine& machine, const std::string& name, bool prefix, raft::Index from);

  // Changes from its place on are not kept any more: it ends here.
  [[nodiscard]] bool lost() const { return lost_; }
  [[nodiscard]] bool is_watched(std::string_view key) const {
    return watched_->prefix ? key.starts_with(watched_->name) : key == watched_->name;
  }
  // The number of the next change to be told, of a key up to `last` if that is given; moves on over others. Nothing:
  // there is none, lost(), or kMaxLookedAt were looked at (`looked_at` counts them).
  std::optional<uint64_t> next(size_t& looked_at, std::optional<std::string_view> last = std::nullopt);
  // It was told.
  void told(uint64_t number) { next_ = number + 1; }
  // Whether no later change of the same entry is watched: the entry is told whole. Looked for once an entry.
  [[nodiscard]] bool is_last_of_entry(uint64_t number);
  // The index up to which all was told; nothing: something is still to be told (HAZARDS W4).
  [[nodiscard]] std::optional<raft::Index> mark();

 private:
  [[nodiscard]] const History& history() const { return machine_.history(); }

  const Machine& machine_;
  std::shared_ptr<const WatchedName> watched_;
  bool lost_ = false;
  uint64_t next_ = 0;  // the number of the change to be looked at next
  raft::Index entry_;
  uint64_t last_of_entry_ = 0;
};

}  // namespace wh::machine
