// AMQP 0-9-1, as much as a quorum queue with confirms and manual acknowledgements takes.
//
// RabbitMQ does not answer an acknowledgement. But a consumer is sent no more than its prefetch allows, and the queue
// hands out the next events when it has committed the acknowledgement of those before. With the batch as the prefetch,
// the next batch is the answer.
#include <algorithm>

#include "queue_client.h"

namespace wh::bench {
namespace {

constexpr uint32_t method(uint32_t of_class, uint32_t number) { return of_class << 16U | number; }
constexpr uint32_t kStart = method(10, 10), kStartOk = method(10, 11), kTune = method(10, 30), kTuneOk = method(10, 31),
                   kOpen = method(10, 40), kOpenOk = method(10, 41), kConnectionClose = method(10, 50),
                   kChannelOpen = method(20, 10), kChannelOpenOk = method(20, 11), kChannelClose = method(20, 40),
                   kDeclare = method(50, 10), kDeclareOk = method(50, 11), kDelete = method(50, 40),
                   kDeleteOk = method(50, 41), kQos = method(60, 10), kQosOk = method(60, 11),
                   kConsume = method(60, 20), kConsumeOk = method(60, 21), kPublish = method(60, 40),
                   kDeliver = method(60, 60), kAck = method(60, 80), kNack = method(60, 120), kSelect = method(85, 10),
                   kSelectOk = method(85, 11);
constexpr char kMethodFrame = 1, kHeaderFrame = 2, kBodyFrame = 3, kHeartbeatFrame = 8;
constexpr char kFrameEnd = static_cast<char>(0xCE);

void append_number(std::string& out, uint64_t number, size_t bytes) {
  while (bytes-- > 0) out += static_cast<char>(number >> 8U * bytes);
}
void append_short(std::string& out, std::string_view text) {
  append_number(out, text.size(), 1);
  out += text;
}
void append_long(std::string& out, std::string_view text) {
  append_number(out, text.size(), 4);
  out += text;
}

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  uint64_t number(size_t bytes) {
    uint64_t value = 0;
    for (const char byte : text(bytes)) value = value << 8U | static_cast<uint8_t>(byte);
    return value;
  }
  std::string_view text(size_t bytes) {
    if (in_.size() < bytes) fail("RabbitMQ sent a frame that is cut short");
    const std::string_view front = in_.substr(0, bytes);
    in_.remove_prefix(bytes);
    return front;
  }
  std::string_view short_text() { return text(number(1)); }

 private:
  std::string_view in_;
};

class RabbitMq : public Peer {
 public:
  using Peer::Peer;

  void enqueue() override {
    const uint64_t now = uv_hrtime();
    first_ = next_;
    confirmed_.assign(setting().batch, false);
    missing_ = setting().batch;
    nacked_ = false;
    for (size_t i = 0; i < setting().batch; ++i, ++next_) {
      begin(kPublish, 1);
      append_number(out_, 0, 2);
      append_short(out_, "");  // the default exchange
      append_short(out_, setting().queue);
      append_number(out_, 0, 1);
      end();
      begin_frame(kHeaderFrame, 1);
      append_number(out_, 60, 2);
      append_number(out_, 0, 2);
      append_number(out_, kEventBytes, 8);
      append_number(out_, 0x1000, 2);  // of the properties only the delivery mode:
      append_number(out_, 2, 1);       // persistent
      end();
      begin_frame(kBodyFrame, 1);
      append_event(out_, now);
      end();
    }
    flush();
  }

  void receive() override {
    receiving_ = true;
    hand_over();
  }

  void acknowledge() override {
    begin(kAck, 1);
    append_number(out_, last_tag_, 8);
    append_number(out_, 1, 1);  // and all before
    end();
    flush();
    listener().acknowledged();
  }

  void make_queue() override {
    begin(kDeclare, 1);
    append_number(out_, 0, 2);
    append_short(out_, setting().queue);
    append_number(out_, 2, 1);  // durable
    std::string table;
    append_short(table, "x-queue-type");
    table += 'S';
    append_long(table, "quorum");
    append_long(out_, table);
    end();
    call(kDeclareOk);
  }
  void delete_queue() override {
    begin(kDelete, 1);
    append_number(out_, 0, 2);
    append_short(out_, setting().queue);
    append_number(out_, 0, 1);
    end();
    call(kDeleteOk);
  }
  // It leads on the node that declared it, which is the first.
  size_t leader(bool /*for_consumers*/) override { return 0; }

 protected:
  void connected() override { send({"AMQP\0\0\x09\x01", 8}); }

  size_t take(std::string_view in) override {
    size_t taken = 0;
    for (;;) {
      const std::string_view rest = in.substr(taken);
      if (rest.size() < 8) return taken;
      Reader head(rest);
      const char type = static_cast<char>(head.number(1));
      (void)head.number(2);
      const size_t size = head.number(4);
      if (rest.size() < 8 + size) return taken;
      if (rest[7 + size] != kFrameEnd) fail("RabbitMQ sent what is no frame: " + std::string(rest.substr(0, 8)));
      taken += 8 + size;
      const std::string_view payload = rest.substr(7, size);
      if (type == kMethodFrame) {
        on_method(Reader(payload));
      } else if (type == kHeaderFrame) {
        body_.clear();
        body_size_ = Reader(payload.substr(4)).number(8);
      } else if (type == kBodyFrame) {
        body_ += payload;
        if (body_.size() == body_size_) on_event();
      } else if (type != kHeartbeatFrame) {
        fail("RabbitMQ sent a frame of an unknown type");
      }
      if (closed()) return in.size();
    }
  }

 private:
  void begin_frame(char type, uint64_t channel) {
    out_ += type;
    append_number(out_, channel, 2);
    frame_ = out_.size();
    append_number(out_, 0, 4);
  }
  void begin(uint32_t number, uint64_t channel) {
    begin_frame(kMethodFrame, channel);
    append_number(out_, number, 4);
  }
  void end() {
    std::string size;
    append_number(size, out_.size() - frame_ - 4, 4);
    out_.replace(frame_, 4, size);
    out_ += kFrameEnd;
  }
  void flush() {
    send(out_);
    out_.clear();
  }
  void call(uint32_t reply) {
    answer_ = 0;
    flush();
    run_until(
        loop(), [this, reply] { return answer_ == reply; }, 60, "an answer");
  }

  void on_method(Reader in) {
    const auto number = static_cast<uint32_t>(in.number(4));
    answer_ = number;
    switch (number) {
      case kStart:
        begin(kStartOk, 0);
        append_long(out_, "");  // no properties of the client
        append_short(out_, "PLAIN");
        append_long(out_, {"\0guest\0guest", 12});
        append_short(out_, "en_US");
        end();
        flush();
        break;
      case kTune: {
        const uint64_t channels = in.number(2), frame = in.number(4);
        begin(kTuneOk, 0);
        append_number(out_, channels, 2);
        append_number(out_, frame, 4);
        append_number(out_, 0, 2);  // no heartbeats
        end();
        begin(kOpen, 0);
        append_short(out_, "/");
        append_short(out_, "");
        append_number(out_, 0, 1);
        end();
        flush();
        break;
      }
      case kOpenOk:
        begin(kChannelOpen, 1);
        append_short(out_, "");
        end();
        flush();
        break;
      case kChannelOpenOk:
        if (setting().consumes) {
          begin(kQos, 1);
          append_number(out_, 0, 4);
          // One that waits may be sent its next event while the acknowledgement of the one before is under way.
          append_number(out_, setting().waits ? 2 : setting().batch, 2);
          append_number(out_, 0, 1);  // for each consumer
        } else {
          begin(kSelect, 1);
          append_number(out_, 0, 1);
        }
        end();
        flush();
        break;
      case kQosOk:
        begin(kConsume, 1);
        append_number(out_, 0, 2);
        append_short(out_, setting().queue);
        append_short(out_, "");     // it chooses the tag
        append_number(out_, 0, 1);  // with acknowledgements
        append_long(out_, "");
        end();
        flush();
        break;
      case kConsumeOk:
      case kSelectOk:
        listener().ready();
        break;
      case kDeliver:
        (void)in.short_text();
        tag_ = in.number(8);
        break;
      case kAck:
      case kNack: {
        const uint64_t tag = in.number(8);
        on_confirm(tag, (in.number(1) & 1U) != 0, number == kNack);
        break;
      }
      case kDeclareOk:
      case kDeleteOk:
        break;
      case kChannelClose:
      case kConnectionClose: {
        const uint64_t code = in.number(2);
        fail("RabbitMQ closes: " + std::to_string(code) + " " + std::string(in.short_text()));
      }
      default:
        fail("RabbitMQ sent the unknown method " + std::to_string(number >> 16U) + "." +
             std::to_string(number & 0xFFFFU));
    }
  }

  void on_confirm(uint64_t tag, bool and_before, bool nack) {
    if (missing_ == 0 || tag < first_ || tag >= next_) return;
    nacked_ = nacked_ || nack;
    for (size_t i = and_before ? 0 : tag - first_; i <= tag - first_; ++i) {
      if (confirmed_[i]) continue;
      confirmed_[i] = true;
      --missing_;
    }
    if (missing_ > 0) return;
    if (nacked_)
      listener().refused("nack");
    else
      listener().enqueued();
  }

  void on_event() {
    ++fresh_;
    last_tag_ = tag_;
    listener().event(sent_of(body_));
    hand_over();
  }

  void hand_over() {
    if (!receiving_ || fresh_ < (setting().waits ? 1 : setting().batch)) return;
    receiving_ = false;
    listener().received(std::exchange(fresh_, 0));
  }

  std::string out_;
  size_t frame_ = 0;  // where the length of the frame in the making stands
  uint32_t answer_ = 0;
  // Enqueues: each event is numbered on its channel, from 1.
  uint64_t first_ = 1, next_ = 1;
  std::vector<bool> confirmed_;
  size_t missing_ = 0;
  bool nacked_ = false;
  // Deliveries.
  uint64_t tag_ = 0;       // of the one that arrives
  uint64_t last_tag_ = 0;  // of the last that is whole
  size_t body_size_ = 0;
  std::string body_;
  size_t fresh_ = 0;  // arrived, and not yet handed over
  bool receiving_ = false;
};

}  // namespace

std::unique_ptr<Peer> make_rabbitmq(uv_loop_t* loop, uint16_t port, const Setting& setting, Listener& listener) {
  return std::make_unique<RabbitMq>(loop, port, setting, listener);
}

}  // namespace wh::bench
