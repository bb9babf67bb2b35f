// What signals do while nobody handles them yet, and when nobody does any more: none may end a start without a word, or
// get lost in it. Process-wide; used on the first thread, by main.cc and daemon.cc.
#pragma once

#include <sys/types.h>

namespace wh {

class EarlySignals {
 public:
  // For every mode of the program: a file that may not grow (ulimit -f) is a write that fails, not the end (SIGXFSZ).
  static void ignore_failed_writes();
  // SIGHUP is held since before main(). Lets it through, in a mode of the program that is no server.
  static void release();
  // At the start of a server: SIGHUP stays held; SIGTERM and SIGINT end the process with status 0, in a container's
  // process 1 too; SIGUSR1, SIGUSR2 and SIGPIPE do nothing.
  static void begin();
  // The loop has handlers of its own: what was held is given to them.
  static void handled();
  // They are about to go, and the process ends within a moment: none of them changes its exit status any more.
  static void ending();
  // In a process that only waits for `child` to serve: SIGTERM and SIGINT are the child's to act upon.
  static void pass_on_to(pid_t child);
};

}  // namespace wh
