// The file with this process's id, as other programs find it (`pidfile`). Held by a lock for the process's life, so
// that a second server that is given the same one is refused; a file that is none, or names somebody who lives, is not
// touched. Owned by the Server.
#pragma once

#include <string>

#include "base/result.h"

namespace wh {

class Pidfile {
 public:
  // Where a process in the background writes its id when no file is named.
  static constexpr const char* kDefault = "/run/wormhole-server.pid";

  Pidfile() = default;
  ~Pidfile() { remove(); }
  Pidfile(const Pidfile&) = delete;
  Pidfile& operator=(const Pidfile&) = delete;

  // Readable for everybody. Takes over what a process that is gone left there. An error, and the file as it was, where
  // it is a link, a directory, a device or a FIFO, belongs to another user, holds something else than a process id, or
  // the id of a process that lives.
  Status write(const std::string& path);
  // The default file, which nobody asked for: a notice in place of an error.
  void write_default();
  // Unless it is another process's by now. Also for an end that destroys nothing.
  void remove();

 private:
  Status take(const std::string& path);

  std::string path_;
  int fd_ = -1;  // open and locked while it is ours
};

}  // namespace wh
