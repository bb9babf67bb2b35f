// The load tests' clients, over plain sockets: an HTTP client that keeps its connections and says whether a request was
// sent at all, and a client that pipelines commands to the debug port. Neither makes assertions, so both may run on
// other threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace wh::testing {

using LoadClock = std::chrono::steady_clock;
double ms_since(LoadClock::time_point start);

// A connected stream socket to 127.0.0.1; every call gives up after `timeout_ms`.
class Socket {
 public:
  Socket() = default;
  Socket(uint16_t port, int timeout_ms);  // check ok()
  ~Socket();
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), timeout_ms_(other.timeout_ms_) {}
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] bool ok() const { return fd_ >= 0; }
  void close();
  bool send_all(std::string_view bytes);
  // Waits for bytes and appends them; false: the end, an error, or none in time.
  bool receive(std::string& into);
  // Whether the other side has closed it, or sent what nobody asked for.
  [[nodiscard]] bool stale() const;
  // Waits until it can be read, or be written to where that is wanted. (readable, writable)
  std::pair<bool, bool> wait(bool to_write) const;
  // Sends what fits now; -1: broken.
  [[nodiscard]] ssize_t send_some(std::string_view bytes) const;

 private:
  int fd_ = -1;
  int timeout_ms_ = 0;
};

struct HttpReply {
  bool sent = false;                           // false: no byte left this client
  int status = 0;                              // 0: sent, but the connection broke before an answer came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  [[nodiscard]] std::string header(const std::string& name) const;
};

// One request at a time; one kept connection a port.
class HttpClient {
 public:
  explicit HttpClient(int timeout_ms = 20'000) : timeout_ms_(timeout_ms) {}
  // `headers`: whole lines, each with its CRLF.
  HttpReply request(uint16_t port, std::string_view method, std::string_view target, std::string_view headers = {},
                    std::string_view body = {});
  // The same, following up to three 307s.
  HttpReply follow(uint16_t port, std::string_view method, std::string_view target, std::string_view headers = {},
                   std::string_view body = {});

 private:
  int timeout_ms_;
  std::map<uint16_t, Socket> sockets_;
};

// Inline commands to the debug port, many in flight.
class DebugPipe {
 public:
  explicit DebugPipe(uint16_t port, int timeout_ms = 40'000) : socket_(port, timeout_ms) {}

  // Sends command(i) for i from 0 as long as more(i), with at most `window` in flight, and hands over each reply as
  // text ("$-1" for nil, "-ERR ..." for an error) and its milliseconds. False: the connection broke or fell silent.
  bool run(size_t window, const std::function<bool(size_t)>& more, const std::function<std::string(size_t)>& command,
           const std::function<void(size_t, std::string_view, double)>& reply);
  // One command; empty when the connection broke.
  std::string one(const std::string& command);

 private:
  Socket socket_;
  std::string in_;
};

}  // namespace wh::testing
