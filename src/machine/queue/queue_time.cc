// What falls due: reservations that end, delays, expiry, dead letters.
#include <algorithm>

#include "base/mutant.h"
#include "machine/queue/queue_ops.h"

namespace wh::machine {

// --- what time does

// The delay before the next delivery of an event that was delivered that often.
Millis QueueOps::backoff_after(const Queue& queue, uint32_t deliveries) const {
  if (!queue.own.backoff || queue.own.backoff->empty() || deliveries == 0) return 0;
  const std::vector<Millis>& delays = *queue.own.backoff;
  return delays[std::min<size_t>(deliveries, delays.size()) - 1];
}

// A dead letter keeps the count that killed it: the limit of its own queue, or of a queue that no longer takes dead
// letters, would end it at once. Only a limit that its queue sets itself counts for it.
uint64_t QueueOps::delivery_limit(const Queue& queue, const Event& event) const {
  const bool dead = event.extra && event.extra->id != 0;
  if (dead && !queue.own.numbers[static_cast<size_t>(QueueSetting::max_deliveries)]) return 0;
  return setting(queue, QueueSetting::max_deliveries);
}

// A name may be too long for one more suffix: then an event that was delivered too often, or buried, stays.
bool QueueOps::has_end(const Queue& queue) const {
  return queue.own.dead_letter_queue || !queues_.dead_letter_queue(queue).empty();
}

// Its receipt still acknowledges it, until it is delivered again.
void QueueOps::time_out(Queue& queue, Event& event) { give_back(queue, event, event.due + at_.jumped, std::nullopt); }

void QueueOps::give_back(Queue& queue, Event& event, Millis from, std::optional<Millis> delay) {
  const uint64_t limit = delivery_limit(queue, event);
  const uint64_t allowed = WH_MUTANT(dies_one_late) ? limit + 1 : limit;
  if (limit != 0 && event.deliveries >= allowed && has_end(queue))
    return die(queue, event, "delivered " + std::to_string(event.deliveries) + " times");
  const Millis due = from + delay.value_or(backoff_after(queue, event.deliveries));
  {
    Changing changing(*this, queue, event);
    changing->state = due > at_.now() ? EventState::backoff : EventState::ready;
    changing->due = due > at_.now() ? due : 0;
    if (WH_MUTANT(backoff_lets_others_by) && changing->group != nullptr) changing->group->holder = nullptr;
  }
  if (event.expires_at != 0 && event.expires_at <= at_.now()) expire(queue, event);
}

// For an event that nobody holds.
void QueueOps::fall_due(Queue& queue, Event& event) {
  if (event.expires_at != 0 && event.expires_at <= at_.now()) return expire(queue, event);
  if (event.state == EventState::ready || event.due > at_.now()) return;
  Changing changing(*this, queue, event);
  changing->state = EventState::ready;
  changing->due = 0;
}

void QueueOps::expire(Queue& queue, Event& event) {
  touch(queue);
  ++queue.totals.expired;
  const bool dies = setting(queue, QueueSetting::on_expiry) == static_cast<uint64_t>(OnExpiry::dead_letter);
  if (dies && !queues_.takes_dead_letters(queue) && has_end(queue)) return die(queue, event, "expired");
  (void)take_out(queue, event);
}

// In one step with its cause, and never refused (HAZARDS Q12).
void QueueOps::die(Queue& queue, Event& event, std::string reason) {
  touch(queue);
  ++queue.totals.dead_lettered;
  const std::string target = queues_.dead_letter_queue(queue);
  const std::string group = event.group == nullptr ? std::string() : *event.group->name;
  Event dead = take_out(queue, event);
  if (target.empty() || target == *queue.name) return;
  if (!dead.extra) dead.extra = std::make_unique<EventExtra>();
  EventExtra& extra = *dead.extra;
  if (extra.id == 0) {
    extra.id = dead.arrival;
    extra.enqueued_at = dead.arrived_at;
  }
  extra.reason = std::move(reason);
  extra.source_queue = *queue.name;
  Queue& into = ensure(target);
  if (WH_MUTANT(dead_letter_needs_room) && !check_room(&into, target, 1, dead.data_bytes())) return;
  dead.arrival = next_number();
  dead.arrived_at = at_.now();
  dead.state = EventState::ready;
  dead.due = 0;
  dead.delivery = 0;
  const Millis ttl = setting(into, QueueSetting::ttl);
  if (!WH_MUTANT(ttl_goes_along)) dead.expires_at = ttl == 0 ? 0 : at_.now() + ttl;
  insert(into, std::move(dead), group);
}

Event* QueueOps::catch_up(Queue& queue, uint64_t id) {
  // Each step ends a state, so few are needed.
  for (int steps = 0; steps < 4; ++steps) {
    Event* event = queue.content->find(id);
    if (event == nullptr) return nullptr;
    if (event->state == EventState::reserved) {
      if (event->due > at_.stamp) return event;
      time_out(queue, *event);
    } else {
      if (event->next_due() > at_.now()) return event;
      fall_due(queue, *event);
    }
  }
  return queue.content->find(id);
}

Queue* QueueOps::find_swept(std::string_view queue) {
  size_t budget = kDueEventsPerEntry;
  return find_swept(queue, budget);
}

Queue* QueueOps::find_swept(std::string_view queue, size_t& budget) {
  Queue* found = find(queue);
  if (found != nullptr) sweep(*found, budget);
  return found;
}

bool QueueOps::sweep(Queue& queue, size_t& budget) {
  if (!at_.has_life()) return true;
  QueueContent& content = *queue.content;
  for (;;) {
    const bool hold = !content.holds.empty() && content.holds.begin()->first <= at_.stamp;
    const bool due = !hold && !content.dues.empty() && content.dues.begin()->first <= at_.now();
    if (!hold && !due) return true;
    if (budget == 0) return false;
    --budget;
    Event& event = content.events.at(hold ? content.holds.begin()->second : content.dues.begin()->second);
    if (hold)
      time_out(queue, event);
    else
      fall_due(queue, event);
  }
}

// Each queue's deadlines are listed anew after it was swept, so that the next one comes to the front.
bool QueueOps::sweep_all(size_t& budget) {
  for (;;) {
    Queue* queue = nullptr;
    if (!queues_.holds_.empty() && queues_.holds_.begin()->first <= at_.stamp)
      queue = queues_.holds_.begin()->second;
    else if (!queues_.dues_.empty() && queues_.dues_.begin()->first <= at_.now())
      queue = queues_.dues_.begin()->second;
    if (queue == nullptr) return true;
    const bool all = sweep(*queue, budget);
    relist(*queue);
    if (!all) return false;
  }
}

}  // namespace wh::machine
