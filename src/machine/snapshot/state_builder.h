// Makes a state from its items, which come from a snapshot or a backup. Refuses items that no machine can have written:
// more or fewer than announced, one twice, an id out of bounds, another digest (HAZARDS F12).
#pragma once

#include <string_view>
#include <utility>

#include "machine/snapshot/snapshot_reader.h"
#include "machine/state.h"

namespace wh::machine {

class StateBuilder final : public SnapshotSink {
 public:
  Status begin(const SnapshotHead& head) override;
  Status key(std::string_view key, std::string_view value) override;
  Status item(const StoreItem& item) override;
  Status lease(uint64_t id, Millis ttl, Millis deadline) override;
  Status event(std::string_view queue, raft::Index id, std::string_view event) override;
  Status queue(const QueueItem& queue) override;
  Status queue_event(const EventItem& item) override;
  Status binding(const BindingItem& item) override;
  Status session(std::string_view record) override;
  Status cluster(const SnapshotCluster& cluster) override;
  Status idempotency(std::string_view name, const IdempotencyKeys::Answer& answer, std::string_view reply) override;
  Status end(uint64_t digest) override;

  // The state, after end() accepted it. Call it once.
  State take() { return std::exchange(state_, State{}); }

 private:
  State state_;
  SnapshotHead head_;
  SnapshotCluster cluster_;  // what it says of the counts
};

}  // namespace wh::machine
