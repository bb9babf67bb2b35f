#include "machine/queue/queue_ops.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mutant.h"

namespace wh::machine {
namespace {

constexpr uint64_t kQueueSeed = 0x6576656e74717565;  // "eventque"
constexpr uint64_t kHeadSeed = 0x7175657565686561;   // "queuehea"

uint64_t ready_key(const Event& event) {
  constexpr uint64_t kEnd = uint64_t{1} << 55;
  const uint64_t end = WH_MUTANT(returned_to_the_end) && event.deliveries != 0 ? kEnd : 0;
  return (WH_MUTANT(priorities_ignored) ? 0 : uint64_t{event.priority} << 56) | end | event.id();
}

bool in_line(EventState state) { return state != EventState::delayed || WH_MUTANT(first_delay_blocks); }

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

uint64_t QueueOps::logical_bytes_of(const Event& event) {
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

Status QueueOps::check_new(std::string_view queue, size_t others) const {
  if (!at_.has_life() || queues_.find(queue) != nullptr || queues_.queues_.size() + others < at_.settings.max_queues)
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

// Brings up to date what those see who watch.
void QueueOps::recount(Queue& queue) {
  const auto size_class = static_cast<uint8_t>(std::bit_width(queue.size()));
  if (size_class != queue.size_class) {
    if (queue.size_class != Queue::kNoSizeClass) queues_.by_size_.at(queue.size_class).erase(&queue);
    queues_.by_size_.at(size_class).insert(&queue);
    queue.size_class = size_class;
  }
  const QueueFigures now = queue.figures();
  (queues_.sums_ -= queue.counted) += now;
  queue.counted = now;
}

// Before version 3 an empty queue does not exist. After it, one whose name no path can spell goes with its last event,
// as nothing could delete it; while a snapshot is loaded, its events come after it.
void QueueOps::finish() {
  for (Queue* queue : touched_) {
    queue->touched = false;
    const bool told_ready = std::exchange(queue->told_ready, false);
    const bool has_arrivals = std::exchange(queue->has_arrivals, false);
    relist(*queue);
    recount(*queue);
    if (queue->size() == 0 && !at_.loading() && (!at_.has_life() || !is_path_name(*queue->name))) {
      erase(*queue);
      continue;
    }
    if (told_ready && queue->front() != nullptr) observer_.became_ready(*queue->name);
    if (has_arrivals && queue->size() != 0) observer_.arrived(*queue->name);
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
  if (queue.size_class != Queue::kNoSizeClass) queues_.by_size_.at(queue.size_class).erase(&queue);
  queue.counted.totals = {};
  queues_.sums_ -= queue.counted;
  queues_.heads_digest_ -= queue.head_digest;
  queues_.logical_bytes_ -= queue.name->size() + Queues::kQueueOverhead;
  queues_.queues_.erase(queues_.queues_.find(*queue.name));
}

// --- an event's place in the indexes

void QueueOps::list_ready(Queue& queue, Event& event) {
  queue.content->ready.emplace(ready_key(event), &event);
  if (!WH_MUTANT(returned_wakes_nobody) || event.deliveries == 0) queue.told_ready = true;
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
      if (!WH_MUTANT(ghost_reservation)) content.reserved_bytes -= event.data_bytes();
      content.holds.erase({event.due, event.arrival});
      break;
    case EventState::delayed:
    case EventState::backoff:
      --content.delayed_count;
      break;
  }
  if (event.state != EventState::reserved) {
    if (const Millis due = event.next_due(); due != kNever) content.dues.erase({due, event.arrival});
    if (!content.back_early.empty()) content.back_early.erase(event.arrival);
  }
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
      content.reserved_bytes += event.data_bytes();
      content.holds.emplace(event.due, event.arrival);
      break;
    case EventState::delayed:
    case EventState::backoff:
      ++content.delayed_count;
      break;
  }
  if (event.state != EventState::reserved) {
    if (const Millis due = event.next_due(); due != kNever) content.dues.emplace(due, event.arrival);
    if (event.arrival < content.reserved_before) content.back_early.insert(event.arrival);
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
  uint64_t logical = logical_bytes_of(placed);
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
  queue.has_arrivals = true;
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
  uint64_t logical = logical_bytes_of(event);
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
  content.data_bytes -= WH_MUTANT(sums_drift) ? event.bytes.size() : event.data_bytes();
  content.logical_bytes -= logical;
  queues_.logical_bytes_ -= logical;
  if (event.id() != event.arrival) content.late.erase(event.id());
  Event out = std::move(event);
  out.group = nullptr;
  content.events.erase(out.arrival);
  return out;
}

QueueOps::Changing::Changing(QueueOps& ops, Queue& queue, Event& event) : ops_(ops), queue_(queue), event_(event) {
  ops_.touch(queue_);
  if (!WH_MUTANT(barrier_without_deliveries)) ops_.observer_.before_event_change(queue_, event_);
  digest_before_ = digest_of(event_);
  ops_.leave(queue_, event_);
}

QueueOps::Changing::~Changing() {
  event_.changed_at = ops_.at_.index;
  ops_.enter(queue_, event_);
  const uint64_t more = digest_of(event_) - digest_before_;
  queue_.content->digest += more;
  ops_.queues_.digest_ += more;
}

}  // namespace wh::machine
