#include "machine/snapshot/sections.h"

#include <algorithm>

#include "machine/snapshot/snapshot_format.h"

namespace wh::machine {
namespace {

namespace format = snapshot_format;

std::string key_head(std::string_view key) {
  std::string head;
  head.reserve(5 + key.size());
  Writer w(head);
  w.u8(format::kKey);
  w.bytes(key);
  return head;
}

std::string event_head(std::string_view queue, raft::Index id) {
  std::string head;
  head.reserve(13 + queue.size());
  Writer w(head);
  w.u8(format::kEvent);
  w.bytes(queue);
  w.u64(id.value);
  return head;
}

std::string idempotency_head(const IdempotencyKeys::Item& item) {
  const auto& [name, answer] = item;
  std::string head;
  head.reserve(37 + name.size());
  Writer w(head);
  w.u8(format::kIdempotency);
  w.bytes(name);
  for (const uint8_t byte : answer.fingerprint) w.u8(byte);
  w.u64(answer.index.value);
  w.u64(answer.due);
  return head;
}

}  // namespace

Bytes snapshot_head(const State& state) {
  std::string out;
  const size_t sessions = state.sessions.size();
  out.reserve(format::kHeaderBytes + sessions * (1 + Sessions::kRecordBytes) + 256);
  Writer w(out);
  w.raw(format::kMagic);
  w.u32(state.version);
  w.u64(state.applied.value);
  w.u64(state.time_ms);
  w.u64(state.store.items().size());
  w.u64(state.queues.event_count());
  w.u32(static_cast<uint32_t>(sessions));
  if (state.version > kFirstVersion) {
    w.u8(format::kCluster);
    w.u64(state.jumped_ms);
    w.u64(state.idempotency.size());
    w.u32(static_cast<uint32_t>(settings_as_of(state.version).size()));
    for (const SettingRow& row : settings_as_of(state.version)) w.u64(state.settings.*row.value);
  }
  state.sessions.encode(format::kSession, w);
  return Bytes(std::move(out));
}

// --- keys

std::optional<Record> StoreSection::keep(std::string_view key, const Store::Item& old) const {
  if (done_ || key < cursor_ || old.changed_at > index_) return std::nullopt;
  return Record{key_head(key), old.value};
}

void StoreSection::write(Slice& slice) {
  if (done_ || slice.full()) return;
  const Store::Items& items = store_.items();
  for (auto at = items.lower_bound(cursor_); at != items.end(); ++at) {
    if (slice.full()) {
      cursor_ = at->first;
      return;
    }
    slice.walked();
    if (at->second.changed_at <= index_) slice.put(key_head(at->first), at->second.value);
  }
  done_ = true;
}

// --- events

std::optional<Record> QueuesSection::keep(std::string_view queue, const Event& old) const {
  if (done_ || queue < queue_cursor_ || old.id > index_) return std::nullopt;
  if (queue == queue_cursor_ && old.id < event_cursor_) return std::nullopt;
  return Record{event_head(queue, old.id), old.bytes};
}

void QueuesSection::write(Slice& slice) {
  if (done_ || slice.full()) return;
  const Queues::ByName& queues = queues_.by_name();
  for (auto queue = queues.lower_bound(queue_cursor_); queue != queues.end(); ++queue) {
    if (queue->first != queue_cursor_) {
      queue_cursor_ = queue->first;
      event_cursor_ = raft::Index{};
    }
    if (slice.full()) return;
    const Queues::Events& events = queue->second;
    auto event = std::lower_bound(events.begin(), events.end(), event_cursor_,
                                  [](const Event& e, raft::Index id) { return e.id < id; });
    for (; event != events.end() && event->id <= index_; ++event) {
      if (slice.full()) {
        event_cursor_ = event->id;
        return;
      }
      slice.walked();
      slice.put(event_head(queue->first, event->id), event->bytes);
    }
    // Count the queue after its events, not before: even the smallest slice must advance by one event.
    slice.walked();
    event_cursor_ = index_ + 1;
  }
  done_ = true;
}

// --- idempotency keys

std::optional<Record> IdempotencySection::keep(const IdempotencyKeys::Item& old) const {
  if (done_ || old.first < cursor_ || old.second.index > index_) return std::nullopt;
  return Record{idempotency_head(old), old.second.reply};
}

void IdempotencySection::write(Slice& slice) {
  if (done_ || slice.full()) return;
  const IdempotencyKeys::ByName& keys = keys_.by_name();
  for (auto at = keys.lower_bound(cursor_); at != keys.end(); ++at) {
    if (slice.full()) {
      cursor_ = at->first;
      return;
    }
    slice.walked();
    if (at->second.index <= index_) slice.put(idempotency_head(*at), at->second.reply);
  }
  done_ = true;
}

}  // namespace wh::machine
