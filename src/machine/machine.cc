#include "machine/machine.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"

namespace wh::machine {

namespace {

// The scope of an idempotency key: the store, or the command's queue.
std::string scope_of(const Body& body) {
  if (const auto* enqueue = std::get_if<Enqueue>(&body)) return "q" + std::string(enqueue->queue);
  if (const auto* dequeue = std::get_if<Dequeue>(&body)) return "q" + std::string(dequeue->queue);
  return {};
}

}  // namespace

Applied Machine::apply(raft::Index index, Millis time_ms, std::string_view command) {
  advance(index, time_ms);
  const Result<Command> decoded = decode(command, WH_MUTANT(program_decides_kinds) ? kLatestVersion : state_.version);
  WH_ASSERT(decoded || !WH_MUTANT(poison_entry_kills), "an entry is a command");
  if (!decoded) return {{.code = ReplyCode::invalid}, effects_};
  const RequestId& id = decoded->id;
  if (id.sequence != 0 && !state_.sessions.admit(id, index) && !WH_MUTANT(forward_not_deduplicated))
    return {{.code = ReplyCode::duplicate}, effects_};
  return {run(*decoded), effects_};
}

// A known key's answer replaces the command; an expired one does not count, even before a Due removed it. Only
// successes are kept: a refused request may be repeated.
Reply Machine::run(const Command& command) {
  const auto run_body = [&] { return std::visit([this](const auto& body) { return run(body); }, command.body); };
  if (!command.idempotency || WH_MUTANT(idempotency_key_ignored)) return run_body();
  const std::string scope = scope_of(command.body);
  const IdempotencyKey& key = *command.idempotency;
  if (const auto* answer = state_.idempotency.find(scope, key.key); answer != nullptr && answer->due > state_.time_ms) {
    if (answer->fingerprint != key.fingerprint) return {.code = ReplyCode::key_reused};
    const Result<Reply> first = decode_reply(answer->reply.view());
    WH_ASSERT(first, "a kept answer is one");
    Reply again = *first;
    again.replayed_from = answer->index;
    return again;
  }
  Reply reply = run_body();
  if (reply.code == ReplyCode::ok) remember(scope, key, reply);
  return reply;
}

// The event that a Dequeue returned is not kept: its answer names the event.
void Machine::remember(std::string_view scope, const IdempotencyKey& key, const Reply& reply) {
  std::string name = IdempotencyKeys::name_of(scope, key.key);
  const auto& by_name = state_.idempotency.by_name();
  if (const auto old = by_name.find(name); old != by_name.end()) forget(*old);
  Reply kept = reply;
  kept.event = Bytes();
  state_.idempotency.add(std::move(name), {.fingerprint = key.fingerprint,
                                           .index = state_.applied,
                                           .due = state_.time_ms + state_.settings.dedup_window,
                                           .reply = Bytes(encode_reply(kept))});
  // Forgets a bounded number: lowered settings take effect gradually.
  for (size_t n = 0; n < kDuePerEntry; ++n) {
    const IdempotencyKeys::Item* oldest = state_.idempotency.next_too_many(state_.settings);
    if (oldest == nullptr || oldest->second.index == state_.applied) break;
    ++idempotency_evicted_;
    forget(*oldest);
  }
}

void Machine::forget(const IdempotencyKeys::Item& item) {
  if (!WH_MUTANT(snapshot_without_barrier))
    for (auto& walk : walks_)
      if (walk) walk->keep_idempotency(item);
  state_.idempotency.remove(item);
}

void Machine::advance(raft::Index index, Millis time_ms) {
  WH_ASSERT(index == state_.applied + 1, "entries are applied once each, in order");
  state_.applied = index;
  state_.time_ms = std::max(state_.time_ms, time_ms);
  effects_.clear();
}

void Machine::raise_version(raft::Index index, Millis time_ms, ClusterVersion version) {
  advance(index, time_ms);
  effects_.version = version > state_.version;
  state_.version = std::max(state_.version, version);
}

Reply Machine::run(const Set& set) {
  for (const auto& [key, value] : set.pairs) {
    const auto old = state_.store.set(key, Bytes(std::string(value)), state_.applied);
    if (old) keep_key(key, *old);
    effects_.changed_keys.push_back(key);
  }
  return Reply{.count = set.pairs.size()};
}

Reply Machine::run(const Delete& del) {
  Reply reply;
  for (const auto key : del.keys) {
    const auto old = state_.store.erase(key);
    if (!old) continue;
    ++reply.count;
    keep_key(key, *old);
    effects_.changed_keys.push_back(key);
  }
  return reply;
}

Reply Machine::run(const Enqueue& enqueue) {
  const raft::Index id = state_.applied;
  const uint64_t length = state_.queues.push(enqueue.queue, Event{id, Bytes(std::string(enqueue.event))});
  effects_.ready_queues.push_back(enqueue.queue);
  return Reply{.event_id = id, .count = 1, .queue_length = length};
}

Reply Machine::run(const Dequeue& dequeue) {
  if (dequeue.only_if_front) {
    const Event* front = state_.queues.front(dequeue.queue);
    if (front == nullptr || front->id.value != *dequeue.only_if_front)
      return Reply{.code = ReplyCode::precondition_failed, .queue_length = queue_length(dequeue.queue)};
  }
  const auto event = state_.queues.pop(dequeue.queue);
  if (!event) return Reply{};
  keep_event(dequeue.queue, *event);
  return Reply{.event_id = event->id, .count = 1, .queue_length = queue_length(dequeue.queue), .event = event->bytes};
}

// Expired answers do not count even before they are removed: so those of one second go together, and an idle cluster
// does not write an entry for each.
Millis Machine::next_deadline() const {
  constexpr Millis kTogetherMs = 1'000;
  const Millis due = state_.idempotency.next_deadline();
  return due == kNever ? kNever : due + kTogetherMs;
}

Reply Machine::run(const Due& /*due*/) {
  Reply reply;
  while (reply.count < kDuePerEntry) {
    const IdempotencyKeys::Item* due = state_.idempotency.next_due(state_.time_ms);
    if (due == nullptr) break;
    forget(*due);
    ++reply.count;
  }
  return reply;
}

Reply Machine::run(const AdvanceTime& advance) {
  const Millis now = state_.cluster_time_ms();
  if (advance.to_ms <= now) return {};
  state_.jumped_ms += advance.to_ms - now;
  effects_.time = true;
  return {.count = 1};
}

Reply Machine::run(const PutSettings& put) {
  for (const auto& [name, value] : put.values) state_.settings.*find_setting(name)->value = value;
  effects_.settings = true;
  return {.count = put.values.size(), .event = Bytes(encode_settings(state_.settings))};
}

uint64_t Machine::growth(std::string_view command) const {
  const Result<Command> decoded = decode(command);
  if (!decoded) return 0;
  if (const auto* set = std::get_if<Set>(&decoded->body)) {
    uint64_t total = 0;
    for (const auto& [key, value] : set->pairs) {
      const Bytes* old = get(key);
      if (old == nullptr)
        total += key.size() + value.size() + Store::kOverhead;
      else if (value.size() > old->size())
        total += value.size() - old->size();
    }
    return total;
  }
  if (const auto* enqueue = std::get_if<Enqueue>(&decoded->body)) {
    const uint64_t queue = front(enqueue->queue) == nullptr ? enqueue->queue.size() + Queues::kQueueOverhead : 0;
    return queue + enqueue->event.size() + Queues::kEventOverhead;
  }
  return 0;
}

// The write barrier: hands the old item to every walk that has not reached it.
void Machine::keep_key(std::string_view key, const Store::Item& old) {
  if (WH_MUTANT(snapshot_without_barrier)) return;
  for (auto& walk : walks_)
    if (walk) walk->keep_key(key, old);
}

void Machine::keep_event(std::string_view queue, const Event& old) {
  for (auto& walk : walks_)
    if (walk) walk->keep_event(queue, old);
}

void Machine::begin_snapshot(Walk walk) {
  WH_ASSERT(!walk_of(walk), "one snapshot at a time");
  if (WH_MUTANT(sessions_trimmed_for_snapshot)) state_.sessions = Sessions{};
  walk_of(walk).emplace(state_);
}

bool Machine::next_slice(size_t max_bytes, std::string& out, Walk walk) {
  std::optional<SnapshotWriter>& writer = walk_of(walk);
  WH_ASSERT(writer, "no snapshot was begun");
  const bool more = writer->next_slice(max_bytes, out);
  if (!more) writer.reset();
  return more;
}

Discarded Machine::replace(State state) {
  for (auto& walk : walks_) walk.reset();
  return Discarded(std::exchange(state_, std::move(state)));
}

}  // namespace wh::machine
