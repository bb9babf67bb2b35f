#include "api/queue_operations.h"

#include <algorithm>
#include <iterator>

#include "base/log.h"

namespace wh::api {
namespace {

// From the first name after `after` that has the prefix.
template <typename Map>
typename Map::const_iterator first_of(const Map& map, const std::string& prefix, const std::string& after) {
  return after.empty() || after < prefix ? map.lower_bound(prefix) : map.upper_bound(after);
}

// How many events of the queue are in that state.
uint64_t count_of(const machine::QueueContent& content, ListedState state) {
  switch (state) {
    case ListedState::any:
      return content.events.size();
    case ListedState::ready:
      return content.ready_count;
    case ListedState::delayed:
      return content.delayed_count;
    case ListedState::reserved:
      return content.reserved_count;
  }
  return 0;
}

}  // namespace

ListedState listed_state(const machine::Event& event) {
  switch (event.state) {
    case machine::EventState::ready:
      return ListedState::ready;
    case machine::EventState::reserved:
      return ListedState::reserved;
    case machine::EventState::delayed:
    case machine::EventState::backoff:
      break;
  }
  return ListedState::delayed;
}

std::optional<Millis> oldest_age_ms(const machine::Queue& queue, const machine::Machine& machine) {
  const machine::QueueContent& content = *queue.content;
  if (content.events.empty()) return 0;
  const Millis arrived = content.events.begin()->second.arrived_at;
  const Millis now = machine.cluster_time_ms();
  return arrived == 0 ? std::nullopt : std::optional(now - std::min(now, arrived));
}

// In the order of arrival. A dead letter has its place under another number than its id; both count as `after`.
ShownEvents look(const machine::Queues& queues, const ListEvents& list) {
  ShownEvents shown;
  shown.queue = queues.find(list.queue);
  if (shown.queue == nullptr) return shown;
  const machine::QueueContent& content = *shown.queue->content;
  const auto late = content.late.find(list.after);
  uint64_t last = late == content.late.end() ? list.after : late->second;
  auto at = last == 0 ? content.events.begin() : content.events.upper_bound(last);
  const uint64_t all = count_of(content, list.state);
  if (list.state != ListedState::any && all == 0) return shown;
  size_t bytes = 0;
  for (size_t looked_at = 0; at != content.events.end(); ++at, ++looked_at) {
    const machine::Event& event = at->second;
    const bool fits = list.state == ListedState::any || listed_state(event) == list.state;
    const bool full = fits && (shown.events.size() == list.limit ||
                               (!shown.events.empty() && bytes + event.data_bytes() > kMaxBytesShown));
    if (full || looked_at == kMaxEventsLookedAt) {
      shown.next = last;
      break;
    }
    last = at->first;
    if (!fits) continue;
    bytes += event.data_bytes();
    shown.events.push_back(&event);
    if (list.after == 0 && shown.events.size() == all) break;
  }
  return shown;
}

// Goes from the nearer end; as Redis does, a range is cut to what there is.
ReadyEvents look(const machine::Queues& queues, const ListReady& list) {
  ReadyEvents shown;
  const machine::Queue* queue = queues.find(list.queue);
  if (queue == nullptr || queue->front() == nullptr) return shown;
  const auto& ready = queue->content->ready;
  const auto size = static_cast<int64_t>(ready.size());
  const auto place = [size](int64_t index) { return index < 0 ? std::max<int64_t>(index, -size - 1) + size : index; };
  const int64_t first = std::max<int64_t>(place(list.first), 0);
  const int64_t last = std::min(place(list.last), size - 1);
  if (first > last) return shown;
  if (last - first >= kMaxListed) {
    shown.refused = "there are " + std::to_string(last - first + 1) +
                    " events in this range, and an answer has at most " + std::to_string(kMaxListed) +
                    ": ask for it in parts";
    return shown;
  }
  constexpr auto kFar = static_cast<int64_t>(kMaxEventsLookedAt);
  if (last >= kFar && first < size - kFar) {
    shown.refused = "this is more than " + std::to_string(kFar) + " events away from both ends of the queue";
    return shown;
  }
  auto at = last < kFar ? std::next(ready.begin(), first) : std::prev(ready.end(), size - first);
  size_t bytes = 0;
  for (int64_t i = first; i <= last; ++i, ++at) {
    bytes += at->second->bytes.size();
    if (!shown.events.empty() && bytes > kMaxBytesShown) {
      shown.events.clear();
      shown.refused = "the events in this range have more than " + std::to_string(kMaxBytesShown) +
                      " bytes, which is too much for an answer: ask for it in parts";
      break;
    }
    shown.events.push_back(at->second);
  }
  return shown;
}

ShownQueues look(const machine::Queues& queues, const ListQueues& list) {
  ShownQueues shown;
  const auto& all = queues.by_name();
  for (auto at = first_of(all, list.prefix, list.after); at != all.end() && at->first.starts_with(list.prefix); ++at) {
    if (shown.queues.size() == list.limit) {
      shown.more = true;
      break;
    }
    shown.queues.push_back(&at->second);
  }
  return shown;
}

ShownTopics look(const machine::Queues& queues, const ListTopics& list) {
  ShownTopics shown;
  const auto& all = queues.topics();
  size_t bindings = 0;
  for (auto at = first_of(all, list.prefix, list.after); at != all.end() && at->first.starts_with(list.prefix); ++at) {
    if (shown.topics.size() == list.limit || (!shown.topics.empty() && bindings + at->second.size() > kMaxListed)) {
      shown.more = true;
      break;
    }
    bindings += at->second.size();
    shown.topics.push_back(&*at);
  }
  return shown;
}

// Before version 3 arrivals are numbered by the log.
std::optional<Refusal> check_watch(const machine::Machine& machine, const WatchQueue& watch) {
  const raft::Index applied = machine.applied();
  if (machine.queues().find(watch.queue) == nullptr)
    return Refusal{RefusalKind::not_found, "there is no queue " + printable(watch.queue), true, applied};
  const uint64_t last = std::max(machine.queues().last_number(), applied.value);
  if (watch.after <= last) return std::nullopt;
  return malformed("nothing has arrived in this cluster after " + std::to_string(last) +
                   " yet, so a stream cannot go on after " + std::to_string(watch.after) +
                   ": was this id given by another cluster, or before a backup was restored?");
}

std::optional<Refusal> bad_queue(std::string_view queue) {
  if (queue.empty()) return malformed("a queue's name must not be empty");
  if (!machine::is_queue_name_size(queue))
    return malformed("a queue's name has at most " + std::to_string(machine::kMaxQueueNameBytes) + " bytes");
  return std::nullopt;
}

std::optional<Refusal> bad_queue_in_path(std::string_view queue) {
  if (auto refusal = bad_queue(queue)) return refusal;
  if (machine::is_path_name(queue)) return std::nullopt;
  return malformed("a queue's name has the characters A-Z a-z 0-9 . _ -, and '" + printable(queue) + "' has others");
}

std::optional<Refusal> bad_new_name(std::string_view name) {
  if (name != "." && name != "..") return std::nullopt;
  return malformed("a queue or a topic cannot be named '" + std::string(name) +
                   "': most clients take such a part out of a path before they send it");
}

std::optional<Refusal> bad_topic_in_path(std::string_view topic) {
  if (topic.empty() || topic.size() > machine::kMaxTopicNameBytes)
    return malformed("a topic's name has 1 to " + std::to_string(machine::kMaxTopicNameBytes) + " bytes");
  if (machine::is_path_name(topic)) return std::nullopt;
  return malformed("a topic's name has the characters A-Z a-z 0-9 . _ -, and '" + printable(topic) + "' has others");
}

}  // namespace wh::api
