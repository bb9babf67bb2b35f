// The log as the core sees it: every entry's term, the newest entries themselves (a cache bounded in bytes), and each
// configuration that is still in force or could come back. Older entries live in the storage only; the core asks for
// them. Knows nothing of durability: raft.cc tracks what is synced.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "raft/configuration.h"
#include "raft/messages.h"
#include "raft/types.h"

namespace wh::raft {

class Log {
 public:
  struct TermRun {
    Index first;
    Term term;
  };
  struct ConfigurationAt {
    Index index;  // 0: none yet
    Configuration configuration;
  };

  // The entries that a storage recovered. `base` is the entry before the first kept one (0 when nothing was compacted).
  // `tail` are the newest entries, contiguous up to the last; `runs` covers all kept entries; `configurations` holds
  // the snapshot's and every configuration entry behind it, in order.
  struct Recovered {
    Index base_index;
    Term base_term;
    Index last_index;
    Millis last_time_ms = 0;
    std::vector<TermRun> runs;
    std::vector<ConfigurationAt> configurations;
    std::vector<Entry> tail;
  };

  Log() = default;
  explicit Log(Recovered recovered);

  [[nodiscard]] Index base_index() const { return base_index_; }  // entries above it are available
  [[nodiscard]] Index first_index() const { return base_index_ + 1; }
  [[nodiscard]] Index last_index() const { return last_index_; }
  [[nodiscard]] Term last_term() const;
  [[nodiscard]] Millis last_time_ms() const { return last_time_ms_; }
  // The term of the entry at `index`; empty below base_index and above last_index.
  [[nodiscard]] std::optional<Term> term_at(Index index) const;
  // The first index of the run of equal terms that `index` lies in, not below first_index.
  [[nodiscard]] Index first_of_term_at(Index index) const;
  // The last index, not above `limit`, whose term is at most `term`; base_index when none is.
  [[nodiscard]] Index last_not_after_term(Term term, Index limit) const;

  // Appends one entry; its index is last_index + 1 and its term not below last_term.
  void append(Entry entry);
  // Drops `from` and everything after it. When the entry before `from` was not in the cache since the start,
  // last_time_ms is unknown, and 0, until the next append.
  void truncate_from(Index from);
  // Forgets everything and continues from a snapshot.
  void reset(const SnapshotMeta& meta);
  // Forgets entries up to `index` (they are in a snapshot), and the configurations before the newest one at or below
  // it.
  void compact(Index index);

  [[nodiscard]] bool cached(Index index) const { return index >= cache_first_ && index <= last_index_; }
  // The first cached entry; one past the last entry if none is.
  [[nodiscard]] Index cached_from() const { return cache_first_; }
  // The cached entry at `index`.
  [[nodiscard]] const Entry& at(Index index) const;
  // Cached entries from `from` to at most `to`, as many as fit into `max_bytes` and at least one. Empty when not
  // cached.
  [[nodiscard]] std::vector<Entry> slice(Index from, Index to, uint64_t max_bytes) const;
  [[nodiscard]] uint64_t cached_bytes() const { return cached_bytes_; }
  // What the entries above `index` cost; at most kMarkBytes too much. Entries of an earlier process life do not count.
  [[nodiscard]] uint64_t bytes_above(Index index) const;
  // The lowest index, to within kMarkBytes, above which the entries cost at most `most`.
  [[nodiscard]] Index above_which(uint64_t most) const;
  // Evicts from the front until at most `max_bytes` are left, and some of those that are compacted, but nothing above
  // `keep_above`, and at most some thousand entries in one call.
  void trim_cache(uint64_t max_bytes, Index keep_above);

  [[nodiscard]] const Configuration& configuration() const { return configurations_.back().configuration; }
  [[nodiscard]] Index configuration_index() const { return configurations_.back().index; }
  // The newest configuration at or below `index`.
  [[nodiscard]] const ConfigurationAt& configuration_at(Index index) const;
  // Whether `id` is a voter in the configuration at `index` or in any later one.
  [[nodiscard]] bool names_voter_since(Index index, NodeId id) const;

 private:
  static constexpr uint64_t kMarkBytes = 256 << 10;
  struct Mark {
    Index last;
    uint64_t bytes;  // of all entries up to it
  };

  Index base_index_;
  Term base_term_;
  Index last_index_;
  Millis last_time_ms_ = 0;
  // The last evicted entry and its time: after a truncation it may be the log's end.
  Index evicted_index_;
  Millis evicted_time_ms_ = 0;
  std::deque<TermRun> runs_;
  std::vector<ConfigurationAt> configurations_{ConfigurationAt{}};
  Index cache_first_{1};
  std::deque<Entry> cache_;
  uint64_t cached_bytes_ = 0;
  uint64_t appended_bytes_ = 0;
  std::deque<Mark> marks_;  // one for every kMarkBytes of the log, to know its size without the entries
};

}  // namespace wh::raft
