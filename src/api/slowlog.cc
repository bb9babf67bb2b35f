#include "api/slowlog.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace wh::api {
namespace {

// Redis's limits.
constexpr size_t kMaxArguments = 32;
constexpr size_t kMaxArgumentBytes = 128;

std::string clip(std::string_view word) {
  if (word.size() <= kMaxArgumentBytes) return std::string(word);
  return std::string(word.substr(0, kMaxArgumentBytes)) + "... (" + std::to_string(word.size() - kMaxArgumentBytes) +
         " more bytes)";
}

}  // namespace

std::string SlowLog::clipped(std::string_view word) const { return on() ? clip(word) : std::string(); }

std::vector<std::string> SlowLog::clipped(const std::vector<std::string>& words) const {
  std::vector<std::string> kept;
  if (!on()) return kept;
  const bool too_many = words.size() > kMaxArguments;
  const size_t count = too_many ? kMaxArguments - 1 : words.size();
  for (size_t i = 0; i < count; ++i) kept.push_back(clip(words[i]));
  if (too_many) kept.push_back("... (" + std::to_string(words.size() - count) + " more arguments)");
  return kept;
}

void SlowLog::add(uint64_t took_us, std::vector<std::string> arguments, std::string client, std::string surface) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  entries_.push_front({next_id_++, now.tv_sec, took_us, std::move(arguments), std::move(client), std::move(surface)});
  // Trimmed here and not when the directive changes, as in Redis.
  while (entries_.size() > options_.slowlog_max_len) entries_.pop_back();
}

std::vector<SlowLog::Entry> SlowLog::newest(size_t count) const {
  return {entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(std::min(count, entries_.size()))};
}

}  // namespace wh::api
