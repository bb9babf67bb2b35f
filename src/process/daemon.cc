#include "process/daemon.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/early_signals.h"

namespace wh::process {
namespace {

// Waits for a byte, or for the end of the process that should write it. Returns the exit status to use.
int await_service(int pipe, pid_t child) {
  char byte = 0;
  ssize_t n = 0;
  do n = ::read(pipe, &byte, 1);
  while (n < 0 && errno == EINTR);
  if (n == 1) return 0;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    std::fprintf(stderr, "wormhole-server: ended by signal %d (%s) before it served\n", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    return 1;
  }
  return WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

}  // namespace

void keep_standard_descriptors() {
  int fd = 0;
  do fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

Daemon::~Daemon() {
  if (told_ >= 0) ::close(told_);
}

Result<std::optional<int>> Daemon::detach() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error{std::string("could not make a pipe: ") + std::strerror(errno)};
  std::fflush(nullptr);  // otherwise both processes would write what is buffered
  const pid_t child = ::fork();
  if (child < 0) {
    const int error = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    return Error{std::string("could not start a process in the background: ") + std::strerror(error)};
  }
  if (child != 0) {
    EarlySignals::pass_on_to(child);
    ::close(ends[1]);
    const int status = await_service(ends[0], child);
    ::close(ends[0]);
    return std::optional<int>(status);
  }
  ::close(ends[0]);
  told_ = ends[1];
  ::setsid();
  // So that the process keeps no file system mounted.
  if (::chdir("/") != 0) return Error{std::string("could not change to /: ") + std::strerror(errno)};
  return std::optional<int>();
}

void Daemon::serves() {
  if (told_ < 0) return;
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0) {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) (void)::dup2(null, fd);
    ::close(null);
  }
  // The reader may be gone: SIGPIPE is ignored by now (net/loop.cc).
  (void)!::write(told_, "s", 1);
  ::close(told_);
  told_ = -1;
}

}  // namespace wh::process
