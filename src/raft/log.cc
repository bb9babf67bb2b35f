#include "raft/log.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"

namespace wh::raft {

Log::Log(Recovered recovered)
    : base_index_(recovered.base_index),
      base_term_(recovered.base_term),
      last_index_(recovered.last_index),
      last_time_ms_(recovered.last_time_ms),
      runs_(recovered.runs.begin(), recovered.runs.end()),
      configurations_(std::move(recovered.configurations)),
      cache_first_(recovered.tail.empty() ? recovered.last_index + 1 : recovered.tail.front().index) {
  WH_ASSERT(last_index_ >= base_index_, "a log ends before it begins");
  WH_ASSERT(recovered.tail.empty() || recovered.tail.back().index == last_index_, "the tail is not the log's end");
  if (configurations_.empty() || configurations_.front().index > base_index_)
    configurations_.insert(configurations_.begin(), ConfigurationAt{});
  if (recovered.tail.empty()) {
    evicted_index_ = last_index_;
    evicted_time_ms_ = last_time_ms_;
  }
  for (Entry& entry : recovered.tail) {
    cached_bytes_ += cost(entry);
    cache_.push_back(std::move(entry));
  }
}

Term Log::last_term() const { return runs_.empty() ? base_term_ : runs_.back().term; }

std::optional<Term> Log::term_at(Index index) const {
  if (index == base_index_) return base_term_;
  if (index < base_index_ || index > last_index_) return std::nullopt;
  const auto it = std::upper_bound(runs_.begin(), runs_.end(), index,
                                   [](Index wanted, const TermRun& run) { return wanted < run.first; });
  WH_ASSERT(it != runs_.begin(), "an entry has no term");
  return std::prev(it)->term;
}

Index Log::first_of_term_at(Index index) const {
  const auto it = std::upper_bound(runs_.begin(), runs_.end(), index,
                                   [](Index wanted, const TermRun& run) { return wanted < run.first; });
  if (it == runs_.begin()) return first_index();
  return std::max(std::prev(it)->first, first_index());
}

Index Log::last_not_after_term(Term term, Index limit) const {
  Index index = std::min(limit, last_index_);
  while (index > base_index_) {
    const Term here = *term_at(index);
    if (here <= term) return index;
    index = first_of_term_at(index) - 1;
  }
  return base_index_;
}

void Log::append(Entry entry) {
  WH_ASSERT(entry.index == last_index_ + 1, "entries are appended in order");
  WH_ASSERT(entry.term >= last_term(), "terms never fall within a log");
  if (runs_.empty() || runs_.back().term != entry.term) runs_.push_back({entry.index, entry.term});
  if (entry.kind == EntryKind::configuration) {
    auto configuration = Configuration::decode(entry.payload.view());
    WH_ASSERT(configuration, "a configuration entry was checked before it was appended");
    configurations_.push_back({entry.index, std::move(*configuration)});
  }
  last_index_ = entry.index;
  last_time_ms_ = entry.time_ms;
  cached_bytes_ += cost(entry);
  appended_bytes_ += cost(entry);
  if (appended_bytes_ - (marks_.empty() ? 0 : marks_.back().bytes) >= kMarkBytes)
    marks_.push_back({entry.index, appended_bytes_});
  cache_.push_back(std::move(entry));
}

void Log::truncate_from(Index from) {
  WH_ASSERT(from > base_index_ && from <= last_index_, "only kept entries are truncated");
  while (!cache_.empty() && cache_.back().index >= from) {
    cached_bytes_ -= cost(cache_.back());
    appended_bytes_ -= std::min(appended_bytes_, cost(cache_.back()));
    cache_.pop_back();
  }
  while (!marks_.empty() && marks_.back().last >= from) marks_.pop_back();
  while (!runs_.empty() && runs_.back().first >= from) runs_.pop_back();
  while (configurations_.back().index >= from && !WH_MUTANT(truncated_configuration_stays)) configurations_.pop_back();
  last_index_ = from - 1;
  if (cache_.empty()) cache_first_ = last_index_ + 1;
  if (evicted_index_ > last_index_) {
    evicted_index_ = {};
    evicted_time_ms_ = 0;
  }
  last_time_ms_ = cache_.empty() ? evicted_time_ms_ : cache_.back().time_ms;
}

void Log::reset(const SnapshotMeta& meta) {
  base_index_ = last_index_ = meta.index;
  base_term_ = meta.term;
  evicted_index_ = meta.index;
  last_time_ms_ = evicted_time_ms_ = meta.time_ms;
  runs_.clear();
  if (!WH_MUTANT(install_keeps_configuration))
    configurations_.assign(1, {meta.configuration_index, meta.configuration});
  cache_.clear();
  cached_bytes_ = 0;
  cache_first_ = last_index_ + 1;
  appended_bytes_ = 0;
  marks_.clear();
}

void Log::compact(Index index) {
  WH_ASSERT(index <= last_index_, "compaction ends within the log");
  if (index <= base_index_) return;
  base_term_ = *term_at(index);
  base_index_ = index;
  while (!runs_.empty() && (runs_.size() > 1 ? runs_[1].first : last_index_ + 1) <= first_index()) runs_.pop_front();
  if (!runs_.empty()) runs_.front().first = std::max(runs_.front().first, first_index());
  while (configurations_.size() > 1 && configurations_[1].index <= index)
    configurations_.erase(configurations_.begin());
  while (marks_.size() > 1 && marks_[1].last <= index) marks_.pop_front();
}

uint64_t Log::bytes_above(Index index) const {
  const auto it = std::upper_bound(marks_.begin(), marks_.end(), index,
                                   [](Index wanted, const Mark& mark) { return wanted < mark.last; });
  return appended_bytes_ - (it == marks_.begin() ? 0 : std::prev(it)->bytes);
}

Index Log::above_which(uint64_t most) const {
  if (appended_bytes_ <= most) return base_index_;
  for (const Mark& mark : marks_)
    if (appended_bytes_ - mark.bytes <= most) return std::max(mark.last, base_index_);
  return std::max(marks_.empty() ? Index{} : marks_.back().last, base_index_);
}

const Entry& Log::at(Index index) const {
  WH_ASSERT(cached(index), "the entry is not cached");
  return cache_[index - cache_first_];
}

std::vector<Entry> Log::slice(Index from, Index to, uint64_t max_bytes) const {
  std::vector<Entry> entries;
  if (!cached(from)) return entries;
  uint64_t bytes = 0;
  for (Index i = from; i <= to && i <= last_index_; ++i) {
    const Entry& entry = at(i);
    bytes += cost(entry);
    if (!entries.empty() && bytes > max_bytes) break;
    entries.push_back(entry);
  }
  return entries;
}

void Log::trim_cache(uint64_t max_bytes, Index keep_above) {
  constexpr size_t kAtOnce = 4'000;
  constexpr size_t kCompactedAtOnce = 1'000;
  size_t evicted = 0;
  size_t compacted = 0;
  while (!cache_.empty() && cache_.front().index <= keep_above && evicted++ < kAtOnce &&
         (cached_bytes_ > max_bytes || (cache_.front().index <= base_index_ && ++compacted <= kCompactedAtOnce))) {
    cached_bytes_ -= cost(cache_.front());
    evicted_index_ = cache_.front().index;
    evicted_time_ms_ = cache_.front().time_ms;
    cache_.pop_front();
  }
  cache_first_ = cache_.empty() ? last_index_ + 1 : cache_.front().index;
}

const Log::ConfigurationAt& Log::configuration_at(Index index) const {
  for (auto it = configurations_.rbegin(); it != configurations_.rend(); ++it)
    if (it->index <= index) return *it;
  return configurations_.front();
}

bool Log::names_voter_since(Index index, NodeId id) const {
  for (auto it = configurations_.rbegin(); it != configurations_.rend(); ++it) {
    if (it->configuration.is_voter(id)) return true;
    if (it->index <= index) return false;
  }
  return false;
}

}  // namespace wh::raft
