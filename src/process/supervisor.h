// What a service manager is told of this process (`supervised`): that it serves, stops, reads its files anew; how it
// fares, in one line; and that its loop turns, which is the watchdog. Without a manager all of it does nothing. Owned
// by the Server; says nothing of itself, and knows of the manager only what stands in the environment.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "config/options.h"
#include "net/loop.h"
#include "process/notify_socket.h"

namespace wh {

class Supervisor {
 public:
  explicit Supervisor(net::Loop& loop) : loop_(loop) {}

  // Whether a service manager follows this process, which then must not go into the background.
  static bool expected(Supervised mode);

  // Finds the manager; why there is none is a warning, as the server can do without.
  void begin(Supervised mode);

  // It serves: the storage is open and the ports listen. That does not wait for a cluster, which may need this node.
  void ready();
  // Around the work of a SIGHUP.
  void reloading();
  void reloaded() { ready(); }
  void stopping();
  // Several times a second: the status line, when it has changed, and what the manager could not take before. `status`:
  // how the node fares, in one line.
  void sweep(std::string status);

 private:
  void tell(const std::string& text);

  net::Loop& loop_;
  NotifySocket socket_;
  std::unique_ptr<net::Timer> watchdog_;
  std::string waiting_;  // to be sent
  std::string status_;   // as last told
  bool stopping_ = false;
};

}  // namespace wh
