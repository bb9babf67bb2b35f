#include "machine/store/history.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"

namespace wh::machine {

void History::add(Change change) {
  if (!changes_.empty() && changes_.back().index != change.index) trim();
  bytes_ += change.size();
  changes_.push_back(std::move(change));
}

// All changes of an index go together.
void History::trim() {
  while (bytes_ > limit_ && !changes_.empty()) {
    const raft::Index index = changes_.front().index;
    while (!changes_.empty() && changes_.front().index == index) {
      bytes_ -= changes_.front().size();
      changes_.pop_front();
      ++first_number_;
      if (WH_MUTANT(half_an_entry_forgotten)) break;
    }
    oldest_ = index + 1;
  }
}

void History::begin_at(raft::Index index) {
  first_number_ += changes_.size();
  changes_.clear();
  bytes_ = 0;
  oldest_ = index;
}

uint64_t History::number_from(raft::Index index) const {
  const auto at = std::lower_bound(changes_.begin(), changes_.end(), index,
                                   [](const Change& change, raft::Index wanted) { return change.index < wanted; });
  return first_number_ + static_cast<uint64_t>(at - changes_.begin());
}

}  // namespace wh::machine
