#include "node/room.h"

namespace wh::node {

void Room::measured(const DiskSpace& space) {
  space_ = space;
  judge();
}

void Room::set_limits(uint64_t maxmemory_bytes, uint64_t min_free_bytes) {
  maxmemory_ = maxmemory_bytes;
  min_free_ = min_free_bytes;
  judge();
}

// The two thresholds differ by an eighth, so that the state does not flap.
void Room::judge() {
  const uint64_t edge = low_ ? min_free_ + min_free_ / 8 : min_free_;
  low_ = space_.full || space_.free_bytes < edge;
}

}  // namespace wh::node
