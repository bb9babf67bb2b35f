#include "machine/queue/queues.h"

#include <utility>

#include "base/assert.h"
#include "base/hash.h"

namespace wh::machine {
namespace {

constexpr uint64_t kQueueSeed = 0x6576656e74717565;  // "eventque"

uint64_t digest_of(std::string_view queue, const Event& event) {
  return hash64(event.bytes.view(), mix64(hash64(queue, kQueueSeed), event.id.value));
}

}  // namespace

uint64_t Queues::push(std::string_view queue, Event event) {
  auto at = queues_.lower_bound(queue);
  if (at == queues_.end() || at->first != queue) {
    at = queues_.emplace_hint(at, std::string(queue), Events{});
    logical_bytes_ += queue.size() + kQueueOverhead;
  }
  Events& events = at->second;
  WH_ASSERT(events.empty() || events.back().id < event.id, "events of a queue are in the order of the log");
  ++event_count_;
  logical_bytes_ += event.bytes.size() + kEventOverhead;
  digest_ += digest_of(queue, event);
  events.push_back(std::move(event));
  return events.size();
}

std::optional<Event> Queues::pop(std::string_view queue) {
  const auto at = queues_.find(queue);
  if (at == queues_.end()) return std::nullopt;
  Event event = std::move(at->second.front());
  at->second.pop_front();
  --event_count_;
  logical_bytes_ -= event.bytes.size() + kEventOverhead;
  digest_ -= digest_of(queue, event);
  if (at->second.empty()) {
    logical_bytes_ -= queue.size() + kQueueOverhead;
    queues_.erase(at);
  }
  return event;
}

const Event* Queues::front(std::string_view queue) const {
  const auto at = queues_.find(queue);
  return at == queues_.end() ? nullptr : &at->second.front();
}

const Event* Queues::back(std::string_view queue) const {
  const auto at = queues_.find(queue);
  return at == queues_.end() ? nullptr : &at->second.back();
}

uint64_t Queues::length(std::string_view queue) const {
  const auto at = queues_.find(queue);
  return at == queues_.end() ? 0 : at->second.size();
}

std::optional<size_t> Queues::free_one() {
  if (queues_.empty()) return std::nullopt;
  Events& events = queues_.begin()->second;
  const size_t size = events.front().bytes.size();
  events.pop_front();
  if (events.empty()) queues_.erase(queues_.begin());
  return size;
}

}  // namespace wh::machine
