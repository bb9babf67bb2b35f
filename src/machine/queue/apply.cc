// What the commands on the queues do to the state.
#include "machine/machine.h"

namespace wh::machine {

Reply Machine::run(const Enqueue& enqueue) {
  const raft::Index id = state_.applied;
  const uint64_t length = state_.queues.push(enqueue.queue, Event{id, kept(enqueue.event)});
  effects_.ready_queues.push_back(enqueue.queue);
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

uint64_t Machine::growth_by(const Enqueue& enqueue) const {
  const uint64_t queue = front(enqueue.queue) == nullptr ? enqueue.queue.size() + Queues::kQueueOverhead : 0;
  return queue + enqueue.event.size() + Queues::kEventOverhead;
}

void Machine::keep_event(std::string_view queue, const Event& old) {
  for (auto& walk : walks_)
    if (walk) walk->keep_event(queue, old);
}

}  // namespace wh::machine
