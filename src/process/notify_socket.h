// The socket of systemd's notification protocol (sd_notify(3)): datagrams of NAME=VALUE lines to the service manager.
// Never waits for the manager. Owned by the Supervisor.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace wh::process {

class NotifySocket {
 public:
  NotifySocket() = default;
  ~NotifySocket();
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  // `address` as in NOTIFY_SOCKET: a path, or `@` and a name in the abstract namespace (unix(7)).
  Status open(std::string_view address);
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  // False when the manager cannot take it now; true also when no socket is open or the manager is gone.
  bool send(std::string_view text) const;

 private:
  int fd_ = -1;
};

}  // namespace wh::process
