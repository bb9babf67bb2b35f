// Makes a state from its items, which come from a snapshot or a backup. Refuses items that no machine can have written:
// more or fewer than announced, one twice, an event out of order, another digest (HAZARDS F12).
#pragma once

#include <string_view>
#include <utility>

#include "machine/snapshot/snapshot_reader.h"
#include "machine/state.h"

namespace wh::machine {

class StateBuilder final : public SnapshotSink {
 public:
  const char* begin(const SnapshotHead& head) override;
  const char* key(std::string_view key, std::string_view value) override;
  const char* event(std::string_view queue, raft::Index id, std::string_view event) override;
  const char* session(std::string_view record) override;
  const char* cluster(const SnapshotCluster& cluster) override;
  const char* idempotency(std::string_view name, const IdempotencyKeys::Answer& answer,
                          std::string_view reply) override;
  const char* end(uint64_t digest) override;

  // The state, after end() accepted it. Call it once.
  State take() { return std::exchange(state_, State{}); }

 private:
  State state_;
  SnapshotHead head_;
  uint64_t idempotency_keys_ = 0;
};

}  // namespace wh::machine
