// Running in the background (`daemonize yes`): forks, and lets the process that was started wait until the one it
// leaves behind serves or has failed, so that its exit status means what it says. Called by main, before any thread,
// loop or database exists (HAZARDS C12).
#pragma once

#include <optional>

#include "base/result.h"

namespace wh {

// Opens /dev/null in place of a closed standard descriptor. Otherwise the next file that is opened gets its number, and
// is written to by whoever means standard error.
void keep_standard_descriptors();

class Daemon {
 public:
  Daemon() = default;
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // In the process left behind: nothing. It leads a session of its own, works in `/`, and shares the terminal until
  // serves(), so that what stops its start can be read there. In the process that was started: its exit status, once
  // the other serves (0) or has ended (its own, never 0).
  Result<std::optional<int>> detach();

  // Lets the process that was started end, and the terminal go. Does nothing without detach().
  void serves();

 private:
  int told_ = -1;  // the pipe's end to the waiting process
};

}  // namespace wh
