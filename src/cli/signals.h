// The signals that end the program or tell of a child's end. Each becomes a byte in a pipe, so that a wait for the
// network or for input notices it at once. Nothing ends inside a handler: a command first releases what it holds.
// Called by main, exchange.h, child.h and the commands that wait.
#pragma once

namespace wh::cli::signals {

// Catches SIGINT, SIGTERM, SIGHUP and SIGCHLD; ignores SIGPIPE, as a failed write says the same, and SIGTTOU, as a
// terminal that a child has is still written to, and taken back.
void catch_all();

// Opens /dev/null for each standard stream that is closed, before another file takes its number.
void fill_standard_streams();

// Readable once a signal has come; -1 before catch_all().
int wake_fd();
// Empties the pipe.
void drain();

// The first signal that asked for the end, else 0.
int ending();
// How many such signals have come.
int endings();

// Ctrl-Z stops this process, as at the start, or does nothing: who holds something for a command must go on.
void ignore_stops();
void obey_stops();

// Gives a child, between fork and exec, the dispositions that a program expects.
void restore_in_child();
// Ends this process by that signal, so that a shell sees it.
[[noreturn]] void die_of(int signal);

}  // namespace wh::cli::signals
