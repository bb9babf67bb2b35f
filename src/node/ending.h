// Stops a node in order: hands leadership to the voter that can take it best, and to the next one if that fails; then
// keeps the node running a moment for members that still take it for the leader. Sets the time by which every request
// in progress is answered; the parts that hold requests answer them. Called by Node.
#pragma once

#include <cstdint>
#include <set>

#include "node/context.h"
#include "node/peers.h"

namespace wh::node {

class Ending {
 public:
  Ending(Context& context, const Peers& peers) : ctx_(context), peers_(peers) {}

  // Begins the stop and sets when all requests must be answered. Once.
  void begin(Millis now);
  // Once a turn: hands leadership over while this node leads.
  void pump(Millis now);
  // The core's result of a transfer, perhaps of this one.
  void transferred(const raft::TransferDone& transfer);
  // Leadership no longer keeps this node running: it does not lead, or nobody can take over, or the time is up.
  [[nodiscard]] bool handed_over() const;
  [[nodiscard]] Millis next_deadline() const;

 private:
  Context& ctx_;
  const Peers& peers_;
  bool led_ = false;         // it has led since the stop began
  bool handed_ = false;      // it handed leadership over: another node leads, or will in a moment
  Millis linger_until_ = 0;  // it stays until then, to refuse requests still sent to it as the leader
  Millis retry_at_ = 0;
  uint64_t number_ = 0;  // of the transfer in progress
  raft::NodeId to_;
  std::set<raft::NodeId> tried_;
  std::set<raft::NodeId> gave_back_;  // these took over; if this node leads again, they are being stopped too
  bool nobody_ = false;               // no voter that answers could take over
};

}  // namespace wh::node
