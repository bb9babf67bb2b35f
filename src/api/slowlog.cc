#include "api/slowlog.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/bytes.h"

namespace wh::api {
namespace {

// Redis's limits.
constexpr size_t kMaxArguments = 32;
constexpr size_t kMaxArgumentBytes = 128;

// Room for a word besides its beginning: its length, and the end that says how much is left out.
constexpr size_t kWordOverhead = 32;

// What is kept of a word, and what it ends with then.
std::string_view head_of(std::string_view word) { return word.substr(0, kMaxArgumentBytes); }
std::string tail_of(std::string_view word) {
  if (word.size() <= kMaxArgumentBytes) return {};
  return "... (" + std::to_string(word.size() - kMaxArgumentBytes) + " more bytes)";
}

void append_word(std::string& words, std::string_view head, std::string_view tail) {
  Writer out(words);
  out.u32(static_cast<uint32_t>(head.size() + tail.size()));
  out.raw(head);
  out.raw(tail);
}

}  // namespace

std::string SlowLog::clipped(std::string_view word) const {
  return on() ? std::string(head_of(word)) + tail_of(word) : std::string();
}

std::string SlowLog::clipped(const std::vector<std::string>& words) const {
  std::string kept;
  if (!on()) return kept;
  const bool too_many = words.size() > kMaxArguments;
  const size_t count = too_many ? kMaxArguments - 1 : words.size();
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) bytes += kWordOverhead + head_of(words[i]).size();
  kept.reserve(bytes);
  for (size_t i = 0; i < count; ++i) append_word(kept, head_of(words[i]), tail_of(words[i]));
  if (too_many) append_word(kept, "... (" + std::to_string(words.size() - count) + " more arguments)", {});
  return kept;
}

std::vector<std::string> SlowLog::words_of(std::string_view clipped) {
  std::vector<std::string> words;
  for (Reader in(clipped); in.left() != 0;) words.emplace_back(in.bytes());
  return words;
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
