#include "process/early_signals.h"

#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace wh::process {
namespace {

volatile sig_atomic_t g_child = 0;

// A start leaves nothing to tidy: the directory's lock ends with the process, and half-written files are what a crash
// leaves. Without a handler, process 1 of a container would not get these signals at all.
void end_start(int) {
  constexpr char kText[] = "wormhole-server: ended by a signal before it served\n";
  pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (::poll(&ready, 1, 0) == 1) (void)!::write(STDERR_FILENO, kText, sizeof kText - 1);
  ::_exit(0);
}

// Runs before all constructors of libraries, and before begin(). Only a system call: the sanitizers are not initialised
// yet.
__attribute__((no_sanitize("address", "thread", "undefined"))) void hold_hangup(int, char**, char**) {
  static const uint64_t hangup = uint64_t{1} << (SIGHUP - 1);  // the kernel's own form of a set
  (void)::syscall(SYS_rt_sigprocmask, SIG_BLOCK, &hangup, nullptr, sizeof hangup);
}
__attribute__((section(".preinit_array"), used)) void (*const g_before_all)(int, char**, char**) = hold_hangup;

void pass_on(int signal) {
  if (g_child > 0) ::kill(g_child, signal);
}

void handle(std::initializer_list<int> signals, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : signals) ::sigaction(signal, &action, nullptr);
}

void mask(int how, std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  ::pthread_sigmask(how, &set, nullptr);
}

}  // namespace

void EarlySignals::ignore_failed_writes() { handle({SIGXFSZ}, SIG_IGN); }

void EarlySignals::release() { mask(SIG_UNBLOCK, {SIGHUP}); }

void EarlySignals::begin() {
  handle({SIGTERM, SIGINT}, end_start);
  handle({SIGUSR1, SIGUSR2, SIGPIPE}, SIG_IGN);
}

void EarlySignals::handled() { mask(SIG_UNBLOCK, {SIGHUP}); }

void EarlySignals::ending() { mask(SIG_BLOCK, {SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGUSR2}); }

void EarlySignals::pass_on_to(pid_t child) {
  g_child = child;
  handle({SIGTERM, SIGINT}, pass_on);
}

}  // namespace wh::process
