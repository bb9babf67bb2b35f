// beanstalkd's protocol. A batch is as many commands, sent at once.
#include "queue_client.h"

namespace wh::bench {
namespace {

class Beanstalkd : public Peer {
 public:
  using Peer::Peer;

  void enqueue() override {
    const uint64_t now = uv_hrtime();
    out_.clear();
    for (size_t i = 0; i < setting().batch; ++i) {
      out_ += "put 100 0 120 " + std::to_string(kEventBytes) + "\r\n";
      append_event(out_, now);
      out_ += "\r\n";
    }
    ask(setting().batch);
  }

  void receive() override {
    held_.clear();
    out_.clear();
    for (size_t i = 0; i < setting().batch; ++i) out_ += "reserve-with-timeout 20\r\n";
    ask(setting().batch);
  }

  void acknowledge() override {
    out_.clear();
    for (const std::string& id : held_) out_ += "delete " + id + "\r\n";
    ask(held_.size());
  }

  // A tube is made when it is named, and goes with its last job and connection.
  void make_queue() override {}
  void delete_queue() override {}
  size_t leader(bool /*for_consumers*/) override { return 0; }

 protected:
  void connected() override {
    out_ = "use " + setting().queue + "\r\nwatch " + setting().queue + "\r\nignore default\r\n";
    ask(3);
  }

  size_t take(std::string_view in) override {
    size_t taken = 0;
    for (;;) {
      const std::string_view rest = in.substr(taken);
      const size_t end = rest.find("\r\n");
      if (end == std::string_view::npos) return taken;
      const std::string_view line = rest.substr(0, end);
      size_t size = end + 2;
      if (line.starts_with("RESERVED ")) {
        const std::string_view words = line.substr(9);
        const size_t space = words.find(' ');
        const size_t bytes = number_at(words.substr(space + 1));
        if (rest.size() < size + bytes + 2) return taken;
        held_.emplace_back(words.substr(0, space));
        listener().event(sent_of(rest.substr(size, bytes)));
        size += bytes + 2;
        answered(Answer::kReserved);
      } else if (line.starts_with("INSERTED ")) {
        answered(Answer::kInserted);
      } else if (line == "DELETED") {
        answered(Answer::kDeleted);
      } else if (line == "TIMED_OUT") {
        answered(Answer::kReserved);
      } else if (line.starts_with("USING ") || line.starts_with("WATCHING ")) {
        answered(Answer::kReady);
      } else {
        fail("beanstalkd says " + std::string(line));
      }
      taken += size;
      if (closed()) return in.size();
    }
  }

 private:
  enum class Answer { kReady, kInserted, kReserved, kDeleted };

  void ask(size_t answers) {
    missing_ = answers;
    send(out_);
  }

  void answered(Answer answer) {
    if (missing_ == 0) fail("beanstalkd answered what nobody asked");
    if (--missing_ > 0) return;
    switch (answer) {
      case Answer::kReady:
        listener().ready();
        break;
      case Answer::kInserted:
        listener().enqueued();
        break;
      case Answer::kReserved:
        listener().received(held_.size());
        break;
      case Answer::kDeleted:
        listener().acknowledged();
        break;
    }
  }

  std::string out_;
  std::vector<std::string> held_;
  size_t missing_ = 0;
};

}  // namespace

std::unique_ptr<Peer> make_beanstalkd(uv_loop_t* loop, uint16_t port, const Setting& setting, Listener& listener) {
  return std::make_unique<Beanstalkd>(loop, port, setting, listener);
}

}  // namespace wh::bench
