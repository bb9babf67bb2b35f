#include "api/buffer_relief.h"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace wh::api {

void BufferRelief::relieve(std::vector<BufferHolder> holders, Millis now) {
  look_at_ = now + kLookMs;
  std::sort(holders.begin(), holders.end(), [](const BufferHolder& a, const BufferHolder& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.still_since < b.still_since;
  });
  std::unordered_map<uint64_t, uint64_t> held;
  for (const BufferHolder& holder : holders) held[holder.group] += holder.bytes;
  const auto is_still = [now](const BufferHolder& holder) { return holder.still_since + kStillMs <= now; };
  const uint64_t before = buffers_.used();
  const uint64_t enough = buffers_.limit() - buffers_.limit() / 4;
  uint64_t small_bytes = 0;  // held by small ones that do not move
  for (const BufferHolder& holder : holders)
    if (holder.bytes <= BufferBudget::kSmallBytes && is_still(holder)) small_bytes += holder.bytes;
  uint64_t cut = 0;
  for (const BufferHolder& holder : holders) {
    if (buffers_.used() <= enough) break;
    const bool small = holder.bytes <= BufferBudget::kSmallBytes;
    // The rest holds too little for cutting one to help, unless it is a crowd.
    if (small && (!buffers_.tight() || small_bytes <= buffers_.limit() / 8)) break;
    if (!is_still(holder)) continue;
    if (small) small_bytes -= holder.bytes;
    holder.cut(holder.connection);
    ++cut;
  }
  // The limit must hold, whoever is cut: first those of an address whose connections hold more than its share.
  std::stable_partition(holders.begin(), holders.end(),
                        [&](const BufferHolder& holder) { return held[holder.group] > buffers_.limit() / kShares; });
  for (const BufferHolder& holder : holders) {
    if (!buffers_.exceeded()) break;
    if (holder.bytes == 0 || (is_still(holder) && holder.bytes > BufferBudget::kSmallBytes)) continue;
    holder.cut(holder.connection);
    ++cut;
  }
  cut_ += cut;
  if (cut == 0 || !log_limiter_.allow(now)) return;
  const uint64_t more = log_limiter_.suppressed();
  logf(LogLevel::warning,
       "clients held %lu MB of the %lu MB that they may (client-buffer-limit): %lu of them were cut off%s",
       before >> 20, buffers_.limit() >> 20, cut,
       more == 0 ? "" : (" (and more, " + std::to_string(more) + " times before)").c_str());
}

}  // namespace wh::api
