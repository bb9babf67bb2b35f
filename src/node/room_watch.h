// What the node does about room (room.h): the leader refuses writes that would add data where there is none, before it
// proposes them and never when it applies; and it hands over to a voter whose disk has room. Raft's safety depends on
// none of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "node/context.h"
#include "node/peers.h"
#include "node/room.h"

namespace wh::node {

class RoomWatch {
 public:
  RoomWatch(Context& context, const Peers& peers, const Room& room) : ctx_(context), peers_(peers), room_(room) {}

  // Once a turn: tells the core and the log of a change, and hands over. True: the disk has room again.
  bool watch(Millis now);
  // Why this leader does not propose a command (in its envelope) that grows the data by `growth`; empty: it does.
  [[nodiscard]] std::string lack(std::string_view command, uint64_t growth) const;

 private:
  Context& ctx_;
  const Peers& peers_;
  const Room& room_;
  Millis hand_over_at_ = 0;  // not before
};

}  // namespace wh::node
