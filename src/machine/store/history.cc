#include "machine/store/history.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"

namespace wh::machine {

void History::add(Change change) {
  if (!changes_.empty() && changes_.back().index != change.index) trim();
  bytes_ += change.size();
  changes_.push_back(std::move(change));
  const Change& last = changes_.back();
  gone_.erase(last.key);
  if (last.type != ChangeType::put) gone_.emplace(last.key, end_number() - 1);
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
    oldest_ = index + 1;
  }
}

// One number is left out: whoever had read all that there was has missed something too.
void History::begin_at(raft::Index index) {
  first_number_ += changes_.size() + 1;
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
  const auto at = std::lower_bound(changes_.begin(), changes_.end(), index,
                                   [](const Change& change, raft::Index wanted) { return change.index < wanted; });
  return first_number_ + static_cast<uint64_t>(at - changes_.begin());
}

}  // namespace wh::machine
