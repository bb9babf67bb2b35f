#include "server/health_check.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "net/address.h"
#include "net/listener.h"

namespace wh {
namespace {

constexpr int kPatienceS = 5;  // for each step: connecting, sending, receiving
constexpr size_t kMaxAnswer = 4096;

// An address that the server listens on, as this machine reaches it.
Result<net::Address> listening_address(const Options& options, uint16_t port) {
  if (!options.bind_interface.empty()) {
    const Result<net::Addresses> addresses = net::interface_addresses(options.bind_interface);
    if (!addresses) return Error{addresses.error()};
    return addresses->front().with_port(port);
  }
  std::string host = options.bind.front();
  if (host.starts_with('-')) host.erase(0, 1);
  if (host == "*" || host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::*" || host == "::") host = "::1";
  const std::optional<net::Address> address = net::Address::parse(host, port);
  if (!address) return Error{"'bind' begins with no address: " + host};
  return *address;
}

// Sends `request` and returns the beginning of the answer.
Result<std::string> ask(const net::Address& address, std::string_view request) {
  const auto failed = [&](const char* what, int fd) {
    const int error = errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno;
    if (fd >= 0) ::close(fd);
    return Error{std::string(what) + " " + address.text() + ": " + std::strerror(error)};
  };
  const int fd = ::socket(address.raw()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("could not make a socket for", fd);
  const timeval patience{.tv_sec = kPatienceS, .tv_usec = 0};
  for (const int which : {SO_SNDTIMEO, SO_RCVTIMEO})
    (void)::setsockopt(fd, SOL_SOCKET, which, &patience, sizeof patience);
  const socklen_t size = address.is_ipv6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (::connect(fd, address.raw(), size) != 0) return failed("could not connect to", fd);
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return failed("could not ask", fd);
  std::string answer;
  while (answer.size() < kMaxAnswer && answer.find('\n') == std::string::npos) {
    char buffer[512];
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("no answer from", fd);
    if (got == 0) break;
    answer.append(buffer, static_cast<size_t>(got));
  }
  ::close(fd);
  return answer.substr(0, answer.find_first_of("\r\n"));
}

}  // namespace

Result<std::string> check_health(const Options& options) {
  const bool http = options.port != 0;
  const uint16_t port = http ? options.port : options.debug_port;
  if (port == 0) return Error{"'port' and 'debug-port' are both 0: there is nothing to ask without TLS"};
  const Result<net::Address> address = listening_address(options, port);
  if (!address) return Error{address.error()};
  const auto answer =
      ask(*address, http ? "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" : "PING\r\n");
  if (!answer) return Error{answer.error()};
  // The debug port may refuse the command for want of a password: it lives all the same.
  const bool healthy =
      http ? answer->starts_with("HTTP/1.1 200 ") : answer->starts_with("+") || answer->starts_with("-");
  if (!healthy) return Error{address->text() + " answered: " + (answer->empty() ? "nothing" : *answer)};
  return address->text() + " lives";
}

}  // namespace wh
