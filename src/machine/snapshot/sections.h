// The parts of the state as a walk writes them: each section knows the tag and format of its records, walks its
// container in order from a cursor, and says what must be kept when it changes ahead of the walk (the write barrier).
// SnapshotWriter loops over all of them; new state in snapshots means one more section here and in SnapshotReader.
// Items younger than the walk are recognised by their log index and left out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "machine/snapshot/slice.h"
#include "machine/state.h"

namespace wh::machine {

// Each section has: write(), which continues from the cursor until the slice is full; done(); and keep(), which returns
// the record of an item about to change, if the walk has not reached it and it belongs to the walk.

class StoreSection {
 public:
  StoreSection(const State& state, raft::Index index) : store_(state.store), index_(index) {}
  void write(Slice& slice);
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] std::optional<Record> keep(std::string_view key, const Store::Item& old) const;

 private:
  const Store& store_;
  const raft::Index index_;
  std::string cursor_;  // everything below it is written or kept; nothing from it on is
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

// The beginning of a snapshot: the header, the sessions and the state that is in no container. They are bounded (41 KB
// at most), so they are written at once instead of being guarded by a barrier.
Bytes snapshot_head(const State& state);

}  // namespace wh::machine
