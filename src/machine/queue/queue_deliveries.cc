// How events come and go: arrivals within the limits, deliveries, what consumers say of them, redrive.
#include <algorithm>

#include "base/mutant.h"
#include "machine/queue/queue_ops.h"

namespace wh::machine {
// --- arrivals

uint64_t QueueOps::next_number() {
  if (!at_.has_life()) return at_.index.value;
  queues_.last_number_ = std::max(queues_.last_number_ + 1, at_.index.value);
  return queues_.last_number_;
}

Reply QueueOps::over_limit(std::string_view queue, QueueSetting which, uint64_t have, uint64_t more, uint64_t limit) {
  const bool counts = which == QueueSetting::max_length;
  const std::string name(queue);
  return {
      .code = ReplyCode::full,
      .event = Bytes("the queue " + name + " is full: it has " + std::to_string(have) + " of " + std::to_string(limit) +
                     (counts ? " events" : " bytes") + ", reserved and delayed ones included, and this brings " +
                     std::to_string(more) + "; take some off, or raise " + (counts ? "max_length" : "max_bytes") +
                     " (PUT /queues/" + name + ")")};
}

// With drop_oldest the others make room, but not those that consumers hold.
Result<Nothing, Reply> QueueOps::check_room(const Queue* queue, std::string_view name, uint64_t count, uint64_t bytes,
                                            Sum leaving) const {
  if (!at_.has_life()) return Nothing{};
  const std::string fresh_name(queue == nullptr ? name : std::string_view());
  std::optional<Queue> fresh;
  if (queue == nullptr) {
    if (const Status fits = check_new(name); !fits)
      return Reply{.code = ReplyCode::full, .event = Bytes(std::string(fits.error()))};
    fresh.emplace().name = &fresh_name;
    queue = &*fresh;
  }
  if (queue->paused_in)
    return Reply{
        .code = ReplyCode::full,
        .event = Bytes("the queue " + std::string(name) + " takes nothing in: POST /queues/" + std::string(name) +
                       "/resume, or PAUSE " + std::string(name) + " none on the debug port")};
  const QueueContent& content = *queue->content;
  const bool drops = setting(*queue, QueueSetting::overflow) == static_cast<uint64_t>(Overflow::drop_oldest);
  const uint64_t length = setting(*queue, QueueSetting::max_length);
  const uint64_t size_now = WH_MUTANT(ready_ones_count) ? content.ready_count : queue->size();
  const uint64_t stay = (drops ? content.reserved_count : size_now) - leaving.count;
  if (WH_MUTANT(batch_judged_by_one)) count = std::min<uint64_t>(count, 1);
  if (length != 0 && stay + count > length)
    return over_limit(name, QueueSetting::max_length, queue->size(), count, length);
  const uint64_t size = setting(*queue, QueueSetting::max_bytes);
  const uint64_t stay_bytes = (drops ? content.reserved_bytes : content.data_bytes) - leaving.bytes;
  if (size != 0 && stay_bytes + bytes > size)
    return over_limit(name, QueueSetting::max_bytes, content.data_bytes, bytes, size);
  return Nothing{};
}

Event* QueueOps::oldest_unreserved(QueueContent& content) {
  if (!content.back_early.empty()) return &content.events.at(*content.back_early.begin());
  auto oldest = content.events.lower_bound(content.reserved_before);
  while (oldest != content.events.end() && oldest->second.state == EventState::reserved) ++oldest;
  content.reserved_before = oldest == content.events.end() ? content.reserved_before : oldest->first;
  return oldest == content.events.end() ? nullptr : &oldest->second;
}

// What a consumer holds is not dropped. A limit that was lowered is reached step by step.
void QueueOps::drop_overflow(Queue& queue, size_t added) {
  if (!at_.has_life() || setting(queue, QueueSetting::overflow) != static_cast<uint64_t>(Overflow::drop_oldest)) return;
  QueueContent& content = *queue.content;
  const uint64_t length = setting(queue, QueueSetting::max_length);
  const uint64_t bytes = setting(queue, QueueSetting::max_bytes);
  for (size_t n = 0; n < added + kDueEventsPerEntry; ++n) {
    const bool over = (length != 0 && queue.size() > length) || (bytes != 0 && content.data_bytes > bytes);
    if (!over) return;
    Event* oldest = oldest_unreserved(content);
    if (oldest == nullptr) return;
    touch(queue);
    ++queue.totals.dropped;
    (void)take_out(queue, *oldest);
  }
}

uint64_t QueueOps::add(Queue& queue, NewCopy copy) {
  Event event;
  const uint64_t id = next_number();
  event.arrival = id;
  event.bytes = std::move(copy.bytes);
  event.priority = copy.priority;
  if (at_.has_life()) {
    touch(queue);
    ++queue.totals.enqueued;
    event.arrived_at = at_.now();
    if (!copy.headers.empty()) {
      event.extra = std::make_unique<EventExtra>();
      event.extra->headers = std::move(copy.headers);
    }
    const Millis due =
        copy.deliver_at ? *copy.deliver_at : at_.now() + copy.delay.value_or(setting(queue, QueueSetting::delay));
    if (due > at_.now() && !WH_MUTANT(delay_ignored)) {
      event.state = EventState::delayed;
      event.due = due;
    }
    const Millis ttl = copy.ttl != 0 ? copy.ttl : setting(queue, QueueSetting::ttl);
    if (ttl != 0) event.expires_at = at_.now() + ttl;
  }
  insert(queue, std::move(event), copy.group);
  return id;
}

// --- departures

// Expired events that the sweep has not reached are not delivered either.
Event* QueueOps::front_alive(Queue& queue, size_t& budget) {
  while (queue.front() != nullptr) {
    Event& event = *queue.content->ready.begin()->second;
    if (event.expires_at == 0 || event.expires_at > at_.now()) return &event;
    if (budget == 0) return nullptr;
    --budget;
    expire(queue, event);
  }
  return nullptr;
}

std::optional<QueueOps::Popped> QueueOps::pop(Queue& queue, size_t& budget) {
  Event* front = front_alive(queue, budget);
  if (front == nullptr) return std::nullopt;
  if (at_.has_life()) {
    touch(queue);
    ++queue.totals.acknowledged;
  }
  Event event = take_out(queue, *front);
  return Popped{event.id(), std::move(event.bytes), event.extra ? std::move(event.extra->headers) : Bytes()};
}

std::vector<QueueOps::Popped> QueueOps::pop_many(Queue& queue, uint32_t count) {
  std::vector<Popped> out;
  size_t budget = kDueEventsPerEntry;
  uint64_t bytes = 0;
  while (out.size() < count) {
    const Event* front = front_alive(queue, budget);
    if (front == nullptr) break;
    bytes += front->data_bytes();
    if (!out.empty() && bytes > kMaxAnswerBytes) break;
    out.push_back(*pop(queue, budget));
  }
  return out;
}

std::vector<Delivery> QueueOps::receive(Queue& queue, uint32_t max, std::optional<Millis> visibility) {
  std::vector<Delivery> out;
  size_t budget = kDueEventsPerEntry;
  sweep(queue, budget);
  const Millis hold = visibility.value_or(setting(queue, QueueSetting::visibility_timeout));
  uint64_t bytes = 0;
  while (out.size() < max) {
    Event* front = front_alive(queue, budget);
    if (front == nullptr) break;
    Event& event = *front;
    const uint64_t limit = delivery_limit(queue, event);
    // Its consumer may die of it: it takes no other one along (HAZARDS Q10).
    const bool last = limit != 0 && event.deliveries + 1 >= limit;
    if (last && !out.empty() && !WH_MUTANT(last_delivery_in_company)) break;
    if (!out.empty() && bytes + event.data_bytes() > kMaxAnswerBytes) break;
    bytes += event.data_bytes();
    touch(queue);
    if (event.deliveries > 0) ++queue.totals.redelivered;
    {
      Changing changing(*this, queue, event);
      changing->state = EventState::reserved;
      changing->due = (WH_MUTANT(mixed_clocks) ? at_.now() : at_.stamp) + hold;
      if (!WH_MUTANT(deliveries_not_counted)) ++changing->deliveries;
      changing->delivery = at_.index.value;
      if (changing->group != nullptr) changing->group->holder = &event;
    }
    out.push_back(delivery_of(event, at_.jumped));
    if (last) break;
  }
  return out;
}

Delivery QueueOps::delivery_of(const Event& event, Millis jumped) {
  return Delivery{.id = event.id(),
                  .delivery = event.delivery,
                  .deliveries = event.deliveries,
                  .priority = event.priority,
                  .enqueued_at = event.enqueued_at(),
                  .visible_at = event.due + jumped,
                  .group = event.group == nullptr ? std::string() : *event.group->name,
                  .headers = event.extra ? event.extra->headers : Bytes(),
                  .bytes = event.bytes};
}

const Event* QueueOps::held_by(Queue& queue, const Receipt& receipt) {
  const Event* event = catch_up(queue, receipt.id);
  const bool held = event != nullptr && event->state == EventState::reserved && event->delivery == receipt.delivery;
  return held ? event : nullptr;
}

SettleOutcome QueueOps::settle(Queue& queue, const Settle& settle, const Receipt& receipt) {
  Event* event = WH_MUTANT(judged_as_it_was) ? queue.content->find(receipt.id) : catch_up(queue, receipt.id);
  if (event == nullptr) {
    const Queue* dead = queues_.find(queues_.dead_letter_queue(queue));
    return dead != nullptr && dead->content->find(receipt.id) != nullptr ? SettleOutcome::stale : SettleOutcome::gone;
  }
  if (event->delivery != receipt.delivery && !WH_MUTANT(stale_receipt_counts)) return SettleOutcome::stale;
  if (settle.verb == SettleVerb::acknowledge) {
    touch(queue);
    ++queue.totals.acknowledged;
    (void)take_out(queue, *event);
    return SettleOutcome::done;
  }
  if (event->state != EventState::reserved) return SettleOutcome::stale;
  switch (settle.verb) {
    case SettleVerb::acknowledge:
      break;
    case SettleVerb::extend: {
      const Millis from = WH_MUTANT(extends_the_deadline) ? event->due : at_.stamp;
      const Millis due = from + settle.duration.value_or(setting(queue, QueueSetting::visibility_timeout));
      Changing(*this, queue, *event)->due = due;
      if (due <= at_.stamp) time_out(queue, *event);
      break;
    }
    case SettleVerb::release:
      Changing(*this, queue, *event)->delivery = 0;
      give_back(queue, *event, at_.now(), settle.duration);
      break;
    case SettleVerb::bury:
      if (queues_.takes_dead_letters(queue) || !has_end(queue)) {
        Changing changing(*this, queue, *event);
        changing->state = EventState::ready;
        changing->due = 0;
        changing->delivery = 0;
      } else {
        die(queue, *event, settle.reason.empty() ? "buried" : std::string(settle.reason));
      }
      break;
    case SettleVerb::take_back: {
      Changing changing(*this, queue, *event);
      if (changing->deliveries > 1) --queue.totals.redelivered;
      changing->state = EventState::ready;
      changing->due = 0;
      changing->delivery = 0;
      if (!WH_MUTANT(taken_back_counts)) --changing->deliveries;
      if (changing->deliveries == 0 && changing->group != nullptr) changing->group->holder = nullptr;
      break;
    }
  }
  return SettleOutcome::done;
}

SettleOutcome QueueOps::remove_event(Queue& queue, uint64_t id) {
  Event* event = WH_MUTANT(removal_judged_as_it_was) ? queue.content->find(id) : catch_up(queue, id);
  if (event == nullptr) return SettleOutcome::gone;
  if (event->state == EventState::reserved && !WH_MUTANT(removes_what_is_held)) return SettleOutcome::held;
  (void)take_out(queue, *event);
  return SettleOutcome::done;
}

uint64_t QueueOps::redrive(Queue& from, Queue& to, uint32_t max) {
  size_t budget = kDueEventsPerEntry;
  sweep(from, budget);
  sweep(to, budget);
  uint64_t moved = 0;
  while (moved < max) {
    Event* front = front_alive(from, budget);
    if (front == nullptr) break;
    Event& event = *front;
    if (!check_room(&to, *to.name, 1, event.data_bytes())) break;
    const std::string group = event.group == nullptr ? std::string() : *event.group->name;
    Event out = take_out(from, event);
    [[maybe_unused]] const uint64_t id = add(to, {.bytes = std::move(out.bytes),
                                                  .headers = out.extra ? std::move(out.extra->headers) : Bytes(),
                                                  .delay = 0,
                                                  .deliver_at = std::nullopt,
                                                  .ttl = 0,
                                                  .priority = out.priority,
                                                  .group = group});
    if (WH_MUTANT(redrive_keeps_the_count)) Changing(*this, to, *to.content->find(id))->deliveries = out.deliveries;
    drop_overflow(to, 1);
    ++moved;
  }
  return moved;
}

}  // namespace wh::machine
