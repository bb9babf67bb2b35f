#include "net/tls_gate.h"

#include <algorithm>

#include "base/assert.h"

namespace wh::net {

HandshakeGate::HandshakeGate(Loop& loop, uint64_t handshake_ms)
    : handshake_ms_(handshake_ms),
      task_(
          loop, TurnTask::Phase::deferred, [](void* self) { static_cast<HandshakeGate*>(self)->take_step(); }, this) {}

HandshakeGate::~HandshakeGate() { WH_ASSERT(count_[0] + count_[1] == 0, "a handshake outlived its gate"); }

HandshakeGate::Ticket::Ticket(HandshakeGate& gate, Lane lane, Step step, void* self)
    : gate_(gate),
      lane_(static_cast<size_t>(lane)),
      step_(step),
      self_(self),
      admitted_(gate.count_[lane_] < kMaxHandshakes) {
  if (admitted_) ++gate_.count_[lane_];
}

void HandshakeGate::Ticket::ask() {
  WH_ASSERT(admitted_, "only a handshake under way takes steps");
  if (waiting_) return;
  waiting_ = true;
  gate_.queues_[lane_].push_back(this);
  gate_.task_.queue();
}

void HandshakeGate::Ticket::leave() {
  if (!admitted_) return;
  admitted_ = false;
  --gate_.count_[lane_];
  if (waiting_) std::erase(gate_.queues_[lane_], this);
  waiting_ = false;
}

void HandshakeGate::Ticket::failed(const std::string& peer_address, std::string_view why) {
  ++gate_.failures_;
  if (gate_.on_failure_) gate_.on_failure_(static_cast<Lane>(lane_), peer_address, why);
}

void HandshakeGate::take_step() {
  for (std::deque<Ticket*>& queue : queues_) {
    if (queue.empty()) continue;
    Ticket& ticket = *queue.front();
    queue.pop_front();
    ticket.waiting_ = false;
    ++steps_;
    // The others wait for the next turn, which comes at once.
    if (!queues_[0].empty() || !queues_[1].empty()) task_.queue();
    ticket.step_(ticket.self_);
    return;
  }
}

}  // namespace wh::net
