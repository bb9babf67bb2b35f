// What a service manager learns of this process (`supervised`): that it serves, stops or reads its files anew; a status
// line; and that its loop runs, for the watchdog. Without a manager all of it does nothing. Owned by the Server, which
// tells it what to say; knows the manager only from the environment.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "config/options.h"
#include "net/loop.h"
#include "process/notify_socket.h"

namespace wh::process {

class Supervisor {
 public:
  explicit Supervisor(net::Loop& loop) : loop_(loop) {}

  // Whether a service manager follows this process, which then must not go into the background.
  static bool expected(config::Supervised mode);

  // Finds the manager. Only warns when there is none, as the server can run without.
  void begin(config::Supervised mode);

  // The server serves: storage open, ports listening. Does not wait for a cluster, which may need this node.
  void ready();
  // Around the work of a SIGHUP.
  void reloading();
  void reloaded() { ready(); }
  void stopping();
  // Called several times a second: sends the status line if it has changed, and what the manager could not take before.
  // `status`: how the node is doing, in one line.
  void sweep(std::string status);

 private:
  void tell(const std::string& text);

  net::Loop& loop_;
  NotifySocket socket_;
  std::unique_ptr<net::Timer> watchdog_;
  std::string waiting_;  // not sent yet
  std::string status_;   // the last one sent
  bool stopping_ = false;
};

}  // namespace wh::process
