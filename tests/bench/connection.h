// What the load clients share: a connection on one event loop, with as little work for each request as possible, as the
// client shares the machine with the servers; timers; the events that they send; texts and HTTP answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <uv.h>

namespace wh::bench {

constexpr size_t kEventBytes = 256;

// Ends the program with a message.
[[noreturn]] void fail(const std::string& message);

// An event begins with the time at which it was sent, and is plain text that JSON need not escape.
void append_event(std::string& out, uint64_t sent_ns);
uint64_t sent_of(std::string_view event);

// The number that stands at the front of a text, or 0.
uint64_t number_at(std::string_view text);
// The text between `before` and the next `after`, from `at` on; `at` moves behind it. Empty, with `at` at npos: there
// is none.
std::string_view between(std::string_view text, std::string_view before, char after, size_t& at);

// Runs the loop until that holds; fails after so many seconds.
void run_until(uv_loop_t* loop, const std::function<bool()>& holds, double seconds, const std::string& what);

// A connection to a port on loopback. It stays allocated after `close`, as long as the process runs.
class Connection {
 public:
  Connection(uv_loop_t* loop, uint16_t port);
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void close();

 protected:
  virtual void connected() = 0;
  // Takes the whole messages at the front, and returns how many bytes these were.
  virtual size_t take(std::string_view in) = 0;

  void send(std::string_view bytes);
  uv_loop_t* loop() const { return loop_; }
  bool closed() const { return closed_; }

 private:
  void arrived(std::string_view bytes);

  uv_loop_t* loop_;
  uv_tcp_t tcp_{};
  uv_connect_t connect_{};
  std::string in_;
  bool closed_ = false;
};

// Calls once, so many milliseconds after it was set.
class Timer {
 public:
  Timer(uv_loop_t* loop, std::function<void()> call) : call_(std::move(call)) {
    uv_timer_init(loop, &timer_);
    timer_.data = this;
  }
  void set(uint64_t ms) {
    uv_update_time(timer_.loop);
    uv_timer_start(
        &timer_, [](uv_timer_t* timer) { static_cast<Timer*>(timer->data)->call_(); }, ms, 0);
  }

 private:
  uv_timer_t timer_{};
  std::function<void()> call_;
};

// An answer at the front of what arrived.
struct HttpAnswer {
  int status = 0;
  std::string_view head;  // with the CRLF of each line
  std::string_view body;
  size_t size = 0;       // of all
  bool chunked = false;  // its body has not been read: it begins behind `size` bytes
};
// Nothing: it is not complete. Without a Content-Length it has no body, or one in chunks.
std::optional<HttpAnswer> http_answer(std::string_view in);
// One chunk at the front of a body in chunks (RFC 9112 7.1), without extensions; the last is empty.
struct HttpChunk {
  std::string_view data;
  size_t size = 0;  // of all
};
// Nothing: it is not complete.
std::optional<HttpChunk> http_chunk(std::string_view in);

}  // namespace wh::bench
