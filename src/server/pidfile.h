// The file with this process's id, as other programs find it (`pidfile`). Owned by the Server.
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

  // Readable for everybody. Replaces what another process left there: who is running is told by the data directory's
  // lock, not by this file.
  Status write(const std::string& path);
  // The default file, which nobody asked for: only where it can be written, and holds no living process's id.
  void write_default();
  // Unless the file names another process by now. Also for an end that destroys nothing.
  void remove();

 private:
  std::string path_;
};

}  // namespace wh
