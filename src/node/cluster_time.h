// Cluster time at a node (CONTRACT, Promises). The log's stamps go on by the leaders' monotonic clocks; what they lack,
// as nobody led or a clock ran slow, a command of the leader's own brings back: up to what a majority of the voters'
// wall clocks have reached, so that one wrong clock does nothing. When something falls due by the stamps the leader
// proposes one Due; an idle one says the time each second while anything is held, so that little of it is lost when all
// nodes stop. What is due is decided where the entry is applied, on every node alike.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "node/context.h"

namespace wh::node {

class ClusterTime {
 public:
  explicit ClusterTime(Context& context) : ctx_(context) {}

  // This machine's wall clock; before each turn.
  void set_clock(Millis wall_ms, Millis now);
  // The same as of `now`, in ms since 1970; 0: not known.
  [[nodiscard]] Millis wall_ms(Millis now) const { return clock_.at(now); }
  // What a voter's answer says of its clock.
  void note(raft::NodeId from, const PeerMessage& message, Millis now);
  // In ms since 1970: on the leader as of now, on a follower as of the last entry that it applied.
  [[nodiscard]] Millis now_ms(Millis now) const;

  // Leader, once a turn: proposes what time it is, or that something falls due. `writes_wait`: clients' do.
  void watch(bool writes_wait, Millis now);
  // The core's answer to such a proposal; false when it is another's.
  bool proposed(const raft::Proposed& result, Millis now);
  void applied(raft::Index index);
  // What an earlier leadership proposed is nobody's any more.
  void leader_changed() { own_.reset(); }
  [[nodiscard]] Millis next_deadline(Millis now) const;

 private:
  struct Clock {  // as it was at a time
    Millis wall_ms = 0;
    Millis as_of = 0;
    [[nodiscard]] Millis at(Millis now) const { return wall_ms == 0 ? 0 : wall_ms + (now - as_of); }
  };
  struct OwnCommand {
    uint64_t number = 0;
    raft::Index index;  // once it is appended
    raft::Term term;
  };
  Millis clock_of_majority(Millis now);
  [[nodiscard]] bool keeps_time() const;
  void propose(const machine::Body& body, Millis now);

  Context& ctx_;
  Clock clock_;
  Clock first_clock_;                     // of this process life
  std::map<raft::NodeId, Clock> clocks_;  // of voters, as they said last
  std::optional<OwnCommand> own_;         // one at a time
  Millis propose_at_ = 0;                 // not before, as one was refused
  Millis look_at_clocks_at_ = 0;
};

}  // namespace wh::node
