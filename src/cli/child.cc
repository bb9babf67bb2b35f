#include "cli/child.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/signals.h"

namespace wh::cli {
namespace {

using Clock = std::chrono::steady_clock;

// The environment with the variables; strings that live as long as the vector.
std::vector<std::string> environment_with(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> out;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view entry(*at);
    if (!variables.contains(std::string(entry.substr(0, entry.find('='))))) out.emplace_back(entry);
  }
  // No variable can hold a NUL.
  for (const auto& [name, value] : variables) out.push_back(name + "=" + value.substr(0, value.find('\0')));
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (std::string& string : strings) out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

// In the child. Only what may be called between fork and exec; the parent learns of a failure by the pipe.
[[noreturn]] void become(char* const* argv, char* const* envp, int input, int report, pid_t parent, bool terminal) {
  // Without its parent nobody keeps the lock, or the event.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
  if (terminal) tcsetpgrp(STDIN_FILENO, getpid());
  signals::restore_in_child();
  if (getppid() == parent && (input < 0 || dup2(input, STDIN_FILENO) == STDIN_FILENO)) execvpe(argv[0], argv, envp);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(report, &error, sizeof error);
  _exit(127);
}

// Whether standard input is a terminal whose keyboard is ours.
bool terminal_is_ours() { return tcgetpgrp(STDIN_FILENO) == getpgrp(); }

}  // namespace

Child::~Child() {
  close_input();
  signals::obey_stops();
  if (ended()) return;
  kill(-pid_, SIGKILL);
  if (status_ < 0) waitpid(pid_, nullptr, 0);
  take_terminal_back();
}

Status Child::start(const std::vector<std::string>& words, const std::map<std::string, std::string>& variables,
                    std::optional<std::string> input) {
  std::array<int, 2> report{-1, -1};
  std::array<int, 2> feed_pipe{-1, -1};
  if (pipe2(report.data(), O_CLOEXEC) != 0 || (input && pipe2(feed_pipe.data(), O_CLOEXEC) != 0))
    return Error{std::string("cannot make a pipe: ") + std::strerror(errno)};
  std::vector<std::string> arguments = words;
  std::vector<std::string> environment = environment_with(variables);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  const pid_t parent = getpid();
  // What the command leaves behind becomes our child: so its end is told to us.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  lent_ = !input && terminal_is_ours();
  signals::ignore_stops();
  pid_ = fork();
  if (pid_ == 0) become(argv.data(), envp.data(), feed_pipe[0], report[1], parent, lent_);
  const int fork_error = errno;
  close(report[1]);
  if (feed_pipe[0] >= 0) close(feed_pipe[0]);
  input_fd_ = feed_pipe[1];
  // The child does the same; who is first does not matter, and a signal that comes now finds the group.
  if (pid_ > 0) setpgid(pid_, pid_);
  int error = pid_ < 0 ? fork_error : 0;
  ssize_t got = 0;
  while (pid_ > 0 && (got = read(report[0], &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (pid_ > 0 && got != static_cast<ssize_t>(sizeof error)) error = 0;
  close(report[0]);
  if (error != 0) {
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    take_terminal_back();
    pid_ = -1;
    return Error{"cannot run " + printable(words[0]) + ": " + std::strerror(error)};
  }
  if (input) {
    input_ = *std::move(input);
    fcntl(input_fd_, F_SETFL, O_NONBLOCK);
    feed();
  }
  return ok_status();
}

void Child::close_input() {
  if (input_fd_ >= 0) close(input_fd_);
  input_fd_ = -1;
}

void Child::feed() {
  while (input_fd_ >= 0 && fed_ < input_.size()) {
    const ssize_t written = write(input_fd_, input_.data() + fed_, input_.size() - fed_);
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) break;  // it does not want it
    fed_ += static_cast<size_t>(written);
  }
  close_input();
}

bool Child::ended() {
  if (pid_ < 0 || over_) return true;
  feed();
  reap();
  if (stopped_) go_on();
  over_ = status_ >= 0 && !(signalled_ && kill(-pid_, 0) == 0);
  return over_;
}

void Child::reap() {
  int raw = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &raw, WNOHANG | WUNTRACED)) > 0;) {
    if (pid != pid_) continue;
    stopped_ = WIFSTOPPED(raw) && WSTOPSIG(raw) != SIGSTOP;
    if (WIFSTOPPED(raw)) continue;
    status_ = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    const bool lent = lent_;
    take_terminal_back();
    // The keyboard's signal reached the command alone, and is meant for all who were started with it.
    if (lent && status_ == 128 + SIGINT) kill(0, SIGINT);
  }
}

// Nothing here could tell the shell that only the command has stopped, and its lock would be lost soon.
void Child::go_on() {
  if (!lent_) lent_ = terminal_is_ours();
  if (!lent_) return;
  tcsetpgrp(STDIN_FILENO, pid_);
  stopped_ = false;
  kill(-pid_, SIGCONT);
}

void Child::take_terminal_back() {
  if (lent_) tcsetpgrp(STDIN_FILENO, getpgrp());
  lent_ = false;
}

bool Child::wait_for(Millis ms, int seen) {
  const auto until = Clock::now() + std::chrono::milliseconds(ms);
  for (;;) {
    if (ended()) return true;
    if (signals::endings() > seen) return false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    std::array<pollfd, 2> polled{pollfd{signals::wake_fd(), POLLIN, 0}, pollfd{input_fd_, POLLOUT, 0}};
    poll(polled.data(), polled.size(), static_cast<int>(std::min<int64_t>(left, 60'000)) + 1);
    if (polled[0].revents != 0) signals::drain();
  }
}

void Child::wait() {
  int handed_on = 0;
  while (!wait_for(60'000, handed_on)) {
    if (signals::endings() == handed_on) continue;
    handed_on = signals::endings();
    signal(signals::ending());
  }
}

void Child::signal(int number) {
  if (ended()) return;
  signalled_ = true;
  kill(-pid_, number);
  // One that stands still takes it only once it goes on.
  kill(-pid_, SIGCONT);
}

}  // namespace wh::cli
