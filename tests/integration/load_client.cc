#include "load_client.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace wh::testing {
namespace {

// Cuts one RESP2 reply off the front, from `at` on; nothing when it is not complete yet.
std::optional<std::string> take_reply(const std::string& in, size_t& at) {
  const size_t end = in.find("\r\n", at);
  if (end == std::string::npos) return std::nullopt;
  std::string line = in.substr(at, end - at);
  if (line.starts_with('$') && line != "$-1") {
    const auto size = static_cast<size_t>(std::atoll(line.c_str() + 1));
    if (in.size() < end + 2 + size + 2) return std::nullopt;
    at = end + 2 + size + 2;
    return in.substr(end + 2, size);
  }
  at = end + 2;
  if (line.starts_with('+') || line.starts_with(':')) line.erase(0, 1);
  return line;
}

}  // namespace

double ms_since(LoadClock::time_point start) {
  return std::chrono::duration<double, std::milli>(LoadClock::now() - start).count();
}

Socket::Socket(uint16_t port, int timeout_ms) : timeout_ms_(timeout_ms) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return;
  const int on = 1;
  (void)::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
  int error = errno;
  if (error == EINPROGRESS && wait(true).second) {
    socklen_t size = sizeof error;
    if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0) return;
  }
  close();
}

Socket::~Socket() { close(); }

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(timeout_ms_, other.timeout_ms_);
  return *this;
}

void Socket::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::pair<bool, bool> Socket::wait(bool to_write) const {
  pollfd polled{fd_, static_cast<short>(to_write ? POLLIN | POLLOUT : POLLIN), 0};
  const auto deadline = LoadClock::now() + std::chrono::milliseconds(timeout_ms_);
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - LoadClock::now()).count();
    const int ready = ::poll(&polled, 1, static_cast<int>(std::max<int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return {false, false};
    const bool failed = (polled.revents & (POLLERR | POLLHUP)) != 0;
    return {failed || (polled.revents & POLLIN) != 0, failed || (polled.revents & POLLOUT) != 0};
  }
}

ssize_t Socket::send_some(std::string_view bytes) const {
  for (;;) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno == EINTR) continue;
    return errno == EAGAIN ? 0 : -1;
  }
}

bool Socket::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send_some(bytes);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
    if (!bytes.empty() && !wait(true).second) return false;
  }
  return true;
}

bool Socket::receive(std::string& into) {
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): recv() fills it
  for (;;) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got > 0) {
      into.append(buffer.data(), static_cast<size_t>(got));
      return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) return false;
    if (!wait(false).first) return false;
  }
}

bool Socket::stale() const {
  char byte = 0;
  const ssize_t got = ::recv(fd_, &byte, 1, MSG_PEEK);
  return got >= 0 || (errno != EAGAIN && errno != EINTR);
}

std::string HttpReply::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

// The body of these chunks; false: the last one has not come yet.
static bool dechunk(std::string_view chunks, std::string& body) {
  body.clear();
  for (;;) {
    const size_t line = chunks.find("\r\n");
    if (line == std::string_view::npos) return false;
    const auto size = static_cast<size_t>(std::strtoull(std::string(chunks.substr(0, line)).c_str(), nullptr, 16));
    chunks.remove_prefix(line + 2);
    if (chunks.size() < size + 2) return false;
    body += chunks.substr(0, size);
    chunks.remove_prefix(size + 2);
    if (size == 0) return true;
  }
}

HttpReply HttpClient::request(uint16_t port, std::string_view method, std::string_view target, std::string_view headers,
                              std::string_view body) {
  HttpReply reply;
  Socket& socket = sockets_[port];
  if (socket.ok() && socket.stale()) socket.close();
  if (!socket.ok()) socket = Socket(port, timeout_ms_);
  if (!socket.ok()) return reply;
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n").append(headers);
  if (method != "GET") text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  text.append("\r\n").append(body);
  reply.sent = true;
  std::string in;
  size_t end = std::string::npos;
  bool alive = socket.send_all(text);
  while (alive && (end = in.find("\r\n\r\n")) == std::string::npos) alive = socket.receive(in);
  if (!alive) {
    socket.close();
    return reply;
  }
  for (size_t at = in.find("\r\n") + 2; at < end + 2;) {
    const size_t stop = in.find("\r\n", at);
    const size_t colon = in.find(':', at);
    if (colon < stop) {
      std::string name = in.substr(at, colon - at);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const size_t value = std::min(in.find_first_not_of(' ', colon + 1), stop);
      reply.headers[name] = in.substr(value, stop - value);
    }
    at = stop + 2;
  }
  if (reply.header("transfer-encoding") == "chunked") {
    while (alive && !dechunk(std::string_view(in).substr(end + 4), reply.body)) alive = socket.receive(in);
    if (!alive || reply.header("connection") == "close") socket.close();
    if (alive) reply.status = std::atoi(in.c_str() + std::min(in.find(' '), in.size()));
    return reply;
  }
  const auto size = static_cast<size_t>(std::atoll(reply.header("content-length").c_str()));
  while (alive && in.size() < end + 4 + size) alive = socket.receive(in);
  if (!alive || in.size() > end + 4 + size || reply.header("connection") == "close") socket.close();
  if (!alive) return reply;
  reply.status = std::atoi(in.c_str() + std::min(in.find(' '), in.size()));
  reply.body = in.substr(end + 4, size);
  return reply;
}

HttpReply HttpClient::follow(uint16_t port, std::string_view method, std::string_view target, std::string_view headers,
                             std::string_view body) {
  HttpReply reply = request(port, method, target, headers, body);
  for (int hops = 0; reply.status == 307 && hops < 3; ++hops) {
    // "http://127.0.0.1:port/path"
    const std::string location = reply.header("location");
    const size_t slash = std::min(location.find('/', 7), location.size());
    const size_t colon = std::min(location.find(':', 7), slash);
    const int next = colon == slash ? 80 : std::atoi(location.c_str() + colon + 1);
    reply = request(static_cast<uint16_t>(next), method, location.substr(slash), headers, body);
  }
  return reply;
}

bool DebugPipe::run(size_t window, const std::function<bool(size_t)>& more,
                    const std::function<std::string(size_t)>& command,
                    const std::function<void(size_t, std::string_view, double)>& reply) {
  std::string out;
  size_t out_at = 0;
  size_t in_at = 0;
  size_t sent = 0;
  size_t answered = 0;
  std::deque<LoadClock::time_point> started;
  if (!socket_.ok()) return false;
  for (;;) {
    while (sent - answered < window && more(sent)) {
      out += command(sent++) + "\r\n";
      started.push_back(LoadClock::now());
    }
    if (sent == answered) return true;
    if (out_at < out.size()) {
      const ssize_t got = socket_.send_some(std::string_view(out).substr(out_at));
      if (got < 0) return false;
      out_at += static_cast<size_t>(got);
      if (out_at == out.size()) {
        out.clear();
        out_at = 0;
      }
    }
    const auto [readable, writable] = socket_.wait(!out.empty());
    if (!readable && !writable) return false;
    if (!readable) continue;
    if (!socket_.receive(in_)) return false;
    while (auto text = take_reply(in_, in_at)) {
      if (started.empty()) return false;
      reply(answered++, *text, ms_since(started.front()));
      started.pop_front();
    }
    in_.erase(0, std::exchange(in_at, 0));
  }
}

std::string DebugPipe::one(const std::string& command) {
  std::string answer;
  const bool ok = run(
      1, [](size_t i) { return i == 0; }, [&](size_t) { return command; },
      [&](size_t, std::string_view text, double) { answer = text; });
  return ok ? answer : "";
}

}  // namespace wh::testing
