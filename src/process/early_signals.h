// What signals do before the loop handles them, and after it no longer does: no signal may end a start silently or get
// lost during it. Process-wide; used on the first thread, by main.cc and daemon.cc.
#pragma once

#include <sys/types.h>

namespace wh::process {

class EarlySignals {
 public:
  // In every mode of the program: a write beyond ulimit -f fails, and SIGXFSZ does not end the process.
  static void ignore_failed_writes();
  // SIGHUP is blocked since before main(). Unblocks it, in a mode of the program that is no server.
  static void release();
  // At the start of a server: SIGHUP stays blocked; SIGTERM and SIGINT end the process with status 0, also as process 1
  // of a container; SIGUSR1, SIGUSR2 and SIGPIPE do nothing.
  static void begin();
  // Called once the loop has its own handlers: a signal held so far is delivered to them.
  static void handled();
  // Called just before the handlers go and the process ends: from here on no signal changes its exit status.
  static void ending();
  // In a process that only waits for `child` to serve: passes SIGTERM and SIGINT on to the child.
  static void pass_on_to(pid_t child);
};

}  // namespace wh::process
