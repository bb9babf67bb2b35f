// How far this node's state may be behind: when the leader was last heard, and as of when all is applied that the
// leader had committed then. The two differ on a node that hears its leader well and still catches up. Values only;
// told by Node, asked for stale reads.
#pragma once

#include <optional>

#include "base/clock.h"
#include "raft/types.h"

namespace wh::node {

class LeaderContact {
 public:
  // The leader said that it has committed so far. `applied`: what is applied here by now.
  void heard(raft::Index committed, raft::Index applied, Millis now) {
    heard_at_ = now;
    settle(applied);
    if (!said_ || committed <= said_->committed) said_ = Said{committed, now};
  }
  // It was heard, and said nothing about that.
  void heard(Millis now) { heard_at_ = now; }
  // This node leads, and has applied all that it committed before.
  void leads(Millis now) {
    heard_at_ = fresh_at_ = now;
    said_.reset();
  }

  // Nothing: never, in this process life.
  [[nodiscard]] std::optional<Millis> last_heard(Millis now) const { return since(heard_at_, now); }
  // The age that the state has at most.
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
  std::optional<Said> said_;  // the oldest that is not applied yet: those behind it wait for it
};

}  // namespace wh::node
