// The parts of the state as a walk writes them: each section knows the tag and format of its records, walks its
// container in order from a cursor, and says what must be kept when it changes ahead of the walk (the write barrier).
// SnapshotWriter loops over all of them; new state in snapshots means one more section here and in SnapshotReader.
// Items younger than the walk are recognised by their log index and left out.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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
  [[nodiscard]] std::optional<Record> keep(std::string_view key, const Item& old) const;

 private:
  [[nodiscard]] Record record_of(std::string_view key, const Item& item) const;

  const Store& store_;
  const raft::Index index_;
  std::string cursor_;  // everything below it is written or kept; nothing from it on is
  bool done_ = false;
};

// Walks queue by queue, and a queue's events by arrival. As of version 3 a queue itself is a record too, before its
// events. What was purged meanwhile is walked in its frozen container.
class QueuesSection {
 public:
  QueuesSection(const State& state, raft::Index index)
      : queues_(state.queues),
        index_(index),
        last_arrival_(std::max(state.queues.last_number(), index.value)),
        with_heads_(state.version >= 3) {}
  void write(Slice& slice);
  [[nodiscard]] bool done() const { return done_ && frozen_.empty(); }
  [[nodiscard]] std::optional<Record> keep(const Queue& queue) const;
  [[nodiscard]] std::optional<Record> keep(const Queue& queue, const Event& old) const;
  void keep_content(const Queue& queue, const std::shared_ptr<QueueContent>& content);

 private:
  struct Frozen {
    std::string queue;
    std::shared_ptr<QueueContent> content;
    uint64_t from = 0;
  };
  // Whether the walk has passed the queue, or this event of it.
  [[nodiscard]] bool passed(const Queue& queue, uint64_t arrival) const;
  // False: the slice is full; `cursor` is where to go on.
  bool write_events(const std::string& queue, const QueueContent& content, uint64_t& cursor, Slice& slice) const;

  const Queues& queues_;
  const raft::Index index_;
  const uint64_t last_arrival_;  // at its beginning: later ones have no part in it
  const bool with_heads_;
  std::string queue_cursor_;
  bool head_written_ = false;  // of the queue at the cursor
  uint64_t event_cursor_ = 0;  // an arrival
  std::deque<Frozen> frozen_;
  bool done_ = false;
};

class BindingsSection {
 public:
  BindingsSection(const State& state, raft::Index index)
      : topics_(state.queues.topics()), index_(index), done_(state.version < 3) {}
  void write(Slice& slice);
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] std::optional<Record> keep(std::string_view topic, std::string_view queue, const Binding& old) const;

 private:
  const Topics& topics_;
  const raft::Index index_;
  std::pair<std::string, std::string> cursor_;  // topic and queue, as in StoreSection
  bool done_;
};

class LeasesSection {
 public:
  LeasesSection(const State& state, raft::Index index)
      : leases_(state.store.leases()), index_(index), done_(state.version < 4) {}
  void write(Slice& slice);
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] std::optional<Record> keep(uint64_t id, const Lease& old) const;

 private:
  const Store::Leases& leases_;
  const raft::Index index_;
  uint64_t cursor_ = 0;
  bool done_;
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
