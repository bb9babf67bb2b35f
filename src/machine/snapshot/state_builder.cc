#include "machine/snapshot/state_builder.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutant.h"
#include "base/utf8.h"
#include "machine/command/command.h"
#include "machine/command/event_headers.h"
#include "machine/command/reply.h"
#include "machine/queue/queue_ops.h"

namespace wh::machine {
namespace {

// Puts items into a state's queues; they count as older than every running walk.
template <typename Load>
void loading(State& state, const Load& load) {
  UnwatchedQueues nobody;
  QueueOps ops(state.queues,
               {.index = {}, .stamp = 0, .jumped = 0, .version = state.version, .settings = state.settings}, nobody);
  load(ops);
}

}  // namespace

Status StateBuilder::begin(const SnapshotHead& head) {
  head_ = head;
  state_.applied = head.applied;
  state_.time_ms = head.time_ms;
  state_.version = head.version;
  // Before version 3 each event has its own log index.
  if (head.applied.value >= raft::kLimit || (head.version < 3 && head.events > head.applied.value) ||
      head.sessions > Sessions::kMaxOrigins)
    return Error{"numbers out of range in the snapshot's header"};
  return ok_status();
}

Status StateBuilder::key(std::string_view key, std::string_view value) {
  if (key.empty() || key.size() > kMaxKeyBytes || value.size() > kMaxValueBytes)
    return Error{"a key or value out of bounds in the snapshot"};
  if (state_.store.items().size() == head_.keys) return Error{"more keys in the snapshot than it says"};
  Item item;
  item.value = Bytes::copy(value);
  if (!state_.store.load(key, std::move(item))) return Error{"a key twice in the snapshot"};
  return ok_status();
}

Status StateBuilder::item(const StoreItem& item) {
  const uint64_t since = cluster_.store_since.value;
  const bool numbers = item.mod_index > since && item.mod_index <= state_.applied.value && item.create_index >= since &&
                       item.create_index <= item.mod_index && item.version != 0 && item.version < raft::kLimit &&
                       item.lease <= state_.applied.value && item.expires_at < raft::kLimit;
  if (!check_key(item.key) || item.value.size() > kMaxValueBytes || !numbers ||
      item.content_type.size() > kMaxContentTypeBytes || !is_plain_text(item.content_type))
    return Error{"a key or value out of bounds in the snapshot"};
  if (state_.store.items().size() == head_.keys) return Error{"more keys in the snapshot than it says"};
  Item loaded;
  loaded.value = Bytes::copy(item.value);
  loaded.create_index = raft::Index{WH_MUTANT(restore_forgets_create_index) ? item.mod_index : item.create_index};
  loaded.mod_index = raft::Index{item.mod_index};
  loaded.version = item.version;
  if (item.lease != 0 || item.expires_at != 0 || !item.content_type.empty())
    loaded.extra = std::make_unique<ItemExtra>(
        ItemExtra{.content_type = std::string(item.content_type), .lease = item.lease, .expires_at = item.expires_at});
  if (!state_.store.load(item.key, std::move(loaded))) return Error{"a key twice in the snapshot"};
  return ok_status();
}

Status StateBuilder::lease(uint64_t id, Millis ttl, Millis deadline) {
  if (id <= cluster_.store_since.value || id > state_.applied.value || ttl < kMinLeaseMs || ttl > kMaxLeaseMs ||
      deadline >= raft::kLimit)
    return Error{"a lease out of bounds in the snapshot"};
  if (WH_MUTANT(restore_renews_leases)) deadline = state_.time_ms + ttl;
  if (!state_.store.load_lease(id, ttl, deadline)) return Error{"a lease twice in the snapshot"};
  return ok_status();
}

Status StateBuilder::event(std::string_view queue, raft::Index id, std::string_view event) {
  if (queue.empty() || queue.size() > kMaxQueueNameBytes) return Error{"a queue's name out of bounds in the snapshot"};
  if (event.empty() || event.size() > kMaxValueBytes) return Error{"an event out of bounds in the snapshot"};
  if (state_.queues.event_count() == head_.events) return Error{"more events in the snapshot than it says"};
  if (id.value == 0 || id > state_.applied) return Error{"an event's id out of bounds in the snapshot"};
  const Queue* before = state_.queues.find(queue);
  if (before != nullptr && before->content->events.contains(id.value)) return Error{"an event twice in the snapshot"};
  Event loaded;
  loaded.arrival = id.value;
  loaded.bytes = Bytes::copy(event);
  loading(state_, [&](QueueOps& ops) { (void)ops.load_event(queue, std::move(loaded), {}, false); });
  return ok_status();
}

Status StateBuilder::queue(const QueueItem& queue) {
  if (!is_queue_name_size(queue.name)) return Error{"a queue's name out of bounds in the snapshot"};
  if (state_.queues.by_name().size() == cluster_.queues) return Error{"more queues in the snapshot than it says"};
  bool taken = false;
  loading(state_, [&](QueueOps& ops) {
    taken = ops.load_queue(queue.name, queue.own, queue.paused_in, queue.paused_out, queue.totals);
  });
  if (!taken) return Error{"a queue twice in the snapshot"};
  return ok_status();
}

Status StateBuilder::queue_event(const EventItem& item) {
  const auto headers = unpack_headers(item.headers);
  const uint64_t highest = std::max(cluster_.last_number, state_.applied.value);
  const bool times = item.arrived_at < raft::kLimit && item.due < raft::kLimit && item.expires_at < raft::kLimit &&
                     item.enqueued_at < raft::kLimit;
  const bool numbers = item.arrival != 0 && item.arrival <= highest && item.id < item.arrival &&
                       item.delivery <= state_.applied.value && item.priority < kPriorities;
  const bool state = item.state == EventState::reserved ? item.delivery != 0 && item.deliveries != 0
                     : item.state == EventState::ready  ? item.due == 0
                                                        : item.due != 0;
  const bool texts = item.group.size() <= kMaxGroupBytes && item.reason.size() <= kMaxReasonBytes &&
                     (item.source_queue.empty() || is_queue_name_size(item.source_queue));
  const bool extra = !item.has_extra || !item.headers.empty() || item.id != 0;
  if (!headers || !times || !numbers || !state || !texts || !extra || item.bytes.size() > kMaxValueBytes ||
      (item.bytes.empty() && !headers->cloud_event))
    return Error{"an event out of bounds in the snapshot"};
  if (state_.queues.event_count() == head_.events) return Error{"more events in the snapshot than it says"};
  Event event;
  event.arrival = item.arrival;
  event.bytes = Bytes::copy(item.bytes);
  event.arrived_at = item.arrived_at;
  event.due = item.due;
  event.expires_at = item.expires_at;
  event.delivery = item.delivery;
  event.deliveries = item.deliveries;
  event.priority = item.priority;
  event.state = item.state;
  if (item.has_extra)
    event.extra = std::make_unique<EventExtra>(EventExtra{.headers = Bytes::copy(item.headers),
                                                          .id = item.id,
                                                          .enqueued_at = item.enqueued_at,
                                                          .reason = std::string(item.reason),
                                                          .source_queue = std::string(item.source_queue)});
  bool taken = false;
  loading(state_,
          [&](QueueOps& ops) { taken = ops.load_event(item.queue, std::move(event), item.group, item.holds_group); });
  if (!taken) return Error{"an event twice, or without its queue, in the snapshot"};
  return ok_status();
}

Status StateBuilder::binding(const BindingItem& item) {
  const std::vector<FilterTerm> terms(item.filter.begin(), item.filter.end());
  if (!check_bounds(Bind{item.topic, item.queue, terms}, kLatestVersion))
    return Error{"a binding out of bounds in the snapshot"};
  if (state_.queues.binding_count() == cluster_.bindings) return Error{"more bindings in the snapshot than it says"};
  bool taken = false;
  loading(state_, [&](QueueOps& ops) { taken = ops.load_binding(item.topic, item.queue, item.filter); });
  if (!taken) return Error{"a binding twice in the snapshot"};
  return ok_status();
}

Status StateBuilder::session(std::string_view record) {
  if (!state_.sessions.load(record, state_.applied)) return Error{"a malformed session in the snapshot"};
  return ok_status();
}

Status StateBuilder::cluster(const SnapshotCluster& cluster) {
  if (cluster.jumped_ms >= raft::kLimit) return Error{"a time out of range in the snapshot"};
  state_.jumped_ms = cluster.jumped_ms;
  state_.settings = cluster.settings;
  const bool indexed = state_.version >= 4;
  if (indexed != (cluster.store_since != raft::Index{}) || cluster.store_since > state_.applied)
    return Error{"an index out of range in the snapshot"};
  if (indexed) state_.store.count_since(cluster.store_since);
  cluster_ = cluster;
  if (cluster.last_number >= raft::kLimit) return Error{"a number out of range in the snapshot"};
  loading(state_, [&](QueueOps& ops) { ops.load_last_number(cluster.last_number); });
  return ok_status();
}

Status StateBuilder::idempotency(std::string_view name, const IdempotencyKeys::Answer& answer, std::string_view reply) {
  if (state_.idempotency.size() == cluster_.idempotency_keys)
    return Error{"more idempotency keys in the snapshot than it says"};
  Reader in(name);
  const std::string_view scope = in.bytes();
  if (!in.ok() || scope.size() > IdempotencyKeys::kMaxScopeBytes || in.left() == 0 ||
      in.left() > kMaxIdempotencyKeyBytes || state_.idempotency.by_name().contains(name))
    return Error{"an idempotency key twice, or out of bounds, in the snapshot"};
  // Only successes are kept.
  const Result<Reply> first = decode_reply(reply);
  if (answer.index.value == 0 || answer.index > state_.applied || answer.due >= raft::kLimit || !first ||
      first->code != ReplyCode::ok || first->replayed_from != raft::Index{})
    return Error{"a malformed answer in the snapshot"};
  IdempotencyKeys::Answer kept = answer;
  kept.reply = Bytes::copy(reply);
  state_.idempotency.add(std::string(name), std::move(kept));
  return ok_status();
}

Status StateBuilder::end(uint64_t digest) {
  if (state_.store.items().size() != head_.keys || state_.queues.event_count() != head_.events ||
      state_.sessions.size() != head_.sessions || state_.idempotency.size() != cluster_.idempotency_keys)
    return Error{"fewer items in the snapshot than it says"};
  if (state_.version >= 3 &&
      (state_.queues.by_name().size() != cluster_.queues || state_.queues.binding_count() != cluster_.bindings))
    return Error{"fewer queues or bindings in the snapshot than it says"};
  if (state_.store.leases_missing() != 0 || state_.store.leases().size() != cluster_.leases)
    return Error{"another number of leases in the snapshot than it says, or than its keys name"};
  for (const auto& [name, queue] : state_.queues.by_name())
    if (queue.size() == 0 && !is_path_name(name)) return Error{"a queue without events that no path can name"};
  for (const auto& [topic, bound] : state_.queues.topics())
    for (const auto& [queue, binding] : bound)
      if (state_.queues.find(queue) == nullptr) return Error{"a binding without its queue in the snapshot"};
  if (digest != state_.digest()) return Error{"the snapshot's digest does not match"};
  state_.store.begin_index();
  return ok_status();
}

}  // namespace wh::machine
