// Everything that the log up to `applied` means, as one movable value.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/hash.h"
#include "machine/queue/queues.h"
#include "machine/dedup/sessions.h"
#include "machine/store/store.h"
#include "raft/types.h"

namespace wh::machine {

struct State {
  State() = default;
  State(State&&) = default;
  State& operator=(State&&) = default;

  raft::Index applied;
  Millis time_ms = 0;  // cluster time: the last stamp in the log
  Store store;
  Queues queues;
  Sessions sessions;

  // A hash of keys, queues and sessions: equal where they are equal, and else different but for bad luck. Neither
  // `applied` nor the way here goes into it. O(1).
  [[nodiscard]] uint64_t digest() const { return mix64(mix64(store.digest(), queues.digest()), sessions.digest()); }
  // What `maxmemory` is compared with.
  [[nodiscard]] uint64_t logical_bytes() const { return store.logical_bytes() + queues.logical_bytes(); }
};

}  // namespace wh::machine
