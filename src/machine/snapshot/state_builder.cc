#include "machine/snapshot/state_builder.h"

#include "machine/command/command.h"

namespace wh::machine {

const char* StateBuilder::begin(const SnapshotHead& head) {
  head_ = head;
  state_.applied = head.applied;
  state_.time_ms = head.time_ms;
  // Each event has a log index of its own.
  if (head.applied.value >= raft::kLimit || head.events > head.applied.value || head.sessions > Sessions::kMaxOrigins)
    return "numbers out of range in the snapshot's header";
  return nullptr;
}

const char* StateBuilder::key(std::string_view key, std::string_view value) {
  if (key.empty() || key.size() > kMaxKeyBytes || value.size() > kMaxValueBytes)
    return "a key or value out of bounds in the snapshot";
  if (state_.store.items().size() == head_.keys) return "more keys in the snapshot than it says";
  if (!state_.store.load(key, Bytes(std::string(value)))) return "a key twice in the snapshot";
  return nullptr;
}

const char* StateBuilder::event(std::string_view queue, raft::Index id, std::string_view event) {
  if (queue.empty() || queue.size() > kMaxQueueNameBytes) return "a queue's name out of bounds in the snapshot";
  if (event.empty() || event.size() > kMaxValueBytes) return "an event out of bounds in the snapshot";
  if (state_.queues.event_count() == head_.events) return "more events in the snapshot than it says";
  const Event* before = state_.queues.back(queue);
  if (id.value == 0 || id > state_.applied || (before != nullptr && id <= before->id))
    return "an event's id out of order in the snapshot";
  state_.queues.push(queue, Event{id, Bytes(std::string(event))});
  return nullptr;
}

const char* StateBuilder::session(std::string_view record) {
  return state_.sessions.load(record, state_.applied) ? nullptr : "a malformed session in the snapshot";
}

const char* StateBuilder::end(uint64_t digest) {
  if (state_.store.items().size() != head_.keys || state_.queues.event_count() != head_.events ||
      state_.sessions.size() != head_.sessions)
    return "fewer items in the snapshot than it says";
  if (digest != state_.digest()) return "the snapshot's digest does not match";
  return nullptr;
}

}  // namespace wh::machine
