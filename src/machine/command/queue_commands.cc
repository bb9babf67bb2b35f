#include "machine/command/queue_commands.h"

#include <algorithm>
#include <set>

#include "base/utf8.h"
#include "machine/command/event_codec.h"
#include "machine/command/event_headers.h"
#include "machine/command/store_commands.h"
#include "machine/queue/queue_settings.h"

namespace wh::machine {
namespace {

Status check_queue(std::string_view queue) {
  if (!is_queue_name_size(queue)) return Error{"a queue's name has 1 to 128 bytes"};
  return ok_status();
}

// Of a queue that requests make or name in a setting: they must be able to delete it too.
Status check_path_queue(std::string_view queue) {
  if (!is_path_name(queue)) return Error{"a queue's name has the characters A-Z a-z 0-9 . _ -"};
  return check_queue(queue);
}

Status check_topic(std::string_view topic) {
  if (topic.empty() || topic.size() > kMaxTopicNameBytes) return Error{"a topic's name has 1 to 128 bytes"};
  return ok_status();
}

enum DequeueField : uint8_t { kOnlyIfFront = 1, kKeepEvent = 2, kCount = 4 };

size_t events_size(const std::vector<NewEvent>& events) {
  size_t size = 4;
  for (const NewEvent& event : events) size += event_size(event);
  return size;
}

void encode_events(const std::vector<NewEvent>& events, Writer& out) {
  out.u32(static_cast<uint32_t>(events.size()));
  for (const NewEvent& event : events) encode_event(event, out);
}

void decode_events(Reader& in, std::vector<NewEvent>& events) {
  const uint32_t count = in.count(6);
  if (count > kMaxBatch) in.fail();
  if (in.ok()) events.reserve(count);
  for (uint32_t i = 0; in.ok() && i < count; ++i) events.push_back(decode_event(in));
}

Status check_events(const std::vector<NewEvent>& events) {
  if (events.empty() || events.size() > kMaxBatch) return Error{"a batch has 1 to 1000 events"};
  for (const NewEvent& event : events)
    if (Status status = check_event(event); !status) return status;
  return ok_status();
}

void encode_optional(std::optional<Millis> value, Writer& out) {
  out.boolean(value.has_value());
  if (value) out.u64(*value);
}

void decode_optional(Reader& in, std::optional<Millis>& value) {
  if (in.boolean()) value = in.u64();
}

}  // namespace

bool is_queue_name_size(std::string_view queue) {
  if (queue.empty()) return false;
  return queue.size() <= kMaxQueueNameBytes || (queue.size() <= kMaxDeadQueueNameBytes && queue.ends_with(kDeadSuffix));
}

bool is_path_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

// --- Enqueue, Dequeue

size_t encoded_size(const Enqueue& enqueue) { return 8 + enqueue.queue.size() + enqueue.event.size(); }
size_t encoded_size(const Dequeue& dequeue) { return 17 + dequeue.queue.size(); }

void encode(const Enqueue& enqueue, Writer& out) {
  out.bytes(enqueue.queue);
  out.bytes(enqueue.event);
}

void encode(const Dequeue& dequeue, Writer& out) {
  out.bytes(dequeue.queue);
  out.u8(static_cast<uint8_t>((dequeue.only_if_front ? kOnlyIfFront : 0) | (dequeue.keep_event ? kKeepEvent : 0) |
                              (dequeue.count ? kCount : 0)));
  if (dequeue.only_if_front) out.u64(*dequeue.only_if_front);
  if (dequeue.count) out.u32(*dequeue.count);
}

void decode(Reader& in, Enqueue& enqueue) {
  enqueue.queue = in.bytes();
  enqueue.event = in.bytes();
}

void decode(Reader& in, Dequeue& dequeue) {
  dequeue.queue = in.bytes();
  const uint8_t fields = in.u8();
  if (fields > (kOnlyIfFront | kKeepEvent | kCount)) in.fail();
  if ((fields & kOnlyIfFront) != 0) dequeue.only_if_front = in.u64();
  if ((fields & kCount) != 0) dequeue.count = in.u32();
  dequeue.keep_event = (fields & kKeepEvent) != 0;
}

// The longer names of dead letter queues came with version 3.
Status check_bounds(const Enqueue& enqueue, ClusterVersion version) {
  if (enqueue.event.empty() || enqueue.event.size() > kMaxValueBytes) return Error{"an event has 1 to 4194304 bytes"};
  if (version < 3 && enqueue.queue.size() > kMaxQueueNameBytes) return Error{"a queue's name has 1 to 128 bytes"};
  return check_queue(enqueue.queue);
}

Status check_bounds(const Dequeue& dequeue, ClusterVersion version) {
  if (version < 3 && dequeue.queue.size() > kMaxQueueNameBytes) return Error{"a queue's name has 1 to 128 bytes"};
  if (version < 3 && dequeue.keep_event) return Error{"a removed event is kept as of version 3"};
  if (dequeue.count) {
    if (version < 3) return Error{"several events are removed at once as of version 3"};
    if (*dequeue.count == 0 || *dequeue.count > kMaxDequeue) return Error{"count is 1 to 1000"};
    if (dequeue.only_if_front || dequeue.keep_event) return Error{"a count has no condition, and no event is kept"};
  }
  return check_queue(dequeue.queue);
}

// --- PutEvents, Publish

size_t encoded_size(const PutEvents& put) { return 4 + put.queue.size() + events_size(put.events); }
void encode(const PutEvents& put, Writer& out) {
  out.bytes(put.queue);
  encode_events(put.events, out);
}
void decode(Reader& in, PutEvents& put) {
  put.queue = in.bytes();
  decode_events(in, put.events);
}
Status check_bounds(const PutEvents& put, ClusterVersion /*version*/) {
  if (Status status = check_queue(put.queue); !status) return status;
  return check_events(put.events);
}

size_t encoded_size(const Publish& publish) { return 4 + publish.topic.size() + events_size(publish.events); }
void encode(const Publish& publish, Writer& out) {
  out.bytes(publish.topic);
  encode_events(publish.events, out);
}
void decode(Reader& in, Publish& publish) {
  publish.topic = in.bytes();
  decode_events(in, publish.events);
}
Status check_bounds(const Publish& publish, ClusterVersion /*version*/) {
  if (Status status = check_topic(publish.topic); !status) return status;
  return check_events(publish.events);
}

// --- Receive

size_t encoded_size(const Receive& receive) { return 4 + receive.queue.size() + 4 + 9; }
void encode(const Receive& receive, Writer& out) {
  out.bytes(receive.queue);
  out.u32(receive.max);
  encode_optional(receive.visibility, out);
}
void decode(Reader& in, Receive& receive) {
  receive.queue = in.bytes();
  receive.max = in.u32();
  decode_optional(in, receive.visibility);
}
Status check_bounds(const Receive& receive, ClusterVersion /*version*/) {
  if (receive.max == 0 || receive.max > kMaxReceive) return Error{"max is 1 to 100"};
  if (receive.visibility && (*receive.visibility < kMinVisibilityMs || *receive.visibility > kMaxVisibilityMs))
    return Error{"visibility_timeout is 1s to 12h"};
  return check_queue(receive.queue);
}

// --- Settle

size_t encoded_size(const Settle& settle) {
  return 4 + settle.queue.size() + 1 + 4 + settle.receipts.size() * 16 + 9 + 4 + settle.reason.size();
}
void encode(const Settle& settle, Writer& out) {
  out.bytes(settle.queue);
  out.u8(static_cast<uint8_t>(settle.verb));
  out.u32(static_cast<uint32_t>(settle.receipts.size()));
  for (const Receipt& receipt : settle.receipts) {
    out.u64(receipt.id);
    out.u64(receipt.delivery);
  }
  encode_optional(settle.duration, out);
  out.bytes(settle.reason);
}
void decode(Reader& in, Settle& settle) {
  settle.queue = in.bytes();
  const uint8_t verb = in.u8();
  if (verb > static_cast<uint8_t>(SettleVerb::take_back)) in.fail();
  settle.verb = static_cast<SettleVerb>(verb);
  const uint32_t count = in.count(16);
  if (count > kMaxBatch) in.fail();
  if (in.ok()) settle.receipts.reserve(count);
  for (uint32_t i = 0; in.ok() && i < count; ++i) {
    Receipt receipt;
    receipt.id = in.u64();
    receipt.delivery = in.u64();
    settle.receipts.push_back(receipt);
  }
  decode_optional(in, settle.duration);
  settle.reason = in.bytes();
}
Status check_bounds(const Settle& settle, ClusterVersion /*version*/) {
  if (settle.receipts.empty() || settle.receipts.size() > kMaxBatch) return Error{"one request has 1 to 1000 receipts"};
  for (const Receipt& receipt : settle.receipts)
    if (receipt.id == 0 || receipt.delivery == 0) return Error{"that is no receipt"};
  if (settle.duration && settle.verb != SettleVerb::extend && settle.verb != SettleVerb::release)
    return Error{"only an extension and a release have a duration"};
  if (settle.duration && *settle.duration > (settle.verb == SettleVerb::extend ? kMaxVisibilityMs : kMaxDelayMs))
    return Error{settle.verb == SettleVerb::extend ? "visibility_timeout is 0 to 12h" : "a delay is at most ten years"};
  if (settle.reason.size() > kMaxReasonBytes || !is_plain_text(settle.reason))
    return Error{"a reason has at most 256 bytes of UTF-8 text without control characters"};
  if (!settle.reason.empty() && settle.verb != SettleVerb::bury) return Error{"only a burial has a reason"};
  return check_queue(settle.queue);
}

// --- ConfigureQueue

size_t encoded_size(const ConfigureQueue& configure) {
  size_t size = 4 + configure.queue.size() + 4;
  for (const QueueSettingChange& change : configure.changes)
    size += 2 + 8 + 4 + change.name.size() + 4 + change.delays.size() * 8;
  return size;
}
void encode(const ConfigureQueue& configure, Writer& out) {
  out.bytes(configure.queue);
  out.u32(static_cast<uint32_t>(configure.changes.size()));
  for (const QueueSettingChange& change : configure.changes) {
    out.u8(change.setting);
    out.boolean(change.reset);
    out.u64(change.number);
    out.bytes(change.name);
    out.u32(static_cast<uint32_t>(change.delays.size()));
    for (const Millis delay : change.delays) out.u64(delay);
  }
}
void decode(Reader& in, ConfigureQueue& configure) {
  configure.queue = in.bytes();
  const uint32_t count = in.count(18);
  if (count > kQueueSettingCount) in.fail();
  for (uint32_t i = 0; in.ok() && i < count; ++i) {
    QueueSettingChange change;
    change.setting = in.u8();
    change.reset = in.boolean();
    change.number = in.u64();
    change.name = in.bytes();
    const uint32_t delays = in.count(8);
    if (delays > kMaxBackoff) in.fail();
    for (uint32_t d = 0; in.ok() && d < delays; ++d) change.delays.push_back(in.u64());
    configure.changes.push_back(std::move(change));
  }
}
Status check_bounds(const ConfigureQueue& configure, ClusterVersion version) {
  if (configure.changes.size() > kQueueSettingCount) return Error{"one request changes a queue's settings once each"};
  std::set<uint8_t> seen;
  for (const QueueSettingChange& change : configure.changes) {
    if (!seen.insert(change.setting).second) return Error{"a setting is given twice"};
    if (Status status = check_queue_setting(change, version); !status) return status;
  }
  return check_path_queue(configure.queue);
}

// --- DeleteQueue, PauseQueue, PurgeQueue

size_t encoded_size(const DeleteQueue& del) { return 4 + del.queue.size(); }
void encode(const DeleteQueue& del, Writer& out) { out.bytes(del.queue); }
void decode(Reader& in, DeleteQueue& del) { del.queue = in.bytes(); }
Status check_bounds(const DeleteQueue& del, ClusterVersion /*version*/) { return check_queue(del.queue); }

size_t encoded_size(const PauseQueue& pause) { return 4 + pause.queue.size() + 2; }
void encode(const PauseQueue& pause, Writer& out) {
  const auto said = [](std::optional<bool> value) { return static_cast<uint8_t>(value ? (*value ? 2 : 1) : 0); };
  out.bytes(pause.queue);
  out.u8(said(pause.in));
  out.u8(said(pause.out));
}
void decode(Reader& in, PauseQueue& pause) {
  pause.queue = in.bytes();
  for (std::optional<bool>* value : {&pause.in, &pause.out}) {
    const uint8_t said = in.u8();
    if (said > 2) in.fail();
    if (said != 0) *value = said == 2;
  }
}
Status check_bounds(const PauseQueue& pause, ClusterVersion /*version*/) {
  if (!pause.in && !pause.out) return Error{"a direction is in, out or all"};
  return check_queue(pause.queue);
}

size_t encoded_size(const PurgeQueue& purge) { return 4 + purge.queue.size(); }
void encode(const PurgeQueue& purge, Writer& out) { out.bytes(purge.queue); }
void decode(Reader& in, PurgeQueue& purge) { purge.queue = in.bytes(); }
Status check_bounds(const PurgeQueue& purge, ClusterVersion /*version*/) { return check_queue(purge.queue); }

// --- Redrive

size_t encoded_size(const Redrive& redrive) { return 8 + redrive.from.size() + redrive.to.size() + 4; }
void encode(const Redrive& redrive, Writer& out) {
  out.bytes(redrive.from);
  out.bytes(redrive.to);
  out.u32(redrive.max);
}
void decode(Reader& in, Redrive& redrive) {
  redrive.from = in.bytes();
  redrive.to = in.bytes();
  redrive.max = in.u32();
}
Status check_bounds(const Redrive& redrive, ClusterVersion /*version*/) {
  if (redrive.from == redrive.to) return Error{"a queue cannot be redriven into itself"};
  if (redrive.max == 0 || redrive.max > kMaxRedrive) return Error{"max is 1 to 1000"};
  if (Status status = check_queue(redrive.from); !status) return status;
  return check_queue(redrive.to);
}

// --- Bind, Unbind

size_t encoded_size(const Bind& bind) {
  size_t size = 12 + bind.topic.size() + bind.queue.size();
  for (const auto& [attribute, pattern] : bind.filter) size += 8 + attribute.size() + pattern.size();
  return size;
}
void encode(const Bind& bind, Writer& out) {
  out.bytes(bind.topic);
  out.bytes(bind.queue);
  out.u32(static_cast<uint32_t>(bind.filter.size()));
  for (const auto& [attribute, pattern] : bind.filter) {
    out.bytes(attribute);
    out.bytes(pattern);
  }
}
void decode(Reader& in, Bind& bind) {
  bind.topic = in.bytes();
  bind.queue = in.bytes();
  const uint32_t count = in.count(8);
  if (count > kMaxFilterTerms) in.fail();
  for (uint32_t i = 0; in.ok() && i < count; ++i) {
    const std::string_view attribute = in.bytes();
    const std::string_view pattern = in.bytes();
    bind.filter.emplace_back(attribute, pattern);
  }
}
Status check_bounds(const Bind& bind, ClusterVersion /*version*/) {
  if (Status status = check_topic(bind.topic); !status) return status;
  if (bind.filter.size() > kMaxFilterTerms) return Error{"a filter names at most 16 attributes"};
  for (size_t i = 0; i < bind.filter.size(); ++i) {
    const auto& [attribute, pattern] = bind.filter[i];
    if (!is_attribute_name(attribute)) return Error{"an attribute's name has 1 to 64 characters of a-z 0-9 . _ -"};
    if (pattern.size() > kMaxPatternBytes || !is_plain_text(pattern))
      return Error{"a filter's pattern has at most 256 bytes of UTF-8 text without control characters"};
    if (i > 0 && attribute <= bind.filter[i - 1].first) return Error{"a filter names each attribute once, by name"};
  }
  return check_path_queue(bind.queue);
}

size_t encoded_size(const Unbind& unbind) { return 8 + unbind.topic.size() + unbind.queue.size(); }
void encode(const Unbind& unbind, Writer& out) {
  out.bytes(unbind.topic);
  out.bytes(unbind.queue);
}
void decode(Reader& in, Unbind& unbind) {
  unbind.topic = in.bytes();
  unbind.queue = in.bytes();
}
Status check_bounds(const Unbind& unbind, ClusterVersion /*version*/) {
  if (Status status = check_topic(unbind.topic); !status) return status;
  return check_queue(unbind.queue);
}

// --- RemoveEvents

size_t encoded_size(const RemoveEvents& remove) { return 4 + remove.queue.size() + 4 + remove.ids.size() * 8; }
void encode(const RemoveEvents& remove, Writer& out) {
  out.bytes(remove.queue);
  out.u32(static_cast<uint32_t>(remove.ids.size()));
  for (const uint64_t id : remove.ids) out.u64(id);
}
void decode(Reader& in, RemoveEvents& remove) {
  remove.queue = in.bytes();
  const uint32_t count = in.count(8);
  if (count > kMaxBatch) in.fail();
  if (in.ok()) remove.ids.reserve(count);
  for (uint32_t i = 0; in.ok() && i < count; ++i) remove.ids.push_back(in.u64());
}
Status check_bounds(const RemoveEvents& remove, ClusterVersion /*version*/) {
  if (remove.ids.empty() || remove.ids.size() > kMaxBatch) return Error{"one request removes 1 to 1000 events"};
  if (std::find(remove.ids.begin(), remove.ids.end(), 0) != remove.ids.end()) return Error{"no event has the id 0"};
  return check_queue(remove.queue);
}

}  // namespace wh::machine
