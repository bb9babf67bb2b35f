#include "base/recent_lines.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace wh {

void RecentLines::add(LogLevel level, int64_t unix_ms, std::string_view printable_text) {
  if (level < LogLevel::notice) return;
  const std::lock_guard lock(mutex_);
  if (last_id_ == 0) last_id_ = static_cast<uint64_t>(std::max<int64_t>(0, unix_ms)) * 1'000;
  std::deque<Line>& lines = level == LogLevel::warning ? warnings_ : notices_;
  if (lines.size() == kKept) lines.pop_front();
  std::string_view text = printable_text.substr(0, kMaxLineBytes);
  while (!is_utf8(text)) text.remove_suffix(1);  // a character that was cut
  lines.push_back({++last_id_, unix_ms, level, std::string(text)});
}

std::vector<RecentLines::Line> RecentLines::after(uint64_t after, LogLevel least) const {
  std::vector<Line> lines;
  const std::lock_guard lock(mutex_);
  for (const std::deque<Line>* kept : {&notices_, &warnings_})
    for (const Line& line : *kept)
      if (line.id > after && line.level >= least) lines.push_back(line);
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.id < b.id; });
  return lines;
}

}  // namespace wh
