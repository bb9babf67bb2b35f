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

std::string lease_record(uint64_t id, const Lease& lease) {
  std::string head;
  Writer w(head);
  w.u8(format::kLease);
  for (const uint64_t number : {id, lease.ttl, lease.deadline}) w.u64(number);
  return head;
}

constexpr uint64_t kLastArrival = UINT64_MAX;

std::string event_head(std::string_view queue, uint64_t id) {
  std::string head;
  head.reserve(13 + queue.size());
  Writer w(head);
  w.u8(format::kEvent);
  w.bytes(queue);
  w.u64(id);
  return head;
}

// Tag, length, and what `write` writes.
template <typename Write>
std::string sized_head(uint8_t tag, const Write& write) {
  std::string head(5, '\0');
  Writer w(head);
  write(w);
  std::string front;
  Writer f(front);
  f.u8(tag);
  f.u32(static_cast<uint32_t>(head.size() - 5));
  head.replace(0, 5, front);
  return head;
}

std::string item_head(std::string_view key, const Item& item, uint64_t create_index) {
  return sized_head(format::kItem, [&](Writer& w) {
    w.bytes(key);
    for (const uint64_t number : {create_index, item.mod_index.value, item.version, item.lease(), item.expires_at()})
      w.u64(number);
    w.bytes(item.content_type());
  });
}

std::string queue_head(const Queue& queue) {
  return sized_head(format::kQueue, [&](Writer& w) {
    w.bytes(*queue.name);
    w.boolean(queue.paused_in);
    w.boolean(queue.paused_out);
    const QueueTotals& t = queue.totals;
    for (const uint64_t total : {t.enqueued, t.acknowledged, t.redelivered, t.expired, t.dead_lettered, t.dropped})
      w.u64(total);
    encode_queue_settings(queue.own, w);
  });
}

std::string queue_event_head(std::string_view queue, const Event& event) {
  return sized_head(format::kQueueEvent, [&](Writer& w) {
    w.bytes(queue);
    w.u64(event.arrival);
    w.u8(static_cast<uint8_t>(event.state));
    w.u8(event.priority);
    w.boolean(event.group != nullptr && event.group->holder == &event);
    w.u32(event.deliveries);
    w.u64(event.arrived_at);
    w.u64(event.due);
    w.u64(event.expires_at);
    w.u64(event.delivery);
    w.bytes(event.group == nullptr ? std::string_view() : *event.group->name);
    w.boolean(event.extra != nullptr);
    if (!event.extra) return;
    w.bytes(event.extra->headers.view());
    w.u64(event.extra->id);
    w.u64(event.extra->enqueued_at);
    w.bytes(event.extra->reason);
    w.bytes(event.extra->source_queue);
  });
}

std::string binding_head(std::string_view topic, std::string_view queue, const Filter& filter) {
  return sized_head(format::kBinding, [&](Writer& w) {
    w.bytes(topic);
    w.bytes(queue);
    w.u8(static_cast<uint8_t>(filter.size()));
    for (const auto& [attribute, pattern] : filter) {
      w.bytes(attribute);
      w.bytes(pattern);
    }
  });
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
    if (state.version >= 3) {
      w.u64(state.queues.last_number());
      w.u64(state.queues.by_name().size());
      w.u64(state.queues.binding_count());
    }
    if (state.version >= 4) {
      w.u64(state.store.since().value);
      w.u64(state.store.leases().size());
    }
  }
  state.sessions.encode(format::kSession, w);
  return Bytes(std::move(out));
}

// --- keys

// What is old reads as in earlier versions; that the walk's state knows no indexes yet says store_ itself.
Record StoreSection::record_of(std::string_view key, const Item& item) const {
  return {store_.is_old(item) ? key_head(key) : item_head(key, item, store_.create_index(item)), item.value};
}

std::optional<Record> StoreSection::keep(std::string_view key, const Item& old) const {
  if (done_ || key < cursor_ || old.mod_index > index_) return std::nullopt;
  return record_of(key, old);
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
    if (at->second.mod_index <= index_) slice.put(record_of(at->first, at->second));
  }
  done_ = true;
}

// --- queues and events

bool QueuesSection::passed(const Queue& queue, uint64_t arrival) const {
  if (done_ || *queue.name < queue_cursor_) return true;
  return *queue.name == queue_cursor_ && arrival < event_cursor_;
}

std::optional<Record> QueuesSection::keep(const Queue& queue) const {
  if (!with_heads_ || queue.changed_at > index_) return std::nullopt;
  if (passed(queue, 0) || (*queue.name == queue_cursor_ && head_written_)) return std::nullopt;
  return Record{.head = queue_head(queue), .bytes = {}, .has_bytes = false};
}

std::optional<Record> QueuesSection::keep(const Queue& queue, const Event& old) const {
  if (passed(queue, old.arrival) || old.changed_at > index_) return std::nullopt;
  return Record{.head = with_heads_ ? queue_event_head(*queue.name, old) : event_head(*queue.name, old.arrival),
                .bytes = old.bytes};
}

// The walk takes part in it, and goes on in the queue as if it were empty.
void QueuesSection::keep_content(const Queue& queue, const std::shared_ptr<QueueContent>& content) {
  if (done_ || *queue.name < queue_cursor_ || content->events.empty()) return;
  frozen_.push_back({*queue.name, content, *queue.name == queue_cursor_ ? event_cursor_ : 0});
}

bool QueuesSection::write_events(const std::string& queue, const QueueContent& content, uint64_t& cursor,
                                 Slice& slice) const {
  for (auto event = content.events.lower_bound(cursor); event != content.events.end() && event->first <= last_arrival_;
       ++event) {
    if (slice.full()) {
      cursor = event->first;
      return false;
    }
    slice.walked();
    const Event& one = event->second;
    if (one.changed_at > index_) continue;
    slice.put(with_heads_ ? queue_event_head(queue, one) : event_head(queue, one.arrival), one.bytes);
  }
  cursor = kLastArrival;
  return true;
}

// What was purged comes first: its queue's head is written or kept before it, and so before whatever came later.
void QueuesSection::write(Slice& slice) {
  for (; !frozen_.empty(); frozen_.pop_front()) {
    if (slice.full()) return;
    Frozen& frozen = frozen_.front();
    if (!write_events(frozen.queue, *frozen.content, frozen.from, slice)) return;
  }
  if (done_ || slice.full()) return;
  const Queues::ByName& queues = queues_.by_name();
  for (auto queue = queues.lower_bound(queue_cursor_); queue != queues.end(); ++queue) {
    if (queue->first != queue_cursor_) {
      queue_cursor_ = queue->first;
      head_written_ = false;
      event_cursor_ = 0;
    }
    if (slice.full()) return;
    if (with_heads_ && !head_written_ && queue->second.changed_at <= index_) slice.put_head(queue_head(queue->second));
    head_written_ = true;
    if (!write_events(queue->first, *queue->second.content, event_cursor_, slice)) return;
    // Count the queue after its events, not before: even the smallest slice must advance by one event.
    slice.walked();
  }
  done_ = true;
}

// --- bindings

std::optional<Record> BindingsSection::keep(std::string_view topic, std::string_view queue, const Binding& old) const {
  const std::pair<std::string_view, std::string_view> cursor(cursor_.first, cursor_.second);
  if (done_ || std::pair(topic, queue) < cursor || old.changed_at > index_) return std::nullopt;
  return Record{.head = binding_head(topic, queue, old.filter), .bytes = {}, .has_bytes = false};
}

void BindingsSection::write(Slice& slice) {
  if (done_ || slice.full()) return;
  for (auto topic = topics_.lower_bound(cursor_.first); topic != topics_.end(); ++topic) {
    const Bindings& bound = topic->second;
    for (auto at = topic->first == cursor_.first ? bound.lower_bound(cursor_.second) : bound.begin(); at != bound.end();
         ++at) {
      if (slice.full()) {
        cursor_ = {topic->first, at->first};
        return;
      }
      slice.walked();
      if (at->second.changed_at <= index_) slice.put_head(binding_head(topic->first, at->first, at->second.filter));
    }
  }
  done_ = true;
}

// --- leases

std::optional<Record> LeasesSection::keep(uint64_t id, const Lease& old) const {
  if (done_ || id < cursor_ || old.changed_at > index_) return std::nullopt;
  return Record{.head = lease_record(id, old), .bytes = {}, .has_bytes = false};
}

void LeasesSection::write(Slice& slice) {
  if (done_ || slice.full()) return;
  for (auto at = leases_.lower_bound(cursor_); at != leases_.end(); ++at) {
    if (slice.full()) {
      cursor_ = at->first;
      return;
    }
    slice.walked();
    if (at->second.changed_at <= index_) slice.put_head(lease_record(at->first, at->second));
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
