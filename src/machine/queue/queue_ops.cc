#include "machine/queue/queue_ops.h"

#include <algorithm>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mutant.h"
#include "machine/command/event_headers.h"

namespace wh::machine {
namespace {

constexpr uint64_t kQueueSeed = 0x6576656e74717565;    // "eventque"
constexpr uint64_t kHeadSeed = 0x7175657565686561;     // "queuehea"
constexpr uint64_t kBindingSeed = 0x746f70696362696e;  // "topicbin"
constexpr uint64_t kMaxAnswerBytes = uint64_t{4} << 20;

uint64_t ready_key(const Event& event) { return uint64_t{event.priority} << 56 | event.id(); }

bool in_line(EventState state) { return state != EventState::delayed; }

// When something happens to an event that nobody holds; kNever: nothing.
Millis due_of(const Event& event) {
  Millis due = event.state == EventState::ready ? kNever : event.due;
  if (event.expires_at != 0) due = std::min(due, event.expires_at);
  return due;
}

bool has_path(std::string_view queue) {
  return std::all_of(queue.begin(), queue.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

uint64_t binding_digest(std::string_view topic, std::string_view queue, const Filter& filter) {
  uint64_t digest = mix64(hash64(topic, kBindingSeed), hash64(queue));
  for (const auto& [attribute, pattern] : filter) digest = mix64(mix64(digest, hash64(attribute)), hash64(pattern));
  return digest;
}

uint64_t binding_bytes(std::string_view topic, std::string_view queue, const Filter& filter) {
  uint64_t bytes = Queues::kBindingOverhead + topic.size() + queue.size();
  for (const auto& [attribute, pattern] : filter) bytes += 64 + attribute.size() + pattern.size();
  return bytes;
}

}  // namespace

// --- digests and sizes

uint64_t QueueOps::hash_of(std::string_view queue, uint64_t id, std::string_view bytes) {
  return hash64(bytes, mix64(hash64(queue, kQueueSeed), id));
}

// An event as versions before 3 have them counts as it did there, so that a rise of the version changes no digest.
uint64_t QueueOps::digest_of(const Event& event) {
  const bool plain = !event.extra && event.group == nullptr && event.arrived_at == 0 && event.expires_at == 0 &&
                     event.delivery == 0 && event.deliveries == 0 && event.priority == kDefaultPriority &&
                     event.state == EventState::ready;
  if (plain) return event.hash;
  uint64_t digest = mix64(mix64(event.hash, event.arrival), event.arrived_at);
  digest = mix64(mix64(digest, event.due), event.expires_at);
  const bool holds = event.group != nullptr && event.group->holder == &event;
  digest = mix64(mix64(digest, event.delivery), uint64_t{event.deliveries} << 16 | uint64_t{event.priority} << 8 |
                                                    uint64_t{static_cast<uint8_t>(event.state)} << 1 | (holds ? 1 : 0));
  if (event.group != nullptr) digest = hash64(*event.group->name, digest);
  if (event.extra) {
    digest = hash64(event.extra->headers.view(), mix64(digest, event.extra->enqueued_at));
    digest = hash64(event.extra->source_queue, hash64(event.extra->reason, digest));
  }
  return digest;
}

// That there is a queue counts beside it: one of an earlier version has no more to say, and a rise changes nothing.
uint64_t QueueOps::head_digest_of(const Queue& queue) {
  if (queue.own == OwnQueueSettings{} && queue.totals == QueueTotals{} && !queue.paused_in && !queue.paused_out)
    return 0;
  std::string settings;
  Writer w(settings);
  encode_queue_settings(queue.own, w);
  uint64_t digest = hash64(settings, hash64(*queue.name, kHeadSeed));
  digest = mix64(digest, (queue.paused_in ? 1U : 0U) | (queue.paused_out ? 2U : 0U));
  const QueueTotals& totals = queue.totals;
  for (const uint64_t number :
       {totals.enqueued, totals.acknowledged, totals.redelivered, totals.expired, totals.dead_lettered, totals.dropped})
    digest = mix64(digest, number);
  return digest;
}

uint64_t QueueOps::logical_bytes_of(const Queue& /*queue*/, const Event& event) const {
  uint64_t bytes = Queues::kEventOverhead + event.bytes.size();
  if (event.extra)
    bytes += Queues::kExtraOverhead + event.extra->headers.size() + event.extra->reason.size() +
             event.extra->source_queue.size();
  return bytes;
}

// --- queues

Queue* QueueOps::find(std::string_view queue) {
  const auto at = queues_.queues_.find(queue);
  return at == queues_.queues_.end() ? nullptr : &at->second;
}

Status QueueOps::check_new(std::string_view queue) const {
  if (!at_.has_life() || queues_.find(queue) != nullptr || queues_.queues_.size() < at_.settings.max_queues)
    return ok_status();
  return Error{"there are " + std::to_string(queues_.queues_.size()) +
               " queues already: delete some, or raise max_queues (PUT /cluster/settings)"};
}

Queue& QueueOps::ensure(std::string_view queue) {
  auto at = queues_.queues_.lower_bound(queue);
  if (at != queues_.queues_.end() && at->first == queue) return at->second;
  at = queues_.queues_.emplace_hint(at, std::string(queue), Queue{});
  at->second.name = &at->first;
  at->second.changed_at = at_.index;  // no running walk has it
  queues_.logical_bytes_ += queue.size() + Queues::kQueueOverhead;
  at->second.touched = true;
  touched_.push_back(&at->second);
  return at->second;
}

// Before the first change of a queue in this entry.
void QueueOps::touch(Queue& queue) {
  if (queue.touched) return;
  observer_.before_head_change(queue);
  queue.changed_at = at_.index;
  queue.touched = true;
  touched_.push_back(&queue);
}

void QueueOps::relist(Queue& queue) {
  const QueueContent& content = *queue.content;
  const Millis hold = content.holds.empty() ? kNever : content.holds.begin()->first;
  const Millis due = content.dues.empty() ? kNever : content.dues.begin()->first;
  if (hold != queue.listed_hold) {
    if (queue.listed_hold != kNever) queues_.holds_.erase({queue.listed_hold, &queue});
    if (hold != kNever) queues_.holds_.emplace(hold, &queue);
    queue.listed_hold = hold;
  }
  if (due != queue.listed_due) {
    if (queue.listed_due != kNever) queues_.dues_.erase({queue.listed_due, &queue});
    if (due != kNever) queues_.dues_.emplace(due, &queue);
    queue.listed_due = due;
  }
}

// Before version 3 an empty queue does not exist. After it, one whose name no path can spell goes with its last event,
// as nothing could delete it.
void QueueOps::finish() {
  for (Queue* queue : touched_) {
    queue->touched = false;
    relist(*queue);
    if (queue->size() == 0 && (!at_.has_life() || !has_path(*queue->name))) {
      erase(*queue);
      continue;
    }
    if (!at_.has_life()) continue;
    queues_.heads_digest_ -= queue->head_digest;
    queue->head_digest = head_digest_of(*queue);
    queues_.heads_digest_ += queue->head_digest;
  }
  touched_.clear();
}

// Its events are gone.
void QueueOps::erase(Queue& queue) {
  if (queue.listed_hold != kNever) queues_.holds_.erase({queue.listed_hold, &queue});
  if (queue.listed_due != kNever) queues_.dues_.erase({queue.listed_due, &queue});
  queues_.heads_digest_ -= queue.head_digest;
  queues_.logical_bytes_ -= queue.name->size() + Queues::kQueueOverhead;
  queues_.queues_.erase(queues_.queues_.find(*queue.name));
}

// --- an event's place in the indexes

void QueueOps::list_ready(Queue& queue, Event& event) {
  queue.content->ready.emplace(ready_key(event), &event);
  if (!queue.paused_out) observer_.became_ready(*queue.name);
}

// A group stands where its first event stands, and shows one event: the one that was delivered, else the first.
void QueueOps::place(Queue& queue, Group& group) {
  Event* shown = group.holder != nullptr ? group.holder : group.line.empty() ? nullptr : group.line.begin()->second;
  if (WH_MUTANT(group_shared) && !group.line.empty()) {
    shown = nullptr;
    for (const auto& [id, event] : group.line)
      if (shown == nullptr && event->state == EventState::ready) shown = event;
  }
  if (shown != nullptr && shown->state != EventState::ready) shown = nullptr;
  if (shown == group.listed) return;
  if (group.listed != nullptr) queue.content->ready.erase(ready_key(*group.listed));
  group.listed = shown;
  if (shown != nullptr) list_ready(queue, *shown);
}

void QueueOps::leave(Queue& queue, Event& event) {
  QueueContent& content = *queue.content;
  switch (event.state) {
    case EventState::ready:
      --content.ready_count;
      if (event.group == nullptr) content.ready.erase(ready_key(event));
      break;
    case EventState::reserved:
      --content.reserved_count;
      content.holds.erase({event.due, event.arrival});
      break;
    case EventState::delayed:
    case EventState::backoff:
      --content.delayed_count;
      break;
  }
  if (event.state != EventState::reserved)
    if (const Millis due = due_of(event); due != kNever) content.dues.erase({due, event.arrival});
  if (event.group == nullptr || !in_line(event.state)) return;
  event.group->line.erase(event.id());
  if (event.group->listed == &event) {
    content.ready.erase(ready_key(event));
    event.group->listed = nullptr;
  }
}

void QueueOps::enter(Queue& queue, Event& event) {
  QueueContent& content = *queue.content;
  switch (event.state) {
    case EventState::ready:
      ++content.ready_count;
      if (event.group == nullptr) list_ready(queue, event);
      break;
    case EventState::reserved:
      ++content.reserved_count;
      content.holds.emplace(event.due, event.arrival);
      break;
    case EventState::delayed:
    case EventState::backoff:
      ++content.delayed_count;
      break;
  }
  if (event.state != EventState::reserved) {
    if (const Millis due = due_of(event); due != kNever) content.dues.emplace(due, event.arrival);
    content.unreserved_from = std::min(content.unreserved_from, event.arrival);
  }
  if (event.group == nullptr) return;
  if (in_line(event.state)) event.group->line.emplace(event.id(), &event);
  place(queue, *event.group);
}

Event& QueueOps::insert(Queue& queue, Event event, std::string_view group) {
  touch(queue);
  QueueContent& content = *queue.content;
  event.changed_at = at_.index;
  event.hash = hash_of(*queue.name, event.id(), event.bytes.view());
  const uint64_t arrival = event.arrival;
  const auto at = content.events.emplace_hint(content.events.end(), arrival, std::move(event));
  Event& placed = at->second;
  if (placed.id() != arrival) content.late.emplace(placed.id(), arrival);
  uint64_t logical = logical_bytes_of(queue, placed);
  if (!group.empty()) {
    auto found = content.groups.lower_bound(group);
    if (found == content.groups.end() || found->first != group) {
      found = content.groups.emplace_hint(found, std::string(group), Group{});
      found->second.name = &found->first;
      logical += Queues::kGroupOverhead + group.size();
    }
    placed.group = &found->second;
    ++placed.group->members;
  }
  ++queues_.event_count_;
  content.data_bytes += placed.data_bytes();
  content.logical_bytes += logical;
  queues_.logical_bytes_ += logical;
  enter(queue, placed);
  const uint64_t digest = digest_of(placed);
  content.digest += digest;
  queues_.digest_ += digest;
  return placed;
}

Event QueueOps::take_out(Queue& queue, Event& event) {
  touch(queue);
  observer_.before_event_change(queue, event);
  QueueContent& content = *queue.content;
  const uint64_t digest = digest_of(event);
  content.digest -= digest;
  queues_.digest_ -= digest;
  uint64_t logical = logical_bytes_of(queue, event);
  leave(queue, event);
  if (Group* group = event.group; group != nullptr) {
    if (group->holder == &event && !WH_MUTANT(group_stays_held)) group->holder = nullptr;
    if (--group->members == 0) {
      logical += Queues::kGroupOverhead + group->name->size();
      content.groups.erase(content.groups.find(*group->name));
    } else {
      place(queue, *group);
    }
  }
  --queues_.event_count_;
  content.data_bytes -= event.data_bytes();
  content.logical_bytes -= logical;
  queues_.logical_bytes_ -= logical;
  if (event.id() != event.arrival) content.late.erase(event.id());
  Event out = std::move(event);
  out.group = nullptr;
  content.events.erase(out.arrival);
  return out;
}

template <typename Change>
void QueueOps::change(Queue& queue, Event& event, const Change& how) {
  touch(queue);
  if (!WH_MUTANT(barrier_without_deliveries)) observer_.before_event_change(queue, event);
  QueueContent& content = *queue.content;
  const uint64_t before = digest_of(event);
  leave(queue, event);
  how(event);
  event.changed_at = at_.index;
  enter(queue, event);
  const uint64_t after = digest_of(event);
  content.digest += after - before;
  queues_.digest_ += after - before;
}

// --- arrivals

uint64_t QueueOps::next_number() {
  if (!at_.has_life()) return at_.index.value;
  queues_.last_number_ = std::max(queues_.last_number_ + 1, at_.index.value);
  return queues_.last_number_;
}

Result<Nothing, Reply> QueueOps::check_room(const Queue* queue, std::string_view name, uint64_t count,
                                            uint64_t bytes) const {
  if (!at_.has_life()) return Nothing{};
  const std::string subject = "the queue " + std::string(name);
  const std::string fresh_name(name);
  Queue fresh;
  if (queue == nullptr) {
    if (const Status fits = check_new(name); !fits)
      return Reply{.code = ReplyCode::full, .event = Bytes(std::string(fits.error()))};
    fresh.name = &fresh_name;
    queue = &fresh;
  }
  if (queue->paused_in)
    return Reply{.code = ReplyCode::full,
                 .event = Bytes(subject + " takes nothing in: POST /queues/" + std::string(name) + "/resume")};
  const auto limits = [&](QueueSetting which, uint64_t have, uint64_t more, const char* unit) -> std::string {
    const uint64_t limit = setting(*queue, which);
    if (limit == 0) return {};
    const bool drops = setting(*queue, QueueSetting::overflow) == static_cast<uint64_t>(Overflow::drop_oldest);
    if (drops ? more <= limit : have + more <= limit) return {};
    return subject + " is full: it has " + std::to_string(have) + " of " + std::to_string(limit) + " " + unit +
           ", reserved and delayed ones included; take some off, or raise " +
           std::string(kQueueSettings[static_cast<size_t>(which)].name) + " (PUT /queues/" + std::string(name) + ")";
  };
  std::string why = limits(QueueSetting::max_length, queue->size(), count, "events");
  if (why.empty()) why = limits(QueueSetting::max_bytes, queue->content->data_bytes, bytes, "bytes");
  if (!why.empty()) return Reply{.code = ReplyCode::full, .event = Bytes(std::move(why))};
  return Nothing{};
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
    auto oldest = content.events.lower_bound(content.unreserved_from);
    while (oldest != content.events.end() && oldest->second.state == EventState::reserved) ++oldest;
    content.unreserved_from = oldest == content.events.end() ? content.unreserved_from : oldest->first;
    if (oldest == content.events.end()) return;
    touch(queue);
    ++queue.totals.dropped;
    (void)take_out(queue, oldest->second);
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

std::optional<QueueOps::Popped> QueueOps::pop(Queue& queue) {
  size_t budget = kDueEventsPerEntry;
  sweep(queue, budget);
  const Event* front = queue.front();
  if (front == nullptr) return std::nullopt;
  if (at_.has_life()) {
    touch(queue);
    ++queue.totals.acknowledged;
  }
  Event event = take_out(queue, *queue.content->ready.begin()->second);
  return Popped{event.id(), std::move(event.bytes), event.extra ? std::move(event.extra->headers) : Bytes()};
}

// Expired events that the sweep has not reached are not delivered either.
std::vector<Delivery> QueueOps::receive(Queue& queue, uint32_t max, std::optional<Millis> visibility) {
  std::vector<Delivery> out;
  size_t budget = kDueEventsPerEntry;
  sweep(queue, budget);
  const uint64_t limit = setting(queue, QueueSetting::max_deliveries);
  const Millis hold = visibility.value_or(setting(queue, QueueSetting::visibility_timeout));
  uint64_t bytes = 0;
  while (out.size() < max && queue.front() != nullptr) {
    Event& event = *queue.content->ready.begin()->second;
    if (event.expires_at != 0 && event.expires_at <= at_.now()) {
      if (budget-- == 0) break;
      expire(queue, event);
      continue;
    }
    // Its consumer may die of it: it takes no other one along (HAZARDS Q10).
    const bool last = limit != 0 && event.deliveries + 1 >= limit;
    if (last && !out.empty() && !WH_MUTANT(last_delivery_in_company)) break;
    if (!out.empty() && bytes + event.data_bytes() > kMaxAnswerBytes) break;
    bytes += event.data_bytes();
    touch(queue);
    if (event.deliveries > 0) ++queue.totals.redelivered;
    change(queue, event, [&](Event& e) {
      e.state = EventState::reserved;
      e.due = at_.stamp + hold;
      if (!WH_MUTANT(deliveries_not_counted)) ++e.deliveries;
      e.delivery = at_.index.value;
      if (e.group != nullptr) e.group->holder = &e;
    });
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

SettleOutcome QueueOps::settle(Queue& queue, const Settle& settle, const Receipt& receipt) {
  Event* event = catch_up(queue, receipt.id);
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
      const Millis due = at_.stamp + settle.duration.value_or(setting(queue, QueueSetting::visibility_timeout));
      change(queue, *event, [&](Event& e) { e.due = due; });
      if (due <= at_.stamp) time_out(queue, *event);
      break;
    }
    case SettleVerb::release:
      change(queue, *event, [](Event& e) { e.delivery = 0; });
      give_back(queue, *event, at_.now(), settle.duration);
      break;
    case SettleVerb::bury:
      if (queues_.takes_dead_letters(queue)) {
        change(queue, *event, [](Event& e) {
          e.state = EventState::ready;
          e.due = 0;
          e.delivery = 0;
        });
      } else {
        die(queue, *event, settle.reason.empty() ? "buried" : std::string(settle.reason));
      }
      break;
    case SettleVerb::take_back:
      touch(queue);
      if (event->deliveries > 1) --queue.totals.redelivered;
      change(queue, *event, [](Event& e) {
        e.state = EventState::ready;
        e.due = 0;
        e.delivery = 0;
        --e.deliveries;
        if (e.deliveries == 0 && e.group != nullptr) e.group->holder = nullptr;
      });
      break;
  }
  return SettleOutcome::done;
}

uint64_t QueueOps::redrive(Queue& from, Queue& to, uint32_t max) {
  size_t budget = kDueEventsPerEntry;
  sweep(from, budget);
  uint64_t moved = 0;
  while (moved < max && !from.content->ready.empty()) {
    Event& event = *from.content->ready.begin()->second;
    if (event.expires_at != 0 && event.expires_at <= at_.now()) {
      if (budget-- == 0) break;
      expire(from, event);
      continue;
    }
    if (!check_room(&to, *to.name, 1, event.data_bytes())) break;
    const std::string group = event.group == nullptr ? std::string() : *event.group->name;
    Event out = take_out(from, event);
    add(to, {.bytes = std::move(out.bytes),
             .headers = out.extra ? std::move(out.extra->headers) : Bytes(),
             .delay = 0,
             .deliver_at = std::nullopt,
             .ttl = 0,
             .priority = out.priority,
             .group = group});
    drop_overflow(to, 1);
    ++moved;
  }
  return moved;
}

// --- what time does

// The delay before the next delivery of an event that was delivered that often.
Millis QueueOps::backoff_after(const Queue& queue, uint32_t deliveries) const {
  if (!queue.own.backoff || queue.own.backoff->empty() || deliveries == 0) return 0;
  const std::vector<Millis>& delays = *queue.own.backoff;
  return delays[std::min<size_t>(deliveries, delays.size()) - 1];
}

// Its receipt still acknowledges it, until it is delivered again.
void QueueOps::time_out(Queue& queue, Event& event) { give_back(queue, event, event.due + at_.jumped, std::nullopt); }

void QueueOps::give_back(Queue& queue, Event& event, Millis from, std::optional<Millis> delay) {
  const uint64_t limit = setting(queue, QueueSetting::max_deliveries);
  const uint64_t allowed = WH_MUTANT(dies_one_late) ? limit + 1 : limit;
  const bool has_end = queue.own.dead_letter_queue || !queues_.takes_dead_letters(queue);
  if (limit != 0 && event.deliveries >= allowed && has_end)
    return die(queue, event, "delivered " + std::to_string(event.deliveries) + " times");
  const Millis due = from + delay.value_or(backoff_after(queue, event.deliveries));
  change(queue, event, [&](Event& e) {
    e.state = due > at_.now() ? EventState::backoff : EventState::ready;
    e.due = due > at_.now() ? due : 0;
  });
  if (event.expires_at != 0 && event.expires_at <= at_.now()) expire(queue, event);
}

// For an event that nobody holds.
void QueueOps::fall_due(Queue& queue, Event& event) {
  if (event.expires_at != 0 && event.expires_at <= at_.now()) return expire(queue, event);
  if (event.state == EventState::ready || event.due > at_.now()) return;
  change(queue, event, [](Event& e) {
    e.state = EventState::ready;
    e.due = 0;
  });
}

void QueueOps::expire(Queue& queue, Event& event) {
  touch(queue);
  ++queue.totals.expired;
  const bool dies = setting(queue, QueueSetting::on_expiry) == static_cast<uint64_t>(OnExpiry::dead_letter);
  if (dies && !queues_.takes_dead_letters(queue)) return die(queue, event, "expired");
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
  dead.arrival = next_number();
  dead.arrived_at = at_.now();
  dead.state = EventState::ready;
  dead.due = 0;
  dead.delivery = 0;
  const Millis ttl = setting(into, QueueSetting::ttl);
  dead.expires_at = ttl == 0 ? 0 : at_.now() + ttl;
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
      if (due_of(*event) > at_.now()) return event;
      fall_due(queue, *event);
    }
  }
  return queue.content->find(id);
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

// --- settings, pauses, ends

void QueueOps::note_dead_letter_queue(const std::optional<std::string>& before,
                                      const std::optional<std::string>& after) {
  if (before == after) return;
  if (before && !before->empty())
    if (const auto at = queues_.named_.find(*before); --at->second == 0) queues_.named_.erase(at);
  if (after && !after->empty()) ++queues_.named_[*after];
}

void QueueOps::configure(Queue& queue, const std::vector<QueueSettingChange>& changes) {
  OwnQueueSettings after = queue.own;
  bool changed = false;
  for (const QueueSettingChange& change : changes) changed |= after.apply(change);
  if (!changed) return;
  touch(queue);
  note_dead_letter_queue(queue.own.dead_letter_queue, after.dead_letter_queue);
  queue.own = std::move(after);
}

void QueueOps::pause(Queue& queue, std::optional<bool> in, std::optional<bool> out) {
  const bool paused_in = in.value_or(queue.paused_in);
  const bool paused_out = out.value_or(queue.paused_out);
  if (paused_in == queue.paused_in && paused_out == queue.paused_out) return;
  touch(queue);
  const bool opens = queue.paused_out && !paused_out;
  queue.paused_in = paused_in;
  queue.paused_out = paused_out;
  if (opens && !queue.content->ready.empty()) observer_.became_ready(*queue.name);
}

// In one step whatever its size.
std::shared_ptr<QueueContent> QueueOps::purge(Queue& queue) {
  if (queue.size() == 0) return nullptr;
  touch(queue);
  observer_.before_detach(queue, queue.content);
  queues_.event_count_ -= queue.size();
  queues_.logical_bytes_ -= queue.content->logical_bytes;
  queues_.digest_ -= queue.content->digest;
  return std::exchange(queue.content, std::make_shared<QueueContent>());
}

std::shared_ptr<QueueContent> QueueOps::remove(Queue& queue) {
  touch(queue);
  observer_.before_detach(queue, queue.content);
  queues_.event_count_ -= queue.size();
  queues_.logical_bytes_ -= queue.content->logical_bytes;
  queues_.digest_ -= queue.content->digest;
  note_dead_letter_queue(queue.own.dead_letter_queue, std::nullopt);
  std::vector<std::string> topics;
  for (const auto& [topic, bound] : queues_.topics_)
    if (bound.contains(*queue.name)) topics.push_back(topic);
  for (const std::string& topic : topics) (void)unbind(topic, *queue.name);
  touched_.erase(std::find(touched_.begin(), touched_.end(), &queue));
  std::shared_ptr<QueueContent> content = std::move(queue.content);
  erase(queue);
  return content;
}

void QueueOps::bind(std::string_view topic, std::string_view queue, Filter filter) {
  (void)unbind(topic, queue);
  queues_.heads_digest_ += binding_digest(topic, queue, filter);
  queues_.logical_bytes_ += binding_bytes(topic, queue, filter);
  ++queues_.binding_count_;
  queues_.topics_[std::string(topic)].emplace(std::string(queue), Binding{std::move(filter), at_.index});
}

bool QueueOps::unbind(std::string_view topic, std::string_view queue) {
  const auto at = queues_.topics_.find(topic);
  if (at == queues_.topics_.end()) return false;
  const auto bound = at->second.find(queue);
  if (bound == at->second.end()) return false;
  observer_.before_unbind(topic, queue, bound->second);
  queues_.heads_digest_ -= binding_digest(topic, queue, bound->second.filter);
  queues_.logical_bytes_ -= binding_bytes(topic, queue, bound->second.filter);
  at->second.erase(bound);
  --queues_.binding_count_;
  if (at->second.empty()) queues_.topics_.erase(at);
  return true;
}

// --- loading

bool QueueOps::load_queue(std::string_view name, const OwnQueueSettings& own, bool paused_in, bool paused_out,
                          const QueueTotals& totals) {
  if (queues_.find(name) != nullptr) return false;
  Queue& queue = ensure(name);
  note_dead_letter_queue(std::nullopt, own.dead_letter_queue);
  queue.own = own;
  queue.paused_in = paused_in;
  queue.paused_out = paused_out;
  queue.totals = totals;
  return true;
}

bool QueueOps::load_event(std::string_view name, Event event, std::string_view group, bool holds_group) {
  if (at_.has_life() && queues_.find(name) == nullptr) return false;
  Queue& queue = ensure(name);
  if (queue.content->events.contains(event.arrival) || queue.content->find(event.id()) != nullptr) return false;
  if (holds_group && group.empty()) return false;
  const uint64_t id = event.id();
  Event& placed = insert(queue, std::move(event), group);
  placed.changed_at = raft::Index{};
  if (!holds_group) return true;
  if (placed.group->holder != nullptr || placed.state == EventState::delayed || placed.deliveries == 0) return false;
  change(queue, *queue.content->find(id), [](Event& e) { e.group->holder = &e; });
  placed.changed_at = raft::Index{};
  return true;
}

bool QueueOps::load_binding(std::string_view topic, std::string_view queue, Filter filter) {
  const auto at = queues_.topics().find(topic);
  if (at != queues_.topics().end() && at->second.contains(queue)) return false;
  bind(topic, queue, std::move(filter));
  return true;
}

}  // namespace wh::machine
