// What only the leader knows of the members: who answers, how far each log has come, how many more voters may fail. The
// leader tells each member once a second, so that every node can show it. Decides nothing and changes nothing; nothing
// depends on it. Called by Node.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "node/context.h"
#include "node/peers.h"
#include "node/tolerance.h"

namespace wh::node {

class Overview {
 public:
  static constexpr Millis kIntervalMs = 1'000;
  // Older members do not know the message.
  static constexpr ClusterVersion kVersion = 4;

  struct View {
    raft::NodeId leader;  // who said so
    Millis age_ms = 0;    // how long ago it came; 0 on the leader
    MembersSeen seen;
  };

  Overview(Context& context, const Peers& peers, const Tolerance& tolerance)
      : ctx_(context), peers_(peers), tolerance_(tolerance) {}

  // Once a turn: the leader tells the others, when it is time to.
  void watch(Millis now);
  // Counts only from the leader that this node follows, in its term.
  void on_told(raft::NodeId from, MembersSeen& message, Millis now);
  // On the leader what it sees now; elsewhere what the last leader said. Nothing: none has said anything yet.
  [[nodiscard]] std::optional<View> view(Millis now) const;

 private:
  [[nodiscard]] MembersSeen seen_here() const;

  Context& ctx_;
  const Peers& peers_;
  const Tolerance& tolerance_;
  Millis told_at_ = 0;  // the leader: when it told the others
  std::optional<View> heard_;
  Millis heard_at_ = 0;
};

}  // namespace wh::node
