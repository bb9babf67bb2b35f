#include "net/listener.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace wh::net {
namespace {

// Of the connections in a backlog, when the listener ends.
constexpr int kMostWaiting = 1024;

}  // namespace

// Does not use libuv's listening handle, which calls accept endlessly once descriptors and its reserve are used up
// (uv__server_io). Accepts itself; libuv only polls.
struct Listener::Socket {
  uv_poll_t poll{};
  int fd = -1;
  Listener* listener = nullptr;  // null once closed
};

Listener::Listener(Loop& loop, const ListenOptions& options, AcceptFunction on_accept)
    : loop_(loop),
      on_accept_(std::make_shared<AcceptFunction>(std::move(on_accept))),
      tcp_(options.tcp),
      descriptors_(options.descriptors),
      use_(options.use),
      accepts_per_turn_(options.accepts_per_turn),
      backlog_(options.backlog),
      retry_timer_(loop,
                   [this] {
                     if (!paused_) start_polling();
                   }),
      reserve_fd_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

Listener::~Listener() {
  close_all();
  if (reserve_fd_ >= 0) ::close(reserve_fd_);
}

void Listener::close_all() {
  for (Socket* socket : sockets_) {
    socket->listener = nullptr;
    uv_poll_stop(&socket->poll);
    ::close(socket->fd);
    uv_close(reinterpret_cast<uv_handle_t*>(&socket->poll),
             [](uv_handle_t* handle) { delete static_cast<Socket*>(handle->data); });
  }
  sockets_.clear();
  texts_.clear();
}

// ---- Opening

Result<Addresses> interface_addresses(const std::string& name) {
  uv_interface_address_t* found = nullptr;
  int count = 0;
  if (const int error = uv_interface_addresses(&found, &count); error != 0)
    return Error{std::string("could not list the network interfaces: ") + uv_strerror(error)};
  Addresses result;
  for (int i = 0; i < count; ++i)
    if (name == found[i].name) result.emplace_back(reinterpret_cast<const sockaddr*>(&found[i].address));
  uv_free_interface_addresses(found, count);
  if (result.empty()) return Error{"network interface " + name + " is not up or has no address"};
  return result;
}

bool is_own(const Address& address) {
  const int fd = ::socket(address.raw()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const Address any_port = address.with_port(0);
  const socklen_t size = address.is_ipv6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  const bool bound = ::bind(fd, any_port.raw(), size) == 0;
  ::close(fd);
  return bound;
}

Addresses machine_addresses() {
  uv_interface_address_t* found = nullptr;
  int count = 0;
  Addresses result;
  if (uv_interface_addresses(&found, &count) != 0) return result;
  for (int i = 0; i < count; ++i) result.emplace_back(reinterpret_cast<const sockaddr*>(&found[i].address));
  uv_free_interface_addresses(found, count);
  return result;
}

Result<std::vector<Listener::Target>> Listener::targets(const ListenOptions& options) {
  std::vector<Target> result;
  if (!options.bind_interface.empty()) {
    const Result<Addresses> addresses = interface_addresses(options.bind_interface);
    if (!addresses) return Error{addresses.error()};
    // Not available: an IPv6 address that the kernel still checks for duplicates (RFC 4862 5.4), as it does for a
    // second or two after an interface came up. At least one address must work.
    for (const Address& address : *addresses) result.push_back({address, true});
    return result;
  }
  for (const std::string& item : options.bind) {
    Target target;
    target.optional = item.starts_with('-');
    std::string text = target.optional ? item.substr(1) : item;
    if (text == "*") text = "0.0.0.0";
    if (text == "::*") text = "::";
    const std::optional<Address> address = Address::parse(text, 0);
    if (!address) return Error{"could not listen on " + item + ": not an IP address"};
    target.address = *address;
    result.push_back(target);
  }
  if (result.empty()) return Error{"could not listen on port " + std::to_string(options.port) + ": no address given"};
  return result;
}

Result<std::unique_ptr<Listener>> Listener::listen(Loop& loop, const ListenOptions& options, AcceptFunction on_accept) {
  const Result<std::vector<Target>> wanted = targets(options);
  if (!wanted) return Error{wanted.error()};
  std::unique_ptr<Listener> listener(new Listener(loop, options, std::move(on_accept)));
  // The port that the system picked for the first address may be taken on the next one: then it picks another.
  for (int tries = 16;; --tries) {
    bool in_use = false;
    const Status opened = listener->open_all(*wanted, options, in_use);
    if (opened) return listener;
    if (options.port != 0 || !in_use || tries == 0) return Error{opened.error()};
  }
}

Status Listener::open_all(const std::vector<Target>& targets, const ListenOptions& options, bool& in_use) {
  close_all();
  port_ = options.port;
  std::string problem;
  for (const Target& target : targets) {
    const Address address = target.address.with_port(port_);
    const int error = open(address, options.backlog);
    if (error == 0) continue;
    problem = "could not listen on " + address.text() + ": " + uv_strerror(error);
    if (target.optional && (error == UV_EADDRNOTAVAIL || error == UV_EAFNOSUPPORT)) continue;
    in_use = error == UV_EADDRINUSE;
    return Error{problem};
  }
  if (sockets_.empty()) return Error{problem};
  start_polling();
  return ok_status();
}

int Listener::open(const Address& address, int backlog) {
  const int fd = ::socket(address.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return uv_translate_sys_error(errno);
  const int on = 1;
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  const socklen_t address_size = address.is_ipv6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  auto socket = std::make_unique<Socket>();
  int error = 0;
  // SO_REUSEADDR: connections of an earlier process in TIME_WAIT must not prevent the start.
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (address.is_ipv6() && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
      ::bind(fd, address.raw(), address_size) != 0 || ::listen(fd, backlog) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    error = uv_translate_sys_error(errno);
  if (error == 0) error = uv_poll_init(loop_.uv(), &socket->poll, fd);
  if (error != 0) {
    ::close(fd);
    return error;
  }
  socket->poll.data = socket.get();
  socket->fd = fd;
  socket->listener = this;
  const Address actual(reinterpret_cast<const sockaddr*>(&bound));
  port_ = actual.port();
  texts_.push_back(actual.text());
  sockets_.push_back(socket.release());
  return 0;
}

// ---- Accepting

void Listener::start_polling() {
  for (Socket* socket : sockets_) {
    uv_poll_start(&socket->poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
      auto& self = *static_cast<Socket*>(poll->data);
      if (self.listener != nullptr) self.listener->accept_some(self);
    });
  }
}

void Listener::pause() {
  paused_ = true;
  retry_timer_.stop();
  for (Socket* socket : sockets_) uv_poll_stop(&socket->poll);
}

void Listener::resume() {
  if (!paused_) return;
  paused_ = false;
  start_polling();
}

bool Listener::accept_some(Socket& socket) {
  // The accept function may destroy the listener; the socket outlives it, so it is asked first.
  for (int left = accepts_per_turn_; left > 0 && socket.listener != nullptr && !paused_; --left) {
    // Connections that come now wait in the kernel's backlog until others have gone.
    if (descriptors_ != nullptr && !descriptors_->room(use_)) {
      rest();
      return false;
    }
    const int fd = ::accept4(socket.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
      const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (!exhausted) continue;  // this connection alone failed, such as with ECONNABORTED
      if (out_of_descriptors(socket.fd)) continue;
      rest();
      return false;
    }
    if (descriptors_ != nullptr && descriptors_->is_last(fd)) {
      // Others have used up the descriptors, and the last ones are for files.
      ::close(fd);
      ++refused_;
      warn_exhausted();
      rest();
      return false;
    }
    accepted(fd);
  }
  return true;
}

void Listener::accepted(int fd) {
  TcpSocket* accepted = TcpSocket::make(loop_);
  if (accepted == nullptr || uv_tcp_open(&accepted->uv, fd) != 0) {
    if (accepted != nullptr) accepted->discard();
    ::close(fd);
    ++refused_;
    return;
  }
  if (descriptors_ != nullptr) accepted->slot = descriptors_->take(use_);
  const std::shared_ptr<AcceptFunction> function = on_accept_;
  (*function)(std::make_unique<TcpStream>(loop_, accepted, tcp_));
}

void Listener::rest() {
  for (Socket* each : sockets_) uv_poll_stop(&each->poll);
  retry_timer_.start(kAcceptRetryMs);
}

void Listener::take_waiting() {
  // Bounded, as a flood of new connections must not keep the process from ending.
  for (Socket* socket : sockets_)
    for (int taken = 0; taken <= std::min(backlog_, kMostWaiting) && accept_some(*socket);) taken += accepts_per_turn_;
}

// Frees the reserve descriptor to accept the waiting connection and close it: the peer learns at once, and the loop
// does not spin on a backlog that it cannot accept (HAZARDS H19). False when the reserve is gone too.
bool Listener::out_of_descriptors(int listening_fd) {
  warn_exhausted();
  bool taken = false;
  if (reserve_fd_ >= 0) {
    ::close(reserve_fd_);
    const int fd = ::accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) {
      ::close(fd);
      ++refused_;
      taken = true;
    }
  }
  reserve_fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  return taken;
}

void Listener::warn_exhausted() {
  if (log_limiter_.allow(loop_.now()))
    logf(LogLevel::warning, "out of file descriptors or memory: connections to port %u are closed at once", port_);
}

}  // namespace wh::net
