// How old this node's state may be: when the leader was last heard, and the time as of which everything that the leader
// had committed is applied here. The two differ on a node that hears its leader well but is still catching up. Plain
// values, without a clock. Owned and called by Reads.
#pragma once

#include <optional>

#include "base/clock.h"
#include "raft/types.h"

namespace wh::node {

class LeaderContact {
 public:
  // The leader said that it has committed up to here. `applied`: up to where this node has applied now.
  void heard(raft::Index committed, raft::Index applied, Millis now) {
    heard_at_ = now;
    settle(applied);
    if (!said_ || committed <= said_->committed) said_ = Said{committed, now};
  }
  // The leader was heard, but said nothing of its commit index.
  void heard(Millis now) { heard_at_ = now; }
  // This node leads, and has applied everything committed before it led.
  void leads(Millis now) {
    heard_at_ = fresh_at_ = now;
    said_.reset();
  }

  // Nothing: never, in this process life.
  [[nodiscard]] std::optional<Millis> last_heard(Millis now) const { return since(heard_at_, now); }
  // An upper bound of the age of the state.
  [[nodiscard]] std::optional<Millis> staleness(raft::Index applied, Millis now) const {
    return since(said_ && said_->committed <= applied ? said_->at : fresh_at_, now);
  }

 private:
  struct Said {
    raft::Index committed;
    Millis at;
  };
  void settle(raft::Index applied) {
    if (!said_ || said_->committed > applied) return;
    fresh_at_ = said_->at;
    said_.reset();
  }
  static std::optional<Millis> since(std::optional<Millis> then, Millis now) {
    return then ? std::optional(now - *then) : std::nullopt;
  }

  std::optional<Millis> heard_at_;
  std::optional<Millis> fresh_at_;
  std::optional<Said> said_;  // the oldest commit index that is not applied yet; newer ones are noted after it
};

}  // namespace wh::node
