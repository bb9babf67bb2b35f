// What this node did in the last fifteen minutes, in samples of five seconds: how many calls of each kind, how long
// they took, how many entries were applied. Calls adds each completed call; the server's sweep closes a sample. Of this
// process alone, in memory of a fixed size; CONFIG RESETSTAT does not touch it. Shown by GET /node/history.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "base/clock.h"
#include "base/histogram.h"
#include "raft/types.h"

namespace wh::api {

class Activity {
 public:
  static constexpr Millis kIntervalMs = 5'000;
  static constexpr size_t kSamples = 180;

  // Of the calls that waited for nothing but their own execution.
  struct Latency {
    uint64_t count = 0;  // 0: the others mean nothing
    uint64_t p50_us = 0;
    uint64_t p99_us = 0;
    uint64_t max_us = 0;
  };
  struct Sample {
    int64_t ended_unix_ms = 0;
    Millis lasted_ms = 0;  // longer than the interval after a stall
    uint64_t writes = 0;   // of this node's clients
    uint64_t reads = 0;
    uint64_t failed = 0;   // writes and reads that were not done
    uint64_t applied = 0;  // entries of the log, whoever's clients they came from
    Latency write;
    Latency read;
  };

  enum class Kind : uint8_t { write, read };
  // `waited`: it was allowed to wait for something to happen, so its duration says nothing of the node.
  void completed(Kind kind, uint64_t took_us, bool done, bool waited);
  // Closes the sample when its time is over. Called a few times a second.
  void sweep(Millis now, int64_t unix_ms, raft::Index applied);
  // The oldest first.
  [[nodiscard]] const std::deque<Sample>& samples() const { return samples_; }

 private:
  static Latency latency_of(const Histogram& took);

  std::deque<Sample> samples_;
  Sample current_;
  Histogram write_us_;
  Histogram read_us_;
  Millis since_ = 0;  // 0: not begun
  raft::Index applied_;
};

}  // namespace wh::api
