#include "machine/machine.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"

namespace wh::machine {

Reply Machine::apply(raft::Index index, Millis time_ms, std::string_view command) {
  advance(index, time_ms);
  const Result<Command> decoded = decode(command);
  WH_ASSERT(decoded || !WH_MUTANT(poison_entry_kills), "an entry is a command");
  if (!decoded) return Reply{.code = ReplyCode::invalid};
  const RequestId& id = decoded->id;
  if (id.sequence != 0 && !state_.sessions.admit(id, index) && !WH_MUTANT(forward_not_deduplicated))
    return Reply{.code = ReplyCode::duplicate};
  return std::visit([this](const auto& body) { return run(body); }, decoded->body);
}

void Machine::advance(raft::Index index, Millis time_ms) {
  WH_ASSERT(index == state_.applied + 1, "entries are applied once each, in order");
  state_.applied = index;
  state_.time_ms = std::max(state_.time_ms, time_ms);
}

Reply Machine::run(const Set& set) {
  for (const auto& [key, value] : set.pairs) {
    const auto old = state_.store.set(key, Bytes(std::string(value)), state_.applied);
    if (old) keep_key(key, *old);
  }
  return Reply{.count = set.pairs.size()};
}

Reply Machine::run(const Delete& del) {
  Reply reply;
  for (const auto key : del.keys) {
    const auto old = state_.store.erase(key);
    if (!old) continue;
    ++reply.count;
    keep_key(key, *old);
  }
  return reply;
}

Reply Machine::run(const Enqueue& enqueue) {
  const raft::Index id = state_.applied;
  const uint64_t length = state_.queues.push(enqueue.queue, Event{id, Bytes(std::string(enqueue.event))});
  return Reply{.event_id = id, .count = 1, .queue_length = length};
}

Reply Machine::run(const Dequeue& dequeue) {
  if (dequeue.only_if_front) {
    const Event* front = state_.queues.front(dequeue.queue);
    if (front == nullptr || front->id.value != *dequeue.only_if_front)
      return Reply{.code = ReplyCode::precondition_failed, .queue_length = queue_length(dequeue.queue)};
  }
  const auto event = state_.queues.pop(dequeue.queue);
  if (!event) return Reply{};
  keep_event(dequeue.queue, *event);
  return Reply{.event_id = event->id, .count = 1, .queue_length = queue_length(dequeue.queue), .event = event->bytes};
}

uint64_t Machine::growth(std::string_view command) const {
  const Result<Command> decoded = decode(command);
  if (!decoded) return 0;
  if (const auto* set = std::get_if<Set>(&decoded->body)) {
    uint64_t total = 0;
    for (const auto& [key, value] : set->pairs) {
      const Bytes* old = get(key);
      if (old == nullptr)
        total += key.size() + value.size() + Store::kOverhead;
      else if (value.size() > old->size())
        total += value.size() - old->size();
    }
    return total;
  }
  if (const auto* enqueue = std::get_if<Enqueue>(&decoded->body)) {
    const uint64_t queue = front(enqueue->queue) == nullptr ? enqueue->queue.size() + Queues::kQueueOverhead : 0;
    return queue + enqueue->event.size() + Queues::kEventOverhead;
  }
  return 0;
}

// The write barrier: what is about to go is handed to every walk that has not come to it.
void Machine::keep_key(std::string_view key, const Store::Item& old) {
  if (WH_MUTANT(snapshot_without_barrier)) return;
  for (auto& walk : walks_)
    if (walk) walk->keep_key(key, old);
}

void Machine::keep_event(std::string_view queue, const Event& old) {
  for (auto& walk : walks_)
    if (walk) walk->keep_event(queue, old);
}

void Machine::begin_snapshot(Walk walk) {
  WH_ASSERT(!walk_of(walk), "one snapshot at a time");
  if (WH_MUTANT(sessions_trimmed_for_snapshot)) state_.sessions = Sessions{};
  walk_of(walk).emplace(state_);
}

bool Machine::next_slice(size_t max_bytes, std::string& out, Walk walk) {
  std::optional<SnapshotWriter>& writer = walk_of(walk);
  WH_ASSERT(writer, "no snapshot was begun");
  const bool more = writer->next_slice(max_bytes, out);
  if (!more) writer.reset();
  return more;
}

Discarded Machine::replace(State state) {
  for (auto& walk : walks_) walk.reset();
  return Discarded(std::exchange(state_, std::move(state)));
}

}  // namespace wh::machine
