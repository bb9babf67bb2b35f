// How old this node's state may be: when the leader was last heard, and the time as of which everything that was
// committed is applied here. The two differ on a node that hears its leader well but is still catching up. Plain
// values, without a clock. Owned and called by Reads.
#pragma once

#include <algorithm>
#include <optional>

#include "base/clock.h"
#include "raft/types.h"

namespace wh::node {

class LeaderContact {
 public:
  // The leader of `term` knew, at `at`, that all up to here is committed. `applied`: what this node has applied now.
  // Until an entry of its own term is committed, a leader may know of less than what is: the index counts only once an
  // entry of that term is applied.
  void heard(raft::Position committed_in_term, raft::Position applied, Millis at) {
    settle(applied);
    if (!said_ || committed_in_term.index <= said_->committed_in_term.index) said_ = Said{committed_in_term, at};
  }
  // The leader was heard now.
  void heard(Millis now) { heard_at_ = now; }

  // When, by our clock, the leader sent a message that says `sent_at`, by its own: a message may have lain here, or on
  // the way, for long. The fastest message so far tells how the clocks differ; it counts for less as time goes by, as
  // no two clocks run equally fast.
  Millis sent(raft::NodeId leader, raft::Term term, Millis sent_at, Millis now) {
    if (sent_at == 0) return now;
    constexpr int64_t kDrift = 1'000;  // of so many parts, one
    int64_t ahead = static_cast<int64_t>(now) - static_cast<int64_t>(sent_at);
    if (clock_ && clock_->leader == leader && clock_->term == term)
      ahead = std::min(ahead, clock_->ahead + (static_cast<int64_t>(now - clock_->noted_at) + kDrift - 1) / kDrift);
    clock_ = Clock{leader, term, ahead, now};
    return static_cast<Millis>(
        std::clamp<int64_t>(static_cast<int64_t>(sent_at) + ahead, 0, static_cast<int64_t>(now)));
  }

  // Nothing: never, in this process life.
  [[nodiscard]] std::optional<Millis> last_heard(Millis now) const { return since(heard_at_, now); }
  // An upper bound of the age of the state.
  [[nodiscard]] std::optional<Millis> staleness(raft::Position applied, Millis now) const {
    return since(settled(applied) ? said_->at : fresh_at_, now);
  }

 private:
  struct Said {
    raft::Position committed_in_term;
    Millis at;
  };
  struct Clock {
    raft::NodeId leader;
    raft::Term term;
    int64_t ahead;  // our clock, of the leader's
    Millis noted_at;
  };
  [[nodiscard]] bool settled(raft::Position applied) const {
    return said_ && said_->committed_in_term.index <= applied.index && said_->committed_in_term.term <= applied.term;
  }
  void settle(raft::Position applied) {
    if (!settled(applied)) return;
    fresh_at_ = std::max(fresh_at_.value_or(0), said_->at);
    said_.reset();
  }
  static std::optional<Millis> since(std::optional<Millis> then, Millis now) {
    return then ? std::optional(now > *then ? now - *then : 0) : std::nullopt;
  }

  std::optional<Millis> heard_at_;
  std::optional<Millis> fresh_at_;
  std::optional<Said> said_;  // the oldest commit index that is not applied yet; newer ones are noted after it
  std::optional<Clock> clock_;
};

}  // namespace wh::node
