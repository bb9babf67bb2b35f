#include "net/tls_gate.h"

#include <algorithm>

#include "base/assert.h"

namespace wh::net {

HandshakeGate::HandshakeGate(Loop& loop, uint64_t handshake_ms, uint64_t first_byte_ms)
    : loop_(loop),
      handshake_ms_(handshake_ms),
      first_byte_ms_(first_byte_ms),
      task_(
          loop, TurnTask::Phase::deferred, [](void* self) { static_cast<HandshakeGate*>(self)->take_step(); }, this) {
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const bool clients = static_cast<Lane>(lane) == Lane::client;
    places_[lane][0].most = clients ? kMaxSilent : kMaxPeersSilent;
    places_[lane][1].most = clients ? kMaxHandshakes : kMaxPeersHandshakes;
  }
}

HandshakeGate::~HandshakeGate() { WH_ASSERT(tickets_ == 0, "a handshake outlived its gate"); }

size_t HandshakeGate::under_way(Lane lane) const {
  const auto& stages = places_[static_cast<size_t>(lane)];
  return stages[0].tickets.size() + stages[1].tickets.size();
}

// ---- Places

bool HandshakeGate::Places::over_share(uint64_t group) const {
  const auto found = held.find(group);
  return found != held.end() && found->second > most / kShares;
}

void HandshakeGate::Places::add(Ticket& ticket) {
  ticket.place_ = tickets.insert(tickets.end(), &ticket);
  ++held[ticket.group_];
}

void HandshakeGate::Places::remove(Ticket& ticket) {
  tickets.erase(ticket.place_);
  const auto found = held.find(ticket.group_);
  if (--found->second == 0) held.erase(found);
}

void HandshakeGate::Places::moved(Ticket& ticket) { tickets.splice(tickets.end(), tickets, ticket.place_); }

HandshakeGate::Places& HandshakeGate::places(const Ticket& ticket) {
  return places_[static_cast<size_t>(ticket.lane_)][static_cast<size_t>(ticket.stage_)];
}

// A new connection always gets a place: that of an address that holds more than its share, or else of the connection
// that has been silent longest.
void HandshakeGate::enter(Ticket& ticket) {
  Places& silent = places(ticket);
  if (silent.full()) {
    Ticket* victim = silent.tickets.front();
    for (Ticket* each : silent.tickets) {
      if (!silent.over_share(each->group_)) continue;
      victim = each;
      break;
    }
    evict(*victim);
  }
  silent.add(ticket);
}

// The greeting has come. A handshake that progresses keeps its place; one whose peer has not answered for a while gives
// it up, and so does an address beyond its share, to one within its share.
bool HandshakeGate::begin(Ticket& ticket) {
  places(ticket).remove(ticket);
  ticket.stage_ = Ticket::Stage::under_way;
  Places& begun = places(ticket);
  if (begun.full()) {
    const bool modest = !begun.over_share(ticket.group_);
    const Millis time = loop_.now();
    const uint64_t grace_ms = ticket.lane_ == Lane::peer ? kPeersGraceMs : kGraceMs;
    Ticket* stalled = nullptr;
    Ticket* stalled_greedy = nullptr;
    Ticket* greedy = nullptr;
    for (Ticket* each : begun.tickets) {
      const bool stands = !each->waiting_ && time >= each->moved_at_ + grace_ms;
      const bool takes_much = begun.over_share(each->group_);
      if (stands && stalled == nullptr) stalled = each;
      if (takes_much && greedy == nullptr) greedy = each;
      if (!stands || !takes_much) continue;
      stalled_greedy = each;
      break;
    }
    Ticket* victim = stalled_greedy != nullptr ? stalled_greedy : stalled;
    if (victim == nullptr && modest) victim = greedy;
    if (victim == nullptr) {
      ticket.stage_ = Ticket::Stage::left;
      --tickets_;
      ++refused_;
      return false;
    }
    evict(*victim);
  }
  begun.add(ticket);
  return true;
}

void HandshakeGate::evict(Ticket& ticket) {
  ++evicted_;
  ticket.leave();
  ticket.give_way_(ticket.self_);
}

// ---- Tickets

HandshakeGate::Ticket::Ticket(HandshakeGate& gate, Lane lane, std::optional<uint64_t> group, Function step,
                              Function give_way, void* self)
    : gate_(gate),
      lane_(lane),
      dialled_(!group),
      stage_(dialled_ ? Stage::under_way : Stage::silent),
      group_(group.value_or(0)),
      step_(step),
      give_way_(give_way),
      self_(self),
      moved_at_(gate.loop_.now()) {
  ++gate_.tickets_;
  if (!dialled_) gate_.enter(*this);
}

bool HandshakeGate::Ticket::ask() {
  WH_ASSERT(stage_ != Stage::left, "only a handshake under way takes steps");
  if (waiting_) return true;
  if (stage_ == Stage::silent && !gate_.begin(*this)) return false;
  waiting_ = true;
  // A handshake that has come further goes first, so that a crowd that only greets does not delay it.
  std::deque<Ticket*>& queue = gate_.queues_[static_cast<size_t>(lane_)];
  if (stepped_ && !dialled_)
    queue.push_front(this);
  else
    queue.push_back(this);
  gate_.task_.queue();
  return true;
}

void HandshakeGate::Ticket::leave() {
  if (stage_ == Stage::left) return;
  if (!dialled_) gate_.places(*this).remove(*this);
  stage_ = Stage::left;
  --gate_.tickets_;
  if (waiting_) std::erase(gate_.queues_[static_cast<size_t>(lane_)], this);
  waiting_ = false;
}

void HandshakeGate::Ticket::failed(const std::string& peer_address, uint16_t local_port, std::string_view why) {
  ++gate_.failures_;
  if (gate_.on_failure_) gate_.on_failure_(lane_, peer_address, local_port, why);
}

// ---- Steps

// Members go first, but not for ever; the other two lanes alternate.
std::deque<HandshakeGate::Ticket*>* HandshakeGate::next_queue() {
  const auto queue = [this](Lane lane) { return &queues_[static_cast<size_t>(lane)]; };
  auto* const peers = queue(Lane::peer);
  auto* others = queue(clients_next_ ? Lane::client : Lane::stranger);
  if (others->empty()) others = queue(clients_next_ ? Lane::stranger : Lane::client);
  if (!peers->empty() && (others->empty() || ++peer_steps_ < kPeerSteps)) return peers;
  peer_steps_ = 0;
  if (others->empty()) return nullptr;
  clients_next_ = others == queue(Lane::stranger);
  return others;
}

void HandshakeGate::take_step() {
  std::deque<Ticket*>* const queue = next_queue();
  if (queue == nullptr) return;
  Ticket& ticket = *queue->front();
  queue->pop_front();
  ticket.waiting_ = false;
  ticket.stepped_ = true;
  ticket.moved_at_ = loop_.now();
  if (!ticket.dialled_) places(ticket).moved(ticket);
  ++steps_;
  // The others wait for the next turn, which comes at once.
  if (std::any_of(queues_.begin(), queues_.end(), [](const auto& each) { return !each.empty(); })) task_.queue();
  ticket.step_(ticket.self_);
}

}  // namespace wh::net
