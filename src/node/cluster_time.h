// Keeps cluster time (CONTRACT, Promises). The log's stamps follow the leaders' monotonic clocks, so they fall behind
// while nobody leads or when a clock runs slow. The leader then proposes a command that moves time forward, up to the
// time that a majority of the voters' wall clocks have reached, so that one wrong clock has no effect. When something
// falls due by the stamps, the leader proposes one Due. While anything has a deadline, an idle leader proposes one each
// second, so that little time is lost when all nodes stop. What is due is decided when the entry is applied, on every
// node alike, and not here. Called by Node.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "node/context.h"

namespace wh::node {

class ClusterTime {
 public:
  explicit ClusterTime(Context& context) : ctx_(context) {}

  // This machine's wall clock; called before each turn.
  void set_clock(Millis wall_ms, Millis now);
  // This machine's wall clock at `now`, in ms since 1970; 0: not known.
  [[nodiscard]] Millis wall_ms(Millis now) const { return clock_.at(now); }
  // A message came: notes the sender's clock if it is a voter's answer.
  void note(raft::NodeId from, const PeerMessage& message, Millis now);
  // Cluster time in ms since 1970: on the leader as of now, on a follower as of the last entry that it applied.
  [[nodiscard]] Millis now_ms(Millis now) const;

  // Leader, once a turn: proposes a command that moves time forward, or a Due. `writes_wait`: clients' writes wait to
  // be proposed.
  void watch(bool writes_wait, Millis now);
  // The core's answer to such a proposal; false if the proposal was another part's.
  bool proposed(const raft::Proposed& result, Millis now);
  void applied(raft::Index index);
  // The leader changed: a command proposed before is no longer awaited.
  void leader_changed() { own_.reset(); }
  [[nodiscard]] Millis next_deadline(Millis now) const;

 private:
  struct Clock {  // a wall clock, as read at one time
    Millis wall_ms = 0;
    Millis as_of = 0;
    [[nodiscard]] Millis at(Millis now) const { return wall_ms == 0 ? 0 : wall_ms + (now - as_of); }
  };
  struct OwnCommand {
    uint64_t number = 0;
    raft::Index index;  // known once it is appended
    raft::Term term;
  };
  Millis clock_of_majority(Millis now);
  [[nodiscard]] bool keeps_time() const;
  void propose(const machine::Body& body, Millis now);

  Context& ctx_;
  Clock clock_;
  Clock first_clock_;                     // the first of this process life
  std::map<raft::NodeId, Clock> clocks_;  // the voters' clocks, as they last reported them
  std::optional<OwnCommand> own_;         // one at a time
  Millis propose_at_ = 0;                 // no proposal before this time, as one was refused
  Millis look_at_clocks_at_ = 0;
};

}  // namespace wh::node
