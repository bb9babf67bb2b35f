// etcd's gRPC, version 3 of its API: HTTP/2 in clear text (RFC 9113), protobuf. One call at a time on a connection, or
// one stream of a watch or of keepalives. Only what a client needs that trusts its server: answers are data frames,
// their headers are not decoded; a stream that ends without data was refused.
#include <array>

#include "store_client.h"

namespace wh::bench {
namespace {

// --- HTTP/2

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8
};
constexpr uint8_t kAck = 1;
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kEndHeaders = 4;
constexpr size_t kFrameHead = 9;
constexpr uint32_t kWindow = 0x7fffffff;
constexpr uint32_t kWindowStep = 1U << 20U;  // what was taken is given back in steps of this

void append_number(std::string& out, uint64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(number >> static_cast<unsigned>(8 * i));
}

uint32_t number_of(std::string_view bytes) {
  uint32_t number = 0;
  for (const char byte : bytes) number = number << 8U | static_cast<uint8_t>(byte);
  return number;
}

void append_frame(std::string& out, FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
  append_number(out, payload.size(), 3);
  append_number(out, type, 1);
  append_number(out, flags, 1);
  append_number(out, stream, 4);
  out += payload;
}

// The headers of a call, none of them indexed (RFC 7541, 6.2.2), but those of the static table.
std::string headers_of(std::string_view path) {
  std::string block = "\x83\x86";  // :method POST, :scheme http
  const auto literal = [&](std::string_view name, std::string_view value) {
    block += name;
    block += static_cast<char>(value.size());
    block += value;
  };
  literal("\x04", path);
  literal("\x01", "localhost");             // :authority
  literal("\x0f\x10", "application/grpc");  // content-type: 15 + 16
  literal(std::string_view("\0\x02te", 4), "trailers");
  return block;
}

// --- protobuf

void append_varint(std::string& out, uint64_t number) {
  for (; number >= 0x80; number >>= 7U) out += static_cast<char>(number | 0x80U);
  out += static_cast<char>(number);
}

void append_field(std::string& out, uint32_t field, uint64_t number) {
  append_varint(out, field << 3U);
  append_varint(out, number);
}

void append_field(std::string& out, uint32_t field, std::string_view bytes) {
  append_varint(out, field << 3U | 2U);
  append_varint(out, bytes.size());
  out += bytes;
}

uint64_t take_varint(std::string_view& in) {
  uint64_t number = 0;
  for (unsigned shift = 0; !in.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    number |= static_cast<uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return number;
  }
  fail("etcd: a number has no end");
}

struct Field {
  uint32_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
};

Field take_field(std::string_view& in) {
  const uint64_t tag = take_varint(in);
  Field field{.number = static_cast<uint32_t>(tag >> 3U), .value = take_varint(in), .bytes = {}};
  if ((tag & 7U) == 0) return field;
  if ((tag & 7U) != 2 || field.value > in.size()) fail("etcd: a message is not as it should be");
  field.bytes = in.substr(0, field.value);
  in.remove_prefix(field.value);
  return field;
}

// The revision in a ResponseHeader.
uint64_t revision_of(std::string_view header) {
  while (!header.empty())
    if (const Field field = take_field(header); field.number == 3) return field.value;
  return 0;
}

// The key behind all keys with that prefix.
std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  ++end.back();
  return end;
}

class StoreEtcd : public StorePeer {
 public:
  using StorePeer::StorePeer;

  void put(std::string_view key) override { call("/etcdserverpb.KV/Put", put_request(key), Asked::kPut); }

  void compare_and_set(std::string_view key, uint64_t changed_at) override {
    std::string txn;
    append_field(txn, 1, unchanged(key, changed_at));
    append_field(txn, 2, put_operation(key));
    call("/etcdserverpb.KV/Txn", txn, Asked::kTransact);
  }

  void transact(const std::vector<std::string>& keys, uint64_t changed_at) override {
    std::string txn;
    append_field(txn, 1, unchanged(keys[0], changed_at));
    for (const std::string& key : keys) append_field(txn, 2, put_operation(key));
    call("/etcdserverpb.KV/Txn", txn, Asked::kTransact);
  }

  void range(std::string_view from, size_t count) override {
    std::string request;
    append_field(request, 1, from);
    if (count > 1) {
      append_field(request, 2, end_of("key/"));
      append_field(request, 3, count);
    }
    call("/etcdserverpb.KV/Range", request, Asked::kRange);
  }

  void grant(uint64_t ttl_seconds) override {
    std::string request;
    append_field(request, 1, ttl_seconds);
    call("/etcdserverpb.Lease/LeaseGrant", request, Asked::kGrant);
  }

  // All of a connection's leases in one stream.
  void keep_alive(uint64_t lease) override {
    std::string request;
    append_field(request, 1, lease);
    asked_ = Asked::kKeepAlive;
    if (stream_open_) return send_message(request, 0);
    stream_open_ = true;
    open_stream("/etcdserverpb.Lease/LeaseKeepAlive", request, 0);
  }

  void watch(std::string_view prefix) override {
    std::string create;
    append_field(create, 1, prefix);
    append_field(create, 2, end_of(prefix));
    std::string request;
    append_field(request, 1, create);
    asked_ = Asked::kWatch;
    stream_open_ = true;
    open_stream("/etcdserverpb.Watch/Watch", request, 0);
  }

 protected:
  void connected() override {
    std::string settings;
    append_number(settings, 2, 2);  // no pushes
    append_number(settings, 0, 4);
    append_number(settings, 4, 2);  // a stream's window
    append_number(settings, kWindow, 4);
    std::string hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    append_frame(hello, kSettings, 0, 0, settings);
    std::string more;
    append_number(more, kWindow - 0xffff, 4);
    append_frame(hello, kWindowUpdate, 0, 0, more);
    send(hello);
    listener().ready();
  }

  size_t take(std::string_view in) override {
    size_t taken = 0;
    while (in.size() - taken >= kFrameHead) {
      const std::string_view rest = in.substr(taken);
      const size_t size = number_of(rest.substr(0, 3));
      if (rest.size() < kFrameHead + size) break;
      taken += kFrameHead + size;
      frame(static_cast<uint8_t>(rest[3]), static_cast<uint8_t>(rest[4]), number_of(rest.substr(5, 4)),
            rest.substr(kFrameHead, size));
      if (closed()) return in.size();
    }
    return taken;
  }

 private:
  enum class Asked { kNothing, kPut, kTransact, kRange, kGrant, kKeepAlive, kWatch };

  static std::string put_request(std::string_view key) {
    std::string value;
    append_event(value, uv_hrtime());
    std::string request;
    append_field(request, 1, key);
    append_field(request, 2, value);
    return request;
  }
  static std::string put_operation(std::string_view key) {
    std::string operation;
    append_field(operation, 2, put_request(key));
    return operation;
  }
  // The comparison EQUAL of MOD, which are 0 and 2.
  static std::string unchanged(std::string_view key, uint64_t changed_at) {
    std::string compare;
    append_field(compare, 2, 2);
    append_field(compare, 3, key);
    append_field(compare, 6, changed_at);
    return compare;
  }

  void call(std::string_view path, std::string_view message, Asked asked) {
    asked_ = asked;
    open_stream(path, message, kEndStream);
  }

  void open_stream(std::string_view path, std::string_view message, uint8_t flags) {
    stream_ = next_stream_;
    next_stream_ += 2;
    append_frame(out_, kHeaders, kEndHeaders, stream_, headers_of(path));
    send_message(message, flags);
  }

  void send_message(std::string_view message, uint8_t flags) {
    std::string data;
    append_number(data, 0, 1);  // not compressed
    append_number(data, message.size(), 4);
    data += message;
    append_frame(out_, kData, flags, stream_, data);
    send(out_);
    out_.clear();
  }

  void frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
    if ((type == kSettings || type == kPing) && (flags & kAck) == 0) {
      std::string answer;
      append_frame(answer, static_cast<FrameType>(type), kAck, 0, type == kPing ? payload : std::string_view());
      send(answer);
    } else if (type == kData) {
      give_back(payload.size());
      message_ += payload;
      while (message_.size() >= 5 && message_.size() >= 5 + number_of(std::string_view(message_).substr(1, 4))) {
        const size_t size = number_of(std::string_view(message_).substr(1, 4));
        const std::string whole = message_.substr(5, size);
        message_.erase(0, 5 + size);
        message(whole);
        if (closed()) return;
      }
    } else if (type == kHeaders && (flags & kEndStream) != 0 && stream == stream_) {
      end_of_stream(payload);
    } else if (type == kReset || type == kGoAway) {
      fail("etcd ended a stream");
    }
  }

  // The data of a call comes before its end, and counts only then, as only then the next call may follow.
  void end_of_stream(std::string_view headers) {
    if (stream_open_) fail("etcd ended a stream: " + std::string(headers));
    const Asked asked = std::exchange(asked_, Asked::kNothing);
    if (asked != Asked::kNothing && answered_) {
      answered_ = false;
      listener().done(number_);
    } else {
      answered_ = false;
      listener().refused("a call ended without an answer, or its comparison did not hold");
    }
  }

  void message(std::string_view in) {
    if (asked_ == Asked::kWatch) return changes(in);
    uint64_t revision = 0;
    uint64_t id = 0;
    uint64_t ttl = 0;
    size_t items = 0;
    bool succeeded = false;
    while (!in.empty()) {
      const Field field = take_field(in);
      if (field.number == 1) revision = revision_of(field.bytes);
      if (field.number == 2 && asked_ == Asked::kRange) ++items;
      if (field.number == 2 && asked_ == Asked::kTransact) succeeded = field.value != 0;
      if (field.number == 2) id = field.value;
      if (field.number == 3) ttl = field.value;
    }
    if (asked_ == Asked::kKeepAlive) {
      if (ttl == 0) fail("etcd: a lease is gone");
      return listener().done(0);
    }
    answered_ = asked_ != Asked::kTransact || succeeded;
    number_ = asked_ == Asked::kRange ? items : asked_ == Asked::kGrant ? id : revision;
  }

  void changes(std::string_view in) {
    while (!in.empty()) {
      const Field field = take_field(in);
      if (field.number == 3 && field.value != 0) listener().watching();
      if (field.number == 4 && field.value != 0) fail("etcd ended a watch");
      if (field.number != 11) continue;
      for (std::string_view event = field.bytes; !event.empty();) {
        const Field part = take_field(event);
        if (part.number == 2) change(part.bytes);
      }
    }
  }

  void change(std::string_view item) {
    std::string_view key;
    std::string_view value;
    while (!item.empty()) {
      const Field field = take_field(item);
      if (field.number == 1) key = field.bytes;
      if (field.number == 5) value = field.bytes;
    }
    listener().changed(key, value);
  }

  void give_back(size_t size) {
    taken_ += size;
    if (taken_ < kWindowStep) return;
    std::string update;
    for (const uint32_t stream : {uint32_t{0}, stream_open_ ? stream_ : 0})
      if (stream != 0 || update.empty()) {
        std::string step;
        append_number(step, taken_, 4);
        append_frame(update, kWindowUpdate, 0, stream, step);
      }
    taken_ = 0;
    send(update);
  }

  Asked asked_ = Asked::kNothing;
  std::string out_;
  std::string message_;  // what arrived of it
  uint32_t next_stream_ = 1;
  uint32_t stream_ = 0;
  bool stream_open_ = false;  // one that lasts
  bool answered_ = false;
  uint64_t number_ = 0;
  size_t taken_ = 0;
};

}  // namespace

std::unique_ptr<StorePeer> make_store_etcd(uv_loop_t* loop, uint16_t port, StoreListener& listener) {
  return std::make_unique<StoreEtcd>(loop, port, listener);
}

}  // namespace wh::bench
