// Settings, pauses, purges, ends of queues, bindings to topics, and loading.
#include <algorithm>

#include "base/hash.h"
#include "base/mutant.h"
#include "machine/queue/queue_ops.h"

namespace wh::machine {
namespace {

constexpr uint64_t kBindingSeed = 0x746f70696362696e;  // "topicbin"

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
  if (opens && !WH_MUTANT(resume_wakes_nobody)) queue.told_ready = true;
}

// In one step whatever its size.
std::shared_ptr<QueueContent> QueueOps::purge(Queue& queue) {
  if (queue.size() == 0) return nullptr;
  touch(queue);
  observer_.before_detach(queue, queue.content);
  if (!WH_MUTANT(purged_stay_counted)) queues_.event_count_ -= queue.size();
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
    if (bound.contains(*queue.name) && !WH_MUTANT(bindings_outlive_the_queue)) topics.push_back(topic);
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
  // A delivered event that is not ready holds its group.
  const bool away = event.state == EventState::reserved || event.state == EventState::backoff;
  if (group.empty() ? holds_group : away && !holds_group) return false;
  Event& placed = insert(queue, std::move(event), group);
  placed.changed_at = raft::Index{};
  if (!holds_group) return true;
  if (placed.group->holder != nullptr || placed.state == EventState::delayed || placed.deliveries == 0) return false;
  Changing(*this, queue, placed)->group->holder = &placed;
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
