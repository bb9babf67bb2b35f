// Limits the bytes in flight to one follower, so that later messages do not wait long behind them. One connection
// carries everything: on a slow link a heartbeat behind a megabyte of snapshot would arrive after the election timeout,
// and the follower would campaign against a healthy leader. The limit adapts to round trips: it doubles while replies
// are quick and the limit held something back, and is halved when a message waited too long.
#pragma once

#include <algorithm>
#include <cstdint>

#include "raft/types.h"

namespace wh::raft {

class Pace {
 public:
  static constexpr uint64_t kFirst = 4 << 10;
  static constexpr uint64_t kLeast = 2 << 10;

  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  // The limit held something back.
  void limited() { limited_ = true; }

  // A message that left at `sent` was answered now; `sent` includes the time that the follower held the reply back.
  // `wait`: how long anything may wait behind the bytes in flight. `most`: an upper bound in bytes.
  void answered(Millis now, Millis sent, Millis wait, uint64_t most) {
    if (sent == 0 || sent > now) return;
    const Millis trip = now - sent;
    shortest_ = std::min(shortest_, trip);
    // A message sent before the last change says nothing about it.
    if (sent < changed_at_) return;
    const Millis waited = trip - shortest_;
    if (waited > wait) {
      bytes_ = std::max(kLeast, bytes_ / 2);
      shrunk_ = true;
    } else if (limited_ && waited <= wait / 2 && bytes_ < most) {
      // Once the limit was halved, it grows in small steps.
      bytes_ = std::min(most, bytes_ + (shrunk_ ? bytes_ / 4 : bytes_));
    } else {
      return;
    }
    limited_ = false;
    changed_at_ = now;
  }

 private:
  uint64_t bytes_ = kFirst;
  Millis shortest_ = kNever;  // shortest round trip on this connection: the link's own latency
  Millis changed_at_ = 0;
  bool limited_ = false;
  bool shrunk_ = false;
};

}  // namespace wh::raft
