#include "machine/queue/queues.h"

#include <algorithm>

#include "base/hash.h"

namespace wh::machine {

const Event* QueueContent::find(uint64_t id) const {
  if (const auto at = late.find(id); at != late.end()) return &events.at(at->second);
  const auto at = events.find(id);
  return at == events.end() || at->second.id() != id ? nullptr : &at->second;
}

namespace {

// Applies `op` to each number of both.
template <typename Op>
QueueFigures& combine(QueueFigures& a, const QueueFigures& b, Op op) {
  op(a.ready, b.ready);
  op(a.delayed, b.delayed);
  op(a.reserved, b.reserved);
  op(a.bytes, b.bytes);
  op(a.totals.enqueued, b.totals.enqueued);
  op(a.totals.acknowledged, b.totals.acknowledged);
  op(a.totals.redelivered, b.totals.redelivered);
  op(a.totals.expired, b.totals.expired);
  op(a.totals.dead_lettered, b.totals.dead_lettered);
  op(a.totals.dropped, b.totals.dropped);
  return a;
}

}  // namespace

QueueFigures& QueueFigures::operator+=(const QueueFigures& more) {
  return combine(*this, more, [](uint64_t& a, uint64_t b) { a += b; });
}

QueueFigures& QueueFigures::operator-=(const QueueFigures& less) {
  return combine(*this, less, [](uint64_t& a, uint64_t b) { a -= b; });
}

QueueFigures Queue::figures() const {
  return {.ready = content->ready_count,
          .delayed = content->delayed_count,
          .reserved = content->reserved_count,
          .bytes = content->data_bytes,
          .totals = totals};
}

std::vector<const Queue*> Queues::largest(size_t max) const {
  std::vector<const Queue*> found;
  for (auto of = by_size_.rbegin(); of != by_size_.rend() && found.size() < max; ++of)
    for (auto at = of->begin(); at != of->end() && found.size() < max; ++at) found.push_back(*at);
  std::stable_sort(found.begin(), found.end(), [](const Queue* a, const Queue* b) { return a->size() > b->size(); });
  return found;
}

const Queue* Queues::find(std::string_view queue) const {
  const auto at = queues_.find(queue);
  return at == queues_.end() ? nullptr : &at->second;
}

const Event* Queues::front(std::string_view queue) const {
  const Queue* found = find(queue);
  return found == nullptr ? nullptr : found->front();
}

uint64_t Queues::length(std::string_view queue) const {
  const Queue* found = find(queue);
  return found == nullptr ? 0 : found->content->ready_count;
}

uint64_t Queues::digest(ClusterVersion version) const {
  return version < 3 ? digest_ : mix64(mix64(mix64(digest_, heads_digest_), last_number_), queues_.size());
}

bool Queues::takes_dead_letters(const Queue& queue) const {
  const std::string_view name = *queue.name;
  if (is_named(name)) return true;
  if (!name.ends_with(kDeadSuffix)) return false;
  const Queue* source = find(name.substr(0, name.size() - kDeadSuffix.size()));
  return source != nullptr && !source->own.dead_letter_queue;
}

std::string Queues::dead_letter_queue(const Queue& queue) const {
  if (queue.own.dead_letter_queue) return *queue.own.dead_letter_queue;
  if (takes_dead_letters(queue) || queue.name->size() > kMaxQueueNameBytes) return {};
  return *queue.name + std::string(kDeadSuffix);
}

// Follows the names; a queue that sets none, or does not exist, goes on to its default name. That grows longer with
// each step, so it comes back only through a queue that names another.
bool Queues::makes_circle(std::string_view queue, std::string_view target) const {
  std::string at(target);
  for (size_t steps = 0; !at.empty() && steps <= queues_.size() + kMaxQueueNameBytes; ++steps) {
    if (at == queue) return true;
    const Queue* found = find(at);
    if (found != nullptr && found->own.dead_letter_queue)
      at = *found->own.dead_letter_queue;
    else if (at.size() <= kMaxQueueNameBytes)
      at += kDeadSuffix;
    else
      at.clear();
  }
  return !at.empty();
}

uint64_t Queues::setting(const Queue& queue, QueueSetting setting, const Settings& settings) const {
  const auto number = static_cast<size_t>(setting);
  if (queue.own.numbers[number]) return *queue.own.numbers[number];
  if (setting == QueueSetting::max_deliveries && takes_dead_letters(queue)) return 0;
  return settings.*kQueueSettings[number].by_default;
}

// Index by index, so that no step walks many items.
std::optional<size_t> QueueContent::free_one() {
  if (!holds.empty()) return holds.erase(holds.begin()), 0;
  if (!dues.empty()) return dues.erase(dues.begin()), 0;
  if (!ready.empty()) return ready.erase(ready.begin()), 0;
  if (!late.empty()) return late.erase(late.begin()), 0;
  if (!back_early.empty()) return back_early.erase(back_early.begin()), 0;
  if (!groups.empty()) {
    auto& line = groups.begin()->second.line;
    if (line.empty())
      groups.erase(groups.begin());
    else
      line.erase(line.begin());
    return 0;
  }
  if (events.empty()) return std::nullopt;
  const size_t size = events.begin()->second.bytes.size();
  events.erase(events.begin());
  return size;
}

std::optional<size_t> Queues::free_one() {
  holds_.clear();  // few: one for each queue
  dues_.clear();
  if (queues_.empty()) return std::nullopt;
  if (const auto size = queues_.begin()->second.content->free_one()) return size;
  queues_.erase(queues_.begin());
  return 0;
}

}  // namespace wh::machine
