#include "machine/command/command.h"

#include "base/bytes.h"
#include "base/mutant.h"

namespace wh::machine {
namespace {

constexpr uint8_t kVersion = 1;

// Stored in the log: never renumbered.
enum class Kind : uint8_t { set = 1, del = 2, enqueue = 3, dequeue = 4 };

void put_kind(Writer& out, Kind kind) { out.u8(static_cast<uint8_t>(kind)); }

struct Encoder {
  Writer out;
  void operator()(const Set& set) {
    put_kind(out, Kind::set);
    out.u32(static_cast<uint32_t>(set.pairs.size()));
    for (const auto& [key, value] : set.pairs) {
      out.bytes(key);
      out.bytes(value);
    }
  }
  void operator()(const Delete& del) {
    put_kind(out, Kind::del);
    out.u32(static_cast<uint32_t>(del.keys.size()));
    for (const auto key : del.keys) out.bytes(key);
  }
  void operator()(const Enqueue& enqueue) {
    put_kind(out, Kind::enqueue);
    out.bytes(enqueue.queue);
    out.bytes(enqueue.event);
  }
  void operator()(const Dequeue& dequeue) {
    put_kind(out, Kind::dequeue);
    out.bytes(dequeue.queue);
    out.boolean(dequeue.only_if_front.has_value());
    if (dequeue.only_if_front) out.u64(*dequeue.only_if_front);
  }
};

struct EncodedSize {
  size_t operator()(const Set& set) const {
    size_t size = 5;
    for (const auto& [key, value] : set.pairs) size += 8 + key.size() + value.size();
    return size;
  }
  size_t operator()(const Delete& del) const {
    size_t size = 5;
    for (const auto key : del.keys) size += 4 + key.size();
    return size;
  }
  size_t operator()(const Enqueue& enqueue) const { return 9 + enqueue.queue.size() + enqueue.event.size(); }
  size_t operator()(const Dequeue& dequeue) const { return 14 + dequeue.queue.size(); }
};

const char* key_fault(std::string_view key) {
  return key.empty() || key.size() > kMaxKeyBytes ? "a key has 1 to 4096 bytes" : nullptr;
}
const char* queue_fault(std::string_view queue) {
  return queue.empty() || queue.size() > kMaxQueueNameBytes ? "a queue's name has 1 to 128 bytes" : nullptr;
}

// The first bound that a body breaks, or nullptr.
struct Fault {
  const char* operator()(const Set& set) const {
    if (set.pairs.empty() || set.pairs.size() > kMaxItems) return "one request sets 1 to 10000 keys";
    for (const auto& [key, value] : set.pairs) {
      if (const char* fault = key_fault(key)) return fault;
      if (value.size() > kMaxValueBytes) return "a value has at most 4194304 bytes";
    }
    return nullptr;
  }
  const char* operator()(const Delete& del) const {
    if (del.keys.empty() || del.keys.size() > kMaxItems) return "one request deletes 1 to 10000 keys";
    for (const auto key : del.keys)
      if (const char* fault = key_fault(key)) return fault;
    return nullptr;
  }
  const char* operator()(const Enqueue& enqueue) const {
    if (enqueue.event.empty() || enqueue.event.size() > kMaxValueBytes) return "an event has 1 to 4194304 bytes";
    return queue_fault(enqueue.queue);
  }
  const char* operator()(const Dequeue& dequeue) const { return queue_fault(dequeue.queue); }
};

// Reads the body of `kind`; an unknown kind fails the reader.
Body decode_body(Kind kind, Reader& in) {
  switch (kind) {
    case Kind::set: {
      Set set;
      const uint32_t count = in.count(9);
      if (count > kMaxItems) in.fail();
      if (in.ok()) set.pairs.reserve(count);
      for (uint32_t i = 0; in.ok() && i < count; ++i) {
        const std::string_view key = in.bytes();
        const std::string_view value = in.bytes();
        set.pairs.emplace_back(key, value);
      }
      return set;
    }
    case Kind::del: {
      Delete del;
      const uint32_t count = in.count(5);
      if (count > kMaxItems) in.fail();
      if (in.ok()) del.keys.reserve(count);
      for (uint32_t i = 0; in.ok() && i < count; ++i) del.keys.push_back(in.bytes());
      return del;
    }
    case Kind::enqueue: {
      Enqueue enqueue;
      enqueue.queue = in.bytes();
      enqueue.event = in.bytes();
      return enqueue;
    }
    case Kind::dequeue: {
      Dequeue dequeue;
      dequeue.queue = in.bytes();
      if (in.boolean()) dequeue.only_if_front = in.u64();
      return dequeue;
    }
  }
  in.fail();
  return Body{};
}

}  // namespace

bool is_too_large(const Body& body) { return kEnvelopeBytes + std::visit(EncodedSize{}, body) > kMaxCommandBytes; }

// The size of the whole is not part of what decode() demands: the log of a lone node may hold larger ones.
Status check(const Body& body) {
  if (const char* fault = std::visit(Fault{}, body)) return Error{fault};
  if (is_too_large(body))
    return Error{"one request has at most " + std::to_string(kMaxCommandBytes - kEnvelopeBytes) +
                 " bytes, keys, values and lengths together: send it in parts"};
  return ok_status();
}

std::string encode_body(const Body& body) {
  WH_ASSERT(std::visit(Fault{}, body) == nullptr, "a body out of bounds was not refused before it was encoded");
  std::string out;
  out.reserve(std::visit(EncodedSize{}, body));
  std::visit(Encoder{Writer(out)}, body);
  return out;
}

std::optional<RequestId> request_id_of(std::string_view command) {
  Reader r(command);
  const bool known = r.u8() == kVersion;
  const RequestId id{.origin = raft::NodeId{r.u64()}, .epoch = r.u64(), .sequence = r.u64()};
  return known && r.ok() ? std::optional(id) : std::nullopt;
}

std::string envelope(const RequestId& id, std::string_view body) {
  std::string out;
  out.reserve(kEnvelopeBytes + body.size());
  Writer w(out);
  w.u8(kVersion);
  w.u64(id.origin.value);
  w.u64(id.epoch);
  w.u64(id.sequence);
  w.raw(body);
  return out;
}

bool adds_data(std::string_view command) {
  if (command.size() <= kEnvelopeBytes) return false;
  const auto kind = static_cast<Kind>(command[kEnvelopeBytes]);
  return kind == Kind::set || kind == Kind::enqueue;
}

Result<Command> decode(std::string_view command) {
  Reader in(command);
  if (in.u8() != kVersion && !WH_MUTANT(any_version_applied)) return Error{"a command of an unknown version"};
  Command result;
  result.id.origin.value = in.u64();
  result.id.epoch = in.u64();
  result.id.sequence = in.u64();
  if (result.id.sequence != 0 && !result.id.origin) return Error{"a numbered command without an origin"};
  const auto kind = static_cast<Kind>(in.u8());
  result.body = decode_body(kind, in);
  if (!in.complete()) return Error{"a malformed command"};
  if (const char* fault = std::visit(Fault{}, result.body)) return Error{fault};
  return result;
}

}  // namespace wh::machine
