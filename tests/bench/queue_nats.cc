// NATS JetStream: a work queue stream with a replica on each node, and one pull consumer, which the workers share.
// Publishing awaits the stream's acknowledgement; acknowledging awaits the consumer's (a "double ack").
#include <algorithm>

#include "queue_client.h"

namespace wh::bench {
namespace {

class Nats : public Peer {
 public:
  Nats(uv_loop_t* loop, uint16_t port, const Setting& setting, Listener& listener)
      : Peer(loop, port, setting, listener),
        inbox_("_INBOX." + std::to_string(uv_os_getpid()) + "x" + std::to_string(++count_)) {}

  void enqueue() override {
    const uint64_t now = uv_hrtime();
    out_.clear();
    for (size_t i = 0; i < setting().batch; ++i) {
      out_ += "PUB " + setting().queue + " " + inbox_ + ".p " + std::to_string(kEventBytes) + "\r\n";
      append_event(out_, now);
      out_ += "\r\n";
    }
    ask(setting().batch);
  }

  void receive() override {
    held_.clear();
    out_.clear();
    publish("$JS.API.CONSUMER.MSG.NEXT." + setting().queue + ".c", ".m",
            R"({"batch":)" + std::to_string(setting().batch) + R"(,"expires":20000000000})");
    ask(setting().batch);
  }

  void acknowledge() override {
    out_.clear();
    for (const std::string& subject : held_) publish(subject, ".a", "+ACK");
    ask(held_.size());
  }

  void make_queue() override {
    const std::string& name = setting().queue;
    const std::string stream = R"({"name":")" + name + R"(","subjects":[")" + name +
                               R"("],"retention":"workqueue","storage":"file","discard":"old","max_consumers":-1,)"
                               R"("max_msgs":-1,"max_bytes":-1,"max_msg_size":-1,"num_replicas":)" +
                               std::to_string(setting().nodes) + "}";
    // By default a consumer hands out 1,000 messages that are not acknowledged; 64 workers with batches of 100 hold
    // more.
    const std::string consumer = R"({"stream_name":")" + name +
                                 R"(","config":{"durable_name":"c","deliver_policy":"all","ack_policy":"explicit",)"
                                 R"("ack_wait":30000000000,"replay_policy":"instant","max_ack_pending":20000}})";
    // A cluster that has just started has no leader yet.
    until([&] { return command("STREAM.CREATE." + name, stream).find("\"error\"") == std::string::npos; },
          "the stream");
    until([&] { return in_step(command("STREAM.INFO." + name, "")); }, "the stream's replicas");
    until(
        [&] {
          return command("CONSUMER.DURABLE.CREATE." + name + ".c", consumer).find("\"error\"") == std::string::npos;
        },
        "the consumer");
    until([&] { return in_step(command("CONSUMER.INFO." + name + ".c", "")); }, "the consumer's replicas");
  }

  void delete_queue() override {
    if (command("STREAM.DELETE." + setting().queue, "").find("\"success\":true") == std::string::npos)
      fail("the stream was not deleted: " + answer_);
  }

  size_t leader(bool for_consumers) override {
    (void)command(for_consumers ? "CONSUMER.INFO." + setting().queue + ".c" : "STREAM.INFO." + setting().queue, "");
    size_t at = 0;  // the script calls them n1, n2, n3
    return static_cast<size_t>(number_at(between(answer_, R"("leader":"n)", '"', at))) - 1;
  }

 protected:
  void connected() override {}

  size_t take(std::string_view in) override {
    size_t taken = 0;
    for (;;) {
      const std::string_view rest = in.substr(taken);
      const size_t end = rest.find("\r\n");
      if (end == std::string_view::npos) return taken;
      const std::string_view line = rest.substr(0, end);
      size_t size = end + 2;
      const bool headers = line.starts_with("HMSG ");
      if (headers || line.starts_with("MSG ")) {
        const size_t bytes = number_at(line.substr(line.rfind(' ') + 1));
        if (rest.size() < size + bytes + 2) return taken;
        message(line, headers, rest.substr(size, bytes));
        size += bytes + 2;
      } else if (line.starts_with("INFO ")) {
        if (!std::exchange(greeted_, true)) greet();
      } else if (line == "PING") {
        send("PONG\r\n");
      } else if (line == "PONG") {
        listener().ready();
      } else if (line != "+OK") {
        fail("NATS says " + std::string(line));
      }
      taken += size;
      if (closed()) return in.size();
    }
  }

 private:
  enum class Inbox : char { kPublished = '1', kMessage = '2', kAcknowledged = '3', kCommand = '4' };

  void greet() {
    send(R"(CONNECT {"verbose":false,"pedantic":false,"lang":"c++","version":"1","protocol":1,"headers":true,)"
         "\"no_responders\":true}\r\nSUB " +
         inbox_ + ".p 1\r\nSUB " + inbox_ + ".m 2\r\nSUB " + inbox_ + ".a 3\r\nSUB " + inbox_ + ".c 4\r\nPING\r\n");
  }

  void publish(std::string_view subject, std::string_view reply, std::string_view body) {
    out_ += "PUB ";
    out_ += subject;
    out_ += ' ';
    out_ += inbox_;
    out_ += reply;
    out_ += ' ' + std::to_string(body.size()) + "\r\n";
    out_ += body;
    out_ += "\r\n";
  }

  void ask(size_t answers) {
    missing_ = answers;
    refusal_.clear();
    send(out_);
  }

  // MSG subject sid [reply] bytes; HMSG subject sid [reply] bytes_of_headers bytes
  void message(std::string_view line, bool headers, std::string_view body) {
    std::vector<std::string_view>& words = words_;
    words.clear();
    for (size_t at = 0; at < line.size();) {
      const size_t space = std::min(line.find(' ', at), line.size());
      words.push_back(line.substr(at, space - at));
      at = space + 1;
    }
    const bool has_reply = words.size() == (headers ? 6U : 5U);
    const auto inbox = static_cast<Inbox>(words.at(2).front());
    // Only a status has headers here: "NATS/1.0 503".
    const std::string_view status = headers && body.size() > 12 ? body.substr(9, 3) : std::string_view();
    if (inbox == Inbox::kCommand) {
      answer_ = status.empty() ? std::string(body) : "\"error\": status " + std::string(status);
      answered_ = true;
      return;
    }
    if (missing_ == 0) return;
    if (inbox == Inbox::kMessage) {
      if (status.empty() && has_reply) {
        held_.emplace_back(words[3]);
        listener().event(sent_of(body));
        if (--missing_ > 0) return;
      } else if (status == "100") {
        return;
      } else {  // the end of this request; 404 and 408: as there is nothing, or nothing more
        missing_ = 0;
        if (held_.empty() && status != "404" && status != "408") {
          listener().refused(body.substr(0, body.find('\r')));
          return;
        }
      }
      listener().received(held_.size());
      return;
    }
    if (!status.empty() || (inbox == Inbox::kPublished && body.find("\"error\"") != std::string_view::npos))
      refusal_ = body;
    if (--missing_ > 0) return;
    if (!refusal_.empty())
      listener().refused(refusal_);
    else if (inbox == Inbox::kPublished)
      listener().enqueued();
    else
      listener().acknowledged();
  }

  const std::string& command(const std::string& subject, const std::string& body) {
    answered_ = false;
    out_.clear();
    publish("$JS.API." + subject, ".c", body);
    send(out_);
    const uint64_t start = uv_hrtime();  // without a leader nobody answers
    run_until(
        loop(), [&] { return answered_ || uv_hrtime() > start + 2'000'000'000; }, 30, "an answer");
    if (!answered_) answer_ = "\"error\": none answers";
    return answer_;
  }

  bool in_step(std::string_view information) const {
    if (information.find("\"leader\"") == std::string_view::npos && setting().nodes > 1) return false;
    size_t others = 0;
    for (size_t at = 0; (at = information.find("\"current\":true", at)) != std::string_view::npos; ++at) ++others;
    return others + 1 >= setting().nodes;
  }

  void until(const std::function<bool()>& holds, const std::string& what) {
    const uint64_t deadline = uv_hrtime() + 30'000'000'000;
    while (!holds()) {
      if (uv_hrtime() > deadline) fail(what + ": " + answer_);
      uv_sleep(100);
    }
  }

  static inline size_t count_ = 0;
  std::string inbox_;
  std::string out_;
  std::vector<std::string_view> words_;
  std::vector<std::string> held_;  // the subjects to acknowledge at
  size_t missing_ = 0;             // messages or answers
  std::string refusal_;
  std::string answer_;
  bool answered_ = false;
  bool greeted_ = false;
};

}  // namespace

std::unique_ptr<Peer> make_nats(uv_loop_t* loop, uint16_t port, const Setting& setting, Listener& listener) {
  return std::make_unique<Nats>(loop, port, setting, listener);
}

}  // namespace wh::bench
