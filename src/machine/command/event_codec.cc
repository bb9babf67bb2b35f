#include "machine/command/event_codec.h"

#include "base/utf8.h"
#include "machine/command/event_headers.h"
#include "machine/command/store_commands.h"

namespace wh::machine {
namespace {

enum EventField : uint8_t { kDelay = 1, kDeliverAt = 2, kTtl = 4, kGroup = 8, kKey = 16, kHeaders = 32 };

}  // namespace

size_t event_size(const NewEvent& event) {
  size_t size = 2 + 4 + event.bytes.size();
  if (event.delay || event.deliver_at) size += 8;
  if (event.ttl != 0) size += 8;
  if (!event.group.empty()) size += 4 + event.group.size();
  if (event.idempotency) size += 4 + event.idempotency->key.size() + sizeof(Fingerprint);
  if (!event.headers.empty()) size += 4 + event.headers.size();
  return size;
}

void encode_event(const NewEvent& event, Writer& out) {
  uint8_t fields = 0;
  if (event.delay) fields |= kDelay;
  if (event.deliver_at) fields |= kDeliverAt;
  if (event.ttl != 0) fields |= kTtl;
  if (!event.group.empty()) fields |= kGroup;
  if (event.idempotency) fields |= kKey;
  if (!event.headers.empty()) fields |= kHeaders;
  out.u8(fields);
  out.u8(event.priority);
  if (event.delay)
    out.u64(*event.delay);
  else if (event.deliver_at)
    out.u64(*event.deliver_at);
  if (event.ttl != 0) out.u64(event.ttl);
  if (!event.group.empty()) out.bytes(event.group);
  if (event.idempotency) {
    out.bytes(event.idempotency->key);
    for (const uint8_t byte : event.idempotency->fingerprint) out.u8(byte);
  }
  if (!event.headers.empty()) out.bytes(event.headers);
  out.bytes(event.bytes);
}

NewEvent decode_event(Reader& in) {
  NewEvent event;
  const uint8_t fields = in.u8();
  event.priority = in.u8();
  if ((fields & kDelay) != 0 && (fields & kDeliverAt) != 0) in.fail();
  if (fields >= 2 * kHeaders) in.fail();
  if ((fields & kDelay) != 0) event.delay = in.u64();
  if ((fields & kDeliverAt) != 0) event.deliver_at = in.u64();
  if ((fields & kTtl) != 0 && (event.ttl = in.u64()) == 0) in.fail();
  if ((fields & kGroup) != 0 && (event.group = in.bytes()).empty()) in.fail();
  if ((fields & kKey) != 0) {
    IdempotencyKey key;
    key.key = in.bytes();
    for (uint8_t& byte : key.fingerprint) byte = in.u8();
    event.idempotency = key;
  }
  if ((fields & kHeaders) != 0 && (event.headers = in.bytes()).empty()) in.fail();
  event.bytes = in.bytes();
  return event;
}

Status check_event(const NewEvent& event) {
  if (event.bytes.size() > kMaxValueBytes) return Error{"an event has 1 to 4194304 bytes"};
  const auto headers = unpack_headers(event.headers);
  if (!headers) return Error{"an event's attributes are out of bounds"};
  if (event.bytes.empty() && !headers->cloud_event) return Error{"an event has 1 to 4194304 bytes"};
  if (event.delay && event.deliver_at) return Error{"an event has a delay or a deliver_at, not both"};
  if (event.delay.value_or(0) > kMaxDelayMs) return Error{"a delay is at most ten years"};
  if (event.deliver_at.value_or(0) > kMaxTimeMs) return Error{"deliver_at is at most the year 9999"};
  if (event.ttl > kMaxDelayMs) return Error{"a ttl is at most ten years"};
  if (event.priority >= kPriorities) return Error{"a priority is 0 to 9"};
  if (event.group.size() > kMaxGroupBytes || !is_plain_text(event.group))
    return Error{"a group is 1 to 128 bytes of UTF-8 text without control characters"};
  if (event.idempotency && (event.idempotency->key.empty() || event.idempotency->key.size() > kMaxIdempotencyKeyBytes))
    return Error{"an idempotency key has 1 to 255 characters"};
  return ok_status();
}

}  // namespace wh::machine
