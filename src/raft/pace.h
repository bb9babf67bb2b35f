// How much may be under way to one follower, so that what is sent behind it does not wait long. All goes over one
// connection: on a slow link a heartbeat behind a megabyte of snapshot would come after the election timeout, and the
// follower would campaign against a leader that is well. Found out as it goes, from round trips: the amount doubles
// while answers are quick and more would have been sent, and is halved when what was sent waited for too long.
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
  // More would have been sent, had it been allowed.
  void limited() { limited_ = true; }

  // A message that left at `sent` was answered, now; the time for which the follower held the answer back is taken off.
  // `wait`: for how long anything may wait behind what is under way. `most`: bytes that are never exceeded.
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
      // Having met the link's limit once, it goes there in small steps.
      bytes_ = std::min(most, bytes_ + (shrunk_ ? bytes_ / 4 : bytes_));
    } else {
      return;
    }
    limited_ = false;
    changed_at_ = now;
  }

 private:
  uint64_t bytes_ = kFirst;
  Millis shortest_ = kNever;  // round trip on this connection: the link's own latency
  Millis changed_at_ = 0;
  bool limited_ = false;
  bool shrunk_ = false;
};

}  // namespace wh::raft
