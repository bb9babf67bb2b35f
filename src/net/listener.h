// The listening sockets of one port: on a list of addresses, or on those of a network interface. Owns the sockets, not
// the connections that it accepts. Called by server/, one object for each port.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/byte_stream.h"
#include "base/log.h"
#include "base/result.h"
#include "net/descriptors.h"
#include "net/tcp.h"

namespace wh::net {

struct ListenOptions {
  // Numeric addresses; `*` means all IPv4 addresses and `::*` all IPv6 ones; `-` before one means: no error when this
  // machine does not have it (directive `bind`).
  std::vector<std::string> bind = {"127.0.0.1", "-::1"};
  // When not empty, used in place of `bind`: all addresses of this interface (directive `bind-interface`).
  std::string bind_interface;
  // 0: the system picks one port for all addresses.
  uint16_t port = 0;
  int backlog = 511;
  TcpOptions tcp;
  // Counts the descriptors of accepted connections; null: no limit of its own. Must outlive the connections.
  Descriptors* descriptors = nullptr;
  Descriptors::Use use = Descriptors::Use::clients;
  // The most connections accepted from one socket in a turn, so that a burst leaves room for others.
  int accepts_per_turn = 64;
};

// The addresses of a network interface, port 0; an error when it has none.
Result<Addresses> interface_addresses(const std::string& name);
// Whether this machine has that address, so that a socket can be bound to it.
bool is_own(const Address& address);
// The addresses of all interfaces that are up, port 0; empty when the system does not tell.
Addresses machine_addresses();

class Listener {
 public:
  // Called with a new connection; destroying the stream closes it. The function may destroy the listener.
  using AcceptFunction = std::function<void(std::unique_ptr<ByteStream>)>;

  // Errors name address, port and cause: "could not listen on 127.0.0.1:8080: address already in use".
  static Result<std::unique_ptr<Listener>> listen(Loop& loop, const ListenOptions& options, AcceptFunction on_accept);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] uint16_t port() const { return port_; }
  // Where it listens, with the port: "127.0.0.1:8080", "[::1]:8080".
  [[nodiscard]] const std::vector<std::string>& addresses() const { return texts_; }

  // Sets TcpOptions::keepalive_s for later connections.
  void set_keepalive(unsigned seconds) { tcp_.keepalive_s = seconds; }

  // Stops and resumes handing out connections; meanwhile they wait in the kernel's backlog.
  void pause();
  void resume();
  // Hands out the connections in the backlog one last time: closing the listener resets those that remain.
  void take_waiting();
  // Connections closed at once because no file descriptor or memory was left for them.
  [[nodiscard]] uint64_t refused() const { return refused_; }

 private:
  struct Socket;
  struct Target {
    Address address;
    bool optional = false;
  };
  // After an accept that failed for lack of resources, the next is tried no sooner than this.
  static constexpr uint64_t kAcceptRetryMs = 100;

  Listener(Loop& loop, const ListenOptions& options, AcceptFunction on_accept);
  static Result<std::vector<Target>> targets(const ListenOptions& options);
  // `in_use`: the port is taken on one of the addresses.
  Status open_all(const std::vector<Target>& targets, const ListenOptions& options, bool& in_use);
  // Opens one socket; returns 0 or libuv's code.
  int open(const Address& address, int backlog);
  void close_all();
  void start_polling();
  // False: no more connections wait, or can be accepted.
  bool accept_some(Socket& socket);
  void accepted(int fd);
  // Accepts nothing for a while.
  void rest();
  bool out_of_descriptors(int listening_fd);
  void warn_exhausted();

  Loop& loop_;
  std::shared_ptr<AcceptFunction> on_accept_;
  TcpOptions tcp_;
  Descriptors* descriptors_;
  Descriptors::Use use_;
  int accepts_per_turn_;
  int backlog_;
  uint16_t port_ = 0;
  std::vector<std::string> texts_;
  std::vector<Socket*> sockets_;
  Timer retry_timer_;
  int reserve_fd_ = -1;
  bool paused_ = false;
  uint64_t refused_ = 0;
  LogLimiter log_limiter_{10'000};
};

}  // namespace wh::net
