#include "machine/store/watch_place.h"

#include <algorithm>

#include "base/mutant.h"

namespace wh::machine {

WatchPlace::WatchPlace(const Machine& machine, const std::string& name, bool prefix, raft::Index from)
    : machine_(machine), watched_(machine.watch(name, prefix)) {
  lost_ = from != raft::Index{} && from < history().oldest();
  next_ = from == raft::Index{} || lost_ ? history().end_number() : history().number_from(from);
}

// What came since somebody watches this name is listed; what was there before is not.
std::optional<uint64_t> WatchPlace::next(size_t& looked_at, std::optional<std::string_view> last) {
  const auto is_told = [&](uint64_t number) {
    const std::string& key = history().at(number).key;
    return is_watched(key) && (!last || key <= *last);
  };
  if (WH_MUTANT(slow_watch_jumps)) next_ = std::max({next_, history().first_number(), watched_->lost_below});
  for (; next_ < watched_->since; ++next_) {
    if (next_ < history().first_number()) lost_ = true;
    if (lost_ || looked_at++ >= kMaxLookedAt) return std::nullopt;
    if (is_told(next_)) return next_;
  }
  lost_ |= next_ < watched_->lost_below;
  const auto& numbers = watched_->numbers;
  for (auto at = std::lower_bound(numbers.begin(), numbers.end(), next_); at != numbers.end(); ++at) {
    lost_ |= *at < history().first_number();
    if (lost_ || looked_at++ >= kMaxLookedAt) return std::nullopt;
    if (is_told(*at)) return *at;
    next_ = *at + 1;
  }
  next_ = std::max(next_, history().end_number());
  return std::nullopt;
}

bool WatchPlace::is_last_of_entry(uint64_t number) {
  const raft::Index index = history().at(number).index;
  if (entry_ != index) {
    entry_ = index;
    last_of_entry_ = number;
    for (uint64_t at = number + 1; at != history().end_number() && history().at(at).index == index; ++at)
      if (is_watched(history().at(at).key)) last_of_entry_ = at;
  }
  return number == last_of_entry_;
}

std::optional<raft::Index> WatchPlace::mark() {
  size_t looked_at = 0;
  const bool behind = next(looked_at).has_value() && !WH_MUTANT(marked_too_far);
  if (behind || lost_ || looked_at >= kMaxLookedAt) return std::nullopt;
  return machine_.applied();
}

}  // namespace wh::machine
