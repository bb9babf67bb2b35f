// The state that the log up to `applied` results in, as one movable value.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/cluster_version.h"
#include "base/hash.h"
#include "machine/dedup/idempotency.h"
#include "machine/dedup/sessions.h"
#include "machine/queue/queues.h"
#include "machine/settings.h"
#include "machine/store/store.h"
#include "raft/types.h"

namespace wh::machine {

struct State {
  State() = default;
  State(State&&) = default;
  State& operator=(State&&) = default;

  raft::Index applied;
  Millis time_ms = 0;    // the last stamp in the log
  Millis jumped_ms = 0;  // by how much all jumps together brought cluster time forward (as of version 2)
  ClusterVersion version = kFirstVersion;
  Settings settings;
  Store store;
  Queues queues;
  Sessions sessions;
  IdempotencyKeys idempotency;

  // Cluster time in ms since 1970: never goes back. Stamps advance only while there is a leader; the jumps make up for
  // the rest.
  [[nodiscard]] Millis cluster_time_ms() const { return time_ms + jumped_ms; }

  // A hash of everything but `applied` and the stamp: equal for equal states, whatever their history, and different for
  // others but for a collision. O(1).
  [[nodiscard]] uint64_t digest() const {
    const uint64_t first = mix64(mix64(store.digest(), queues.digest(version)), sessions.digest());
    if (version == kFirstVersion) return first;
    uint64_t all = mix64(mix64(mix64(first, version), jumped_ms), idempotency.digest());
    for (const SettingRow& row : settings_as_of(version)) all = mix64(all, settings.*row.value);
    if (version >= 4) all = mix64(all, store.since().value);
    return all;
  }
  // What `maxmemory` is compared with.
  [[nodiscard]] uint64_t logical_bytes() const { return store.logical_bytes() + queues.logical_bytes(); }
};

}  // namespace wh::machine
