#include "machine/store/history.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"

namespace wh::machine {

void History::add(Change change) {
  bytes_ += change.size();
  changes_.push_back(std::move(change));
  const Change& last = changes_.back();
  gone_.erase(last.key);
  const uint64_t number = end_number() - 1;
  if (last.type != ChangeType::put) gone_.emplace(last.key, number);
  note(keys_, last.key, number);
  // A name that nobody watches any more goes with its length.
  for (auto at = prefix_lengths_.begin(); at != prefix_lengths_.end() && at->first <= last.key.size();) {
    const size_t length = (at++)->first;
    note(prefixes_, std::string_view(last.key).substr(0, length), number);
  }
}

void History::note(Names& names, std::string_view name, uint64_t number) {
  const auto at = names.find(name);
  if (at == names.end()) return;
  if (const std::shared_ptr<WatchedName> watched = at->second.lock()) {
    while (!watched->numbers.empty() && watched->numbers.front() < first_number_) {
      watched->lost_below = watched->numbers.front() + 1;
      watched->numbers.pop_front();
    }
    watched->numbers.push_back(number);
    return;
  }
  forget(names, at);
}

History::Names::iterator History::forget(Names& names, Names::iterator at) {
  if (&names == &prefixes_)
    if (const auto length = prefix_lengths_.find(at->first.size()); --length->second == 0)
      prefix_lengths_.erase(length);
  return names.erase(at);
}

std::shared_ptr<const WatchedName> History::watch(const std::string& name, bool prefix) {
  Names& names = prefix ? prefixes_ : keys_;
  // Names that nobody watches any more are forgotten when their keys change, or here, a few at a time.
  constexpr int kLookedAt = 4;
  auto at = names.lower_bound(name);
  for (int i = 0; i < kLookedAt && at != names.end(); ++i) {
    if (at->first == name || !at->second.expired())
      ++at;
    else
      at = forget(names, at);
  }
  const auto [entry, fresh] = names.try_emplace(name);
  if (fresh && prefix) ++prefix_lengths_[name.size()];
  std::shared_ptr<WatchedName> watched = entry->second.lock();
  if (watched) return watched;
  watched = std::make_shared<WatchedName>();
  watched->name = name;
  watched->prefix = prefix;
  watched->since = end_number();
  entry->second = watched;
  return watched;
}

// All changes of an index go together.
void History::trim() {
  while (bytes_ > limit_ && !changes_.empty()) {
    const raft::Index index = changes_.front().index;
    while (!changes_.empty() && changes_.front().index == index) {
      bytes_ -= changes_.front().size();
      if (const auto gone = gone_.find(changes_.front().key); gone != gone_.end() && gone->second == first_number_)
        gone_.erase(gone);
      changes_.pop_front();
      ++first_number_;
      if (WH_MUTANT(half_an_entry_forgotten)) break;
    }
    oldest_ = WH_MUTANT(oldest_one_too_low) ? index : index + 1;
  }
}

// One number is left out: whoever had read all that there was has missed something too.
void History::begin_at(raft::Index index) {
  first_number_ += changes_.size() + 1;
  for (const Names* names : {&keys_, &prefixes_})
    for (const auto& [name, weak] : *names)
      if (const std::shared_ptr<WatchedName> watched = weak.lock()) {
        watched->numbers.clear();
        watched->since = watched->lost_below = first_number_;
      }
  gone_.clear();
  changes_.clear();
  bytes_ = 0;
  oldest_ = index;
}

std::optional<raft::Index> History::gone_at(std::string_view key) const {
  const auto gone = gone_.find(key);
  if (gone == gone_.end()) return std::nullopt;
  return at(gone->second).index;
}

uint64_t History::number_from(raft::Index index) const {
  const auto at =
      std::lower_bound(changes_.begin(), changes_.end(), index, [](const Change& change, raft::Index wanted) {
        return change.index < wanted - (WH_MUTANT(resume_tells_twice) ? 1 : 0);
      });
  return first_number_ + static_cast<uint64_t>(at - changes_.begin());
}

}  // namespace wh::machine
