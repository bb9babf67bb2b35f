// Running in the background (`daemonize yes`): forks, and makes the process that was started wait until the process
// left behind serves or has failed, so that its exit status tells which. Called by main, before any thread, loop or
// database exists (HAZARDS C12).
#pragma once

#include <optional>

#include "base/result.h"

namespace wh::process {

// Opens /dev/null in place of each closed standard descriptor. Otherwise the next file opened would get its number, and
// code that writes to standard error would write into that file.
void keep_standard_descriptors();

class Daemon {
 public:
  Daemon() = default;
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // In the process left behind, returns nothing. That process leads its own session, works in `/`, and shares the
  // terminal until serves(), so that a start that fails says so there. In the process that was started, returns its
  // exit status, once the other process serves (0) or has ended (the other's status, never 0).
  Result<std::optional<int>> detach();

  // Lets the process that was started exit, and releases the terminal. Does nothing without detach().
  void serves();

 private:
  int told_ = -1;  // the pipe's end to the waiting process
};

}  // namespace wh::process
