// Knows whether there is room for more data: the data's logical bytes against maxmemory, the disk's free bytes against
// min-free-disk. A value with neither clock nor ports. Refuses nothing itself: RoomWatch (room_watch.h) acts on it.
// Owned by Node; Writes tells it of writes that add data.
#pragma once

#include <cstdint>
#include <deque>

#include "node/ports.h"
#include "raft/types.h"

namespace wh::node {

class Room {
 public:
  Room(uint64_t maxmemory_bytes, uint64_t min_free_bytes) : maxmemory_(maxmemory_bytes), min_free_(min_free_bytes) {}

  // --- memory: writes in progress count too, so that a burst cannot exceed the limit

  // Whether `growth` more bytes fit beside `data_bytes` and the writes in progress. 0 always does.
  [[nodiscard]] bool fits(uint64_t data_bytes, uint64_t growth) const {
    return growth == 0 || maxmemory_ == 0 || data_bytes + growing_bytes_ + growth <= maxmemory_;
  }
  // A write that grows the data by `growth` bytes is given to the core (propose); then it is appended at `index`, or
  // refused.
  void propose(uint64_t growth) { growing_bytes_ += growth; }
  void appended(raft::Index index, uint64_t growth) {
    // A truncation may have removed the entry that stood at this index before.
    while (!growing_.empty() && growing_.back().index >= index) drop_back();
    if (growth != 0) growing_.push_back({index, growth});
  }
  void refused(uint64_t growth) { growing_bytes_ -= growth; }
  // The entries up to `index` are applied, or replaced by a snapshot.
  void applied(raft::Index index) {
    while (!growing_.empty() && growing_.front().index <= index) {
      growing_bytes_ -= growing_.front().bytes;
      growing_.pop_front();
    }
  }

  // --- disk

  void measured(const DiskSpace& space);
  // Before the first measurement: without limit.
  [[nodiscard]] const DiskSpace& space() const { return space_; }
  // Less than min-free-disk is free, or a write failed because there was no room. Ends when an eighth more than
  // min-free-disk is free.
  [[nodiscard]] bool low() const { return low_; }

  [[nodiscard]] uint64_t maxmemory() const { return maxmemory_; }
  [[nodiscard]] uint64_t min_free() const { return min_free_; }
  void set_limits(uint64_t maxmemory_bytes, uint64_t min_free_bytes);

 private:
  struct Growth {
    raft::Index index;
    uint64_t bytes;
  };
  void drop_back() {
    growing_bytes_ -= growing_.back().bytes;
    growing_.pop_back();
  }
  void judge();

  uint64_t maxmemory_;  // 0: no limit
  uint64_t min_free_;   // 0: no limit
  std::deque<Growth> growing_;
  uint64_t growing_bytes_ = 0;  // of growing_, and of writes that are proposed but not appended yet
  DiskSpace space_{.free_bytes = UINT64_MAX, .total_bytes = 0, .full = false};
  bool low_ = false;
};

}  // namespace wh::node
