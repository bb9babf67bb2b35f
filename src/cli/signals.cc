#include "cli/signals.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace wh::cli::signals {
namespace {

constexpr std::array<int, 3> kEnding{SIGINT, SIGTERM, SIGHUP};

std::array<int, 2> wake_pipe{-1, -1};
std::atomic<int> first_ending{0};
std::atomic<int> ending_count{0};
struct sigaction first_stop {};  // what SIGTSTP did at the start

void on_signal(int number) {
  const int saved = errno;
  if (number != SIGCHLD) {
    int none = 0;
    first_ending.compare_exchange_strong(none, number);
    ++ending_count;
  }
  const char byte = 0;
  // A full pipe wakes as well.
  [[maybe_unused]] const ssize_t written = write(wake_pipe[1], &byte, 1);
  errno = saved;
}

void dispose(int number, void (*disposition)(int)) {
  struct sigaction action {};
  action.sa_handler = disposition;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

}  // namespace

void catch_all() {
  if (pipe2(wake_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
  for (const int number : kEnding) {
    // What is ignored from the start stays ignored, as under nohup.
    struct sigaction now {};
    sigaction(number, nullptr, &now);
    if (now.sa_handler != SIG_IGN) dispose(number, on_signal);
  }
  sigaction(SIGTSTP, nullptr, &first_stop);
  dispose(SIGCHLD, on_signal);
  dispose(SIGPIPE, SIG_IGN);
  dispose(SIGTTOU, SIG_IGN);
}

void fill_standard_streams() {
  // The lowest free number is given out; a number above 2 was none of them.
  int fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDWR);
  if (fd >= 0) close(fd);
}

int wake_fd() { return wake_pipe[0]; }

void drain() {
  std::array<char, 64> bytes{};
  while (read(wake_pipe[0], bytes.data(), bytes.size()) > 0) {
  }
}

int ending() { return first_ending; }
int endings() { return ending_count; }

void ignore_stops() { dispose(SIGTSTP, SIG_IGN); }
void obey_stops() { sigaction(SIGTSTP, &first_stop, nullptr); }

void restore_in_child() {
  // exec resets handlers to the default by itself, but not what is ignored.
  dispose(SIGPIPE, SIG_DFL);
  dispose(SIGTTOU, SIG_DFL);
  obey_stops();
}

void die_of(int signal) {
  dispose(signal, SIG_DFL);
  raise(signal);
  _exit(128 + signal);
}

}  // namespace wh::cli::signals
