// Remembers the longest turn of the loop, by the clock and by the processor time of its thread, and what each did:
// while a turn works, no client is answered and no heartbeat leaves. At the end of each turn it compares the counters
// with those of the turn before; a turn beyond the limit is logged. Made and called by the server; INFO shows what it
// remembers.
#pragma once

#include <cstdint>
#include <string>

#include "base/log.h"
#include "net/loop.h"

namespace wh::metrics {

// The work done in turns, counted since the start.
struct TurnWork {
  uint64_t peer_messages = 0;
  uint64_t http_requests = 0;
  uint64_t commands = 0;
  uint64_t connections = 0;
  uint64_t entries_applied = 0;
  uint64_t storage_results = 0;
  uint64_t reads = 0;
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
};

class TurnWatch {
 public:
  // `limit_us`: a turn longer than this is logged.
  void turn_ended(const net::TurnTimes& times, const TurnWork& counted, uint64_t limit_us, Millis now);

  // "12 messages of members, 340 entries applied; 3 ms on arrivals, 41 ms in the node, 2 ms on sending, 50 ms of
  // the processor"; empty before the first turn.
  [[nodiscard]] const std::string& longest_work() const { return longest_.work; }
  [[nodiscard]] const std::string& longest_cpu_work() const { return longest_cpu_.work; }
  [[nodiscard]] uint64_t too_long() const { return too_long_; }
  // CONFIG RESETSTAT.
  void reset();

 private:
  struct Longest {
    uint64_t us = 0;
    std::string work;
  };

  TurnWork before_;  // the counters at the end of the turn before
  Longest longest_;
  Longest longest_cpu_;
  uint64_t too_long_ = 0;
  LogLimiter limiter_{10'000};
};

}  // namespace wh::metrics
