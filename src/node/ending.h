// A node that is being stopped: leadership goes to whichever voter can take it best, and to the next one if that fails;
// then the node stays a moment for those that still take it for the leader. What is in progress is answered within a
// bound.
#pragma once

#include <cstdint>
#include <set>

#include "node/context.h"
#include "node/peers.h"

namespace wh::node {

class Ending {
 public:
  Ending(Context& context, const Peers& peers) : ctx_(context), peers_(peers) {}

  // The stop begins: sets by when requests are answered. Once.
  void begin(Millis now);
  // Once a turn: hands leadership over while this node has it.
  void pump(Millis now);
  // The core's word on a transfer, perhaps this one's.
  void transferred(const raft::TransferDone& transfer);
  // Nothing keeps this node for leadership's sake: it does not lead, or nobody can take it over, or there is no more
  // time.
  [[nodiscard]] bool handed_over() const;
  [[nodiscard]] Millis next_deadline() const;

 private:
  Context& ctx_;
  const Peers& peers_;
  bool led_ = false;         // it has led since the stop began
  bool handed_ = false;      // and handed over: another leads, or will in a moment
  Millis linger_until_ = 0;  // then it stays so long, to refuse what is still sent to it as the leader
  Millis retry_at_ = 0;
  uint64_t number_ = 0;  // of the transfer under way
  raft::NodeId to_;
  std::set<raft::NodeId> tried_;
  std::set<raft::NodeId> gave_back_;  // took it over; if this node leads again, they are being stopped too
  bool nobody_ = false;               // answers that could take over
};

}  // namespace wh::node
