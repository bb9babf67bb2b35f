// A client of a stream that a real server sends.
#pragma once

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "harness.h"

namespace wh::testing {

// Reads when it is told to.
class Listener {
 public:
  explicit Listener(const Server& server, const std::string& fields = {}, int receive_buffer = 0,
                    const std::string& target = "/cluster/events") {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd_ >= 0);
    if (receive_buffer != 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    const std::string request =
        "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port) + "\r\n" + fields + "\r\n";
    REQUIRE(send(fd_, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
  }
  ~Listener() { close(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // Takes what is there, for `wait_ms` at most until something is.
  void take(int wait_ms = 0) {
    pollfd poll_for{fd_, POLLIN, 0};
    if (fd_ < 0 || ended_ || poll(&poll_for, 1, wait_ms) <= 0) return;
    std::array<char, 65536> bytes{};
    const ssize_t size = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size > 0) text_.append(bytes.data(), static_cast<size_t>(size));
    ended_ = size == 0 || (size < 0 && errno != EAGAIN);
    reset_ = size < 0 && errno != EAGAIN;
  }
  bool sees(std::string_view part) {
    take(20);
    return has(text_, part);
  }
  bool has_ended() {
    take(20);
    return ended_;
  }
  [[nodiscard]] bool was_reset() const { return reset_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  int fd_ = -1;
  bool ended_ = false;
  bool reset_ = false;
  std::string text_;
};

// What came last as `id:`.
inline std::string last_id(const std::string& text) {
  const size_t at = text.rfind("\nid: ");
  REQUIRE(at != std::string::npos);
  return text.substr(at + 5, text.find('\n', at + 1) - at - 5);
}

// What a stream's client has: the body without its chunks, up to the end of its last whole frame.
inline std::string whole_frames(const std::string& text) {
  std::string body;
  size_t at = text.find("\r\n\r\n");
  at = at == std::string::npos ? text.size() : at + 4;
  while (at < text.size()) {
    const size_t line = text.find("\r\n", at);
    if (line == std::string::npos) break;
    const auto size = static_cast<size_t>(std::strtoull(text.c_str() + at, nullptr, 16));
    body += text.substr(line + 2, size);
    at = line + 2 + size + 2;
  }
  const size_t end = body.rfind("\n\n");
  body.resize(end == std::string::npos ? 0 : end + 2);
  return body;
}

}  // namespace wh::testing
