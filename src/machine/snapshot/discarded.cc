#include "machine/snapshot/discarded.h"

namespace wh::machine {

bool Discarded::free_some(size_t units) {
  constexpr size_t kBytesPerUnit = size_t{16} << 10;
  for (size_t used = 0; used < units;) {
    auto size = state_.store.free_one();
    if (!size) size = state_.queues.free_one();
    if (!size) size = state_.idempotency.free_one();
    if (!size) return false;
    used += 1 + *size / kBytesPerUnit;
  }
  return true;
}

}  // namespace wh::machine
