// Acts on the room that is left (room.h): the leader refuses writes that add data where there is no room, before it
// proposes them and never when it applies them; and it hands leadership to a voter whose disk has room. Raft's safety
// depends on none of it. Called by Node, and by Writes before each proposal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "node/context.h"
#include "node/peers.h"
#include "node/room.h"

namespace wh::node {

class RoomWatch {
 public:
  RoomWatch(Context& context, const Peers& peers, const Room& room) : ctx_(context), peers_(peers), room_(room) {}

  // Once a turn: reports a change to the core and in the log, and hands leadership over. True: the disk has room again.
  bool watch(Millis now);
  // An error: this leader refuses a command (in its envelope) that grows the data by `growth` bytes.
  [[nodiscard]] Status check(std::string_view command, uint64_t growth) const;

 private:
  Context& ctx_;
  const Peers& peers_;
  const Room& room_;
  Millis hand_over_at_ = 0;  // no handover before this time
};

}  // namespace wh::node
