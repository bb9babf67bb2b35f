// Wormhole's HTTP: one request at a time on a connection that is kept.
#include "queue_client.h"

namespace wh::bench {
namespace {

class Wormhole : public Peer {
 public:
  using Peer::Peer;

  void enqueue() override {
    out_.clear();
    const uint64_t now = uv_hrtime();
    if (setting().batch == 1) {
      append_event(out_, now);
      request("POST", "/events", "", std::exchange(out_, {}), Asked::kEnqueue);
      return;
    }
    for (size_t i = 0; i < setting().batch; ++i) {
      out_ += i == 0 ? R"([{"data":")" : R"(,{"data":")";
      append_event(out_, now);
      out_ += "\"}";
    }
    out_ += ']';
    request("POST", "/batch", "Content-Type: application/json\r\n", std::exchange(out_, {}), Asked::kEnqueue);
  }

  void receive() override {
    held_.clear();
    if (setting().batch == 1)
      request("POST", "/receive?wait=20s", "", "", Asked::kReceive);
    else
      request("POST", "/receive?wait=20s&max=" + std::to_string(setting().batch), "Accept: application/json\r\n", "",
              Asked::kReceive);
  }

  void acknowledge() override {
    if (held_.size() == 1) {
      request("DELETE", "/events/" + held_[0].first + "?receipt=" + held_[0].second, "", "", Asked::kAcknowledge);
      return;
    }
    std::string body;
    for (const auto& [id, receipt] : held_) {
      body += (body.empty() ? R"([{"id":)" : R"(,{"id":)") + id + R"(,"receipt":")";
      body += receipt + "\"}";
    }
    body += ']';
    request("POST", "/ack", "Content-Type: application/json\r\n", body, Asked::kAcknowledge);
  }

  void make_queue() override {
    if (ask("PUT", "{}") != 200) fail("the queue was not made: " + answer_);
  }
  void delete_queue() override {
    if (ask("DELETE", "") != 204) fail("the queue was not deleted: " + answer_);
  }
  size_t leader(bool /*for_consumers*/) override {
    answered_ = false;
    asked_ = Asked::kOther;
    send("GET /cluster HTTP/1.1\r\nHost: localhost\r\n\r\n");
    run_until(
        loop(), [this] { return answered_; }, 30, "an answer");
    size_t at = 0;  // the script calls them node1, node2, node3
    return static_cast<size_t>(number_at(between(answer_, R"("leader_id":"node)", '"', at))) - 1;
  }

 protected:
  void connected() override { listener().ready(); }

  size_t take(std::string_view in) override {
    size_t taken = 0;
    while (const std::optional<HttpAnswer> whole = http_answer(in.substr(taken))) {
      taken += whole->size;
      answer(whole->status, whole->head, whole->body);
      if (closed()) return in.size();
    }
    return taken;
  }

 private:
  enum class Asked { kNothing, kEnqueue, kReceive, kAcknowledge, kOther };

  void request(std::string_view method, std::string_view path, std::string_view headers, std::string_view body,
               Asked asked) {
    asked_ = asked;
    out_ = method;
    out_ += " /queues/";
    out_ += setting().queue;
    out_ += path;
    out_ += " HTTP/1.1\r\nHost: localhost\r\n";
    out_ += headers;
    out_ += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    out_ += body;
    send(out_);
  }

  int ask(std::string_view method, std::string_view body) {
    answered_ = false;
    request(method, "", "Content-Type: application/json\r\n", body, Asked::kOther);
    run_until(
        loop(), [this] { return answered_; }, 30, "an answer");
    return status_;
  }

  void answer(int status, std::string_view head, std::string_view body) {
    const Asked asked = std::exchange(asked_, Asked::kNothing);
    size_t at = 0;
    if (asked == Asked::kOther) {
      status_ = status;
      answer_ = body;
      answered_ = true;
    } else if (asked == Asked::kEnqueue && status == 201) {
      listener().enqueued();
    } else if (asked == Asked::kReceive && status == 200) {
      if (setting().batch == 1) {
        const std::string_view id = between(head, "\r\nWormhole-Event-Id: ", '\r', at);
        at = 0;
        held_.emplace_back(id, between(head, "\r\nWormhole-Receipt: ", '\r', at));
        listener().event(sent_of(body));
      } else {
        for (;;) {
          const std::string_view id = between(body, R"({"id":)", ',', at);
          if (at == std::string_view::npos) break;
          const std::string_view data = between(body, R"("data":")", '"', at);
          held_.emplace_back(id, between(body, R"("receipt":")", '"', at));
          listener().event(sent_of(data));
        }
      }
      listener().received(held_.size());
    } else if (asked == Asked::kReceive && status == 204) {
      listener().received(0);
    } else if (asked == Asked::kAcknowledge && (status == 200 || status == 204) &&
               number_at(between(head, "\r\nWormhole-Failed: ", '\r', at)) == 0) {
      listener().acknowledged();
    } else {
      listener().refused(std::string(head.substr(0, head.find('\r'))) + ": " + std::string(body));
    }
  }

  Asked asked_ = Asked::kNothing;
  std::string out_;
  std::vector<std::pair<std::string, std::string>> held_;  // ids and receipts
  int status_ = 0;
  std::string answer_;
  bool answered_ = false;
};

}  // namespace

std::unique_ptr<Peer> make_wormhole(uv_loop_t* loop, uint16_t port, const Setting& setting, Listener& listener) {
  return std::make_unique<Wormhole>(loop, port, setting, listener);
}

}  // namespace wh::bench
