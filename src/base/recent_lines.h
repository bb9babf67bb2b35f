// The last lines of the log, for people who look at a running node: so many of the level notice, and as many warnings,
// so that notices do not push warnings out. Filled by whoever writes the log, on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"

namespace wh {

class RecentLines {
 public:
  static constexpr size_t kKept = 200;            // of each of the two levels
  static constexpr size_t kMaxLineBytes = 1'000;  // what is longer is cut

  struct Line {
    uint64_t id = 0;  // counts up from the first line's time in microseconds: above those of processes before
    int64_t unix_ms = 0;
    LogLevel level = LogLevel::notice;
    std::string text;  // printable
  };

  // A line below notice is not kept.
  void add(LogLevel level, int64_t unix_ms, std::string_view printable_text);
  // The kept lines of this level and above, with an id above `after`; the oldest first.
  [[nodiscard]] std::vector<Line> after(uint64_t after, LogLevel least) const;

 private:
  mutable std::mutex mutex_;
  std::deque<Line> notices_;
  std::deque<Line> warnings_;
  uint64_t last_id_ = 0;
};

}  // namespace wh
