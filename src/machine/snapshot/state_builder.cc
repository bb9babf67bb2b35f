#include "machine/snapshot/state_builder.h"

#include <utility>

#include "machine/command/command.h"
#include "machine/command/reply.h"

namespace wh::machine {

Status StateBuilder::begin(const SnapshotHead& head) {
  head_ = head;
  state_.applied = head.applied;
  state_.time_ms = head.time_ms;
  state_.version = head.version;
  // Each event has its own log index.
  if (head.applied.value >= raft::kLimit || head.events > head.applied.value || head.sessions > Sessions::kMaxOrigins)
    return Error{"numbers out of range in the snapshot's header"};
  return ok_status();
}

Status StateBuilder::key(std::string_view key, std::string_view value) {
  if (key.empty() || key.size() > kMaxKeyBytes || value.size() > kMaxValueBytes)
    return Error{"a key or value out of bounds in the snapshot"};
  if (state_.store.items().size() == head_.keys) return Error{"more keys in the snapshot than it says"};
  if (!state_.store.load(key, Bytes(std::string(value)))) return Error{"a key twice in the snapshot"};
  return ok_status();
}

Status StateBuilder::event(std::string_view queue, raft::Index id, std::string_view event) {
  if (queue.empty() || queue.size() > kMaxQueueNameBytes) return Error{"a queue's name out of bounds in the snapshot"};
  if (event.empty() || event.size() > kMaxValueBytes) return Error{"an event out of bounds in the snapshot"};
  if (state_.queues.event_count() == head_.events) return Error{"more events in the snapshot than it says"};
  const Event* before = state_.queues.back(queue);
  if (id.value == 0 || id > state_.applied || (before != nullptr && id <= before->id))
    return Error{"an event's id out of order in the snapshot"};
  state_.queues.push(queue, Event{id, Bytes(std::string(event))});
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
  idempotency_keys_ = cluster.idempotency_keys;
  return ok_status();
}

Status StateBuilder::idempotency(std::string_view name, const IdempotencyKeys::Answer& answer, std::string_view reply) {
  if (state_.idempotency.size() == idempotency_keys_)
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
  kept.reply = Bytes(std::string(reply));
  state_.idempotency.add(std::string(name), std::move(kept));
  return ok_status();
}

Status StateBuilder::end(uint64_t digest) {
  if (state_.store.items().size() != head_.keys || state_.queues.event_count() != head_.events ||
      state_.sessions.size() != head_.sessions || state_.idempotency.size() != idempotency_keys_)
    return Error{"fewer items in the snapshot than it says"};
  if (digest != state_.digest()) return Error{"the snapshot's digest does not match"};
  return ok_status();
}

}  // namespace wh::machine
