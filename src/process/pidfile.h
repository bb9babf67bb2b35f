// The file that tells other programs this process's id (`pidfile`). Locks it for the process's life, so that a second
// server with the same pidfile is refused; does not touch a file that is no pidfile or names a living process. Owned by
// the Server.
#pragma once

#include <string>

#include "base/result.h"

namespace wh::process {

class Pidfile {
 public:
  // Where a process in the background writes its id when the config names no file.
  static constexpr const char* kDefault = "/run/wormhole-server.pid";

  Pidfile() = default;
  ~Pidfile() { remove(); }
  Pidfile(const Pidfile&) = delete;
  Pidfile& operator=(const Pidfile&) = delete;

  // Writes it, readable for everybody, and takes over a file that a process now gone left there. An error, and the file
  // unchanged, when it is a link, a directory, a device or a FIFO, belongs to another user, or holds something other
  // than a process id or the id of a living process.
  Status write(const std::string& path);
  // Writes the default file, which nobody asked for: logs a notice in place of returning an error.
  void write_default();
  // Removes the file unless it is another process's by now. Also for exits that run no destructors.
  void remove();

 private:
  Status take(const std::string& path);

  std::string path_;
  int fd_ = -1;  // open and locked while the file is ours
};

}  // namespace wh::process
