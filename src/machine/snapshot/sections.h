// The parts of the state as a walk gives them: each knows its records' tag and form, walks its container in order from
// a cursor, and says what of it must be kept when it changes ahead of the walk (the write barrier). SnapshotWriter
// loops over all of them; adding state to snapshots is one more here and in SnapshotReader. What is younger than the
// walk is told by its log index, and left out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "machine/snapshot/slice.h"
#include "machine/state.h"

namespace wh::machine {

// Each has: write(), which goes on from the cursor until the slice is full; done(); and keep(), which gives the record
// of what is about to change, if the walk has not come to it and it belongs to the walk.

class StoreSection {
 public:
  StoreSection(const State& state, raft::Index index) : store_(state.store), index_(index) {}
  void write(Slice& slice);
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] std::optional<Record> keep(std::string_view key, const Store::Item& old) const;

 private:
  const Store& store_;
  const raft::Index index_;
  std::string cursor_;  // all below it was written or kept; all from it on was not
  bool done_ = false;
};

class QueuesSection {
 public:
  QueuesSection(const State& state, raft::Index index) : queues_(state.queues), index_(index) {}
  void write(Slice& slice);
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] std::optional<Record> keep(std::string_view queue, const Event& old) const;

 private:
  const Queues& queues_;
  const raft::Index index_;
  std::string queue_cursor_;
  raft::Index event_cursor_;
  bool done_ = false;
};

class IdempotencySection {
 public:
  IdempotencySection(const State& state, raft::Index index)
      : keys_(state.idempotency), index_(index), done_(state.version == kFirstVersion) {}
  void write(Slice& slice);
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] std::optional<Record> keep(const IdempotencyKeys::Item& old) const;

 private:
  const IdempotencyKeys& keys_;
  const raft::Index index_;
  std::string cursor_;
  bool done_;
};

// What goes in front of them: the header, the sessions and what of the state is no container. They are bounded (41 KB
// at most), so they are written at once rather than guarded by a barrier.
Bytes snapshot_head(const State& state);

}  // namespace wh::machine
