#include "net/client_turns.h"

namespace wh::net {

ClientTurns::ClientTurns(Loop& loop, BufferBudget& buffers)
    : loop_(loop),
      buffers_(buffers),
      task_(
          loop, TurnTask::Phase::deferred, [](void* self) { static_cast<ClientTurns*>(self)->run_line(); }, this) {}

void ClientTurns::Place::queue() {
  if (queued_) return;
  queued_ = true;
  previous_ = turns_.last_;
  next_ = nullptr;
  (previous_ != nullptr ? previous_->next_ : turns_.first_) = this;
  turns_.last_ = this;
  turns_.task_.queue();
}

void ClientTurns::Place::leave() {
  if (!queued_) return;
  queued_ = false;
  (previous_ != nullptr ? previous_->next_ : turns_.first_) = next_;
  (next_ != nullptr ? next_->previous_ : turns_.last_) = previous_;
}

// A connection that queues again meanwhile goes to the end, behind all others.
void ClientTurns::run_line() {
  while (first_ != nullptr && has_room(Part::line)) {
    Place& place = *first_;
    place.leave();
    place.function_(place.self_);
  }
  if (first_ == nullptr) return;
  note_full();
  task_.queue();
}

bool ClientTurns::has_room(Part part) {
  part_ = part;
  Use& use = parts_[static_cast<size_t>(part)];
  if (use.turn != loop_.turn()) {
    use = {.turn = loop_.turn(), .begun_us = Loop::micros(), .bytes = 0};
    return true;
  }
  return use.bytes < kPartBytes && Loop::micros() - use.begun_us < kPartMicros && !buffers_.exceeded();
}

bool ClientTurns::may_read(uint64_t& round) {
  if (round_turn_ != loop_.turn()) {
    round_turn_ = loop_.turn();
    // All sockets that had something were read: the next round begins.
    if (!short_of_room_) ++round_;
    round_open_ = short_of_room_;
    short_of_room_ = false;
  }
  if (round_open_ && round == round_) return false;
  if (!has_room(Part::arrivals)) {
    short_of_room_ = true;
    note_full();
    return false;
  }
  round = round_;
  return true;
}

void ClientTurns::note_full() {
  if (full_turn_ == loop_.turn()) return;
  full_turn_ = loop_.turn();
  ++full_turns_;
}

}  // namespace wh::net
