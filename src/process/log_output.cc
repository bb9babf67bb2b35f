#include "process/log_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wh::process {
namespace {

std::string plain_text(LogLevel level, int64_t unix_ms, pid_t pid, std::string_view message, uint64_t dropped) {
  const time_t seconds = unix_ms / 1000;
  tm local{};
  localtime_r(&seconds, &local);
  char date[48];
  std::strftime(date, sizeof date, "%d %b %Y %H:%M:%S", &local);
  static constexpr char kMarks[] = ".-*#";  // Redis's marks for debug, verbose, notice, warning
  char head[96];
  const int size = std::snprintf(head, sizeof head, "%d %s.%03d %c ", static_cast<int>(pid), date,
                                 static_cast<int>(unix_ms % 1000), kMarks[static_cast<int>(level)]);
  std::string text(head, static_cast<size_t>(size));
  if (dropped > 0) text += "(" + std::to_string(dropped) + " lines before this one were dropped: nobody read them) ";
  text += message;
  return text;
}

// RFC 3339 in UTC; the message is always quoted. Only '"' and '\\' need escapes in it, as it has no control bytes.
std::string logfmt_text(LogLevel level, int64_t unix_ms, pid_t pid, std::string_view message, uint64_t dropped) {
  const time_t seconds = unix_ms / 1000;
  tm utc{};
  gmtime_r(&seconds, &utc);
  char date[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  static constexpr const char* kLevels[] = {"debug", "verbose", "notice", "warning"};
  char head[128];
  const int size =
      std::snprintf(head, sizeof head, "ts=%s.%03dZ level=%s pid=%d msg=\"", date, static_cast<int>(unix_ms % 1000),
                    kLevels[static_cast<int>(level)], static_cast<int>(pid));
  std::string text(head, static_cast<size_t>(size));
  for (const char c : message) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  text += '"';
  if (dropped > 0) text += " dropped=" + std::to_string(dropped);
  return text;
}

}  // namespace

std::string log_text(config::LogFormat format, LogLevel level, int64_t unix_ms, pid_t pid, std::string_view message,
                     uint64_t dropped) {
  return (format == config::LogFormat::logfmt ? logfmt_text : plain_text)(level, unix_ms, pid, message, dropped) + "\n";
}

LogOutput::~LogOutput() {
  set_log_sink(nullptr);
  if (owned_) ::close(fd_);
}

LogOutput::File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Result<LogOutput::File> LogOutput::open_file(const std::string& path) {
  const auto failed = [&](const std::string& why) { return Error{"could not open the log file " + path + ": " + why}; };
  if (path == "/dev/stdout" || path == "/dev/stderr") {
    // Opening their target would fail where it is a socket or belongs to another user.
    const int copy = ::fcntl(path == "/dev/stdout" ? STDOUT_FILENO : STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return failed(std::strerror(errno));
    return File(copy, false);
  }
  constexpr int kFlags = O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int fd = ::open(path.c_str(), O_WRONLY | kFlags, 0600);
  struct stat info {};
  bool unread = false;
  if (fd < 0 && errno == ENXIO && ::stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode)) {
    // Opened for reading too, a FIFO needs no reader (fifo(7)): it holds what fits until a reader comes.
    fd = ::open(path.c_str(), O_RDWR | kFlags, 0600);
    unread = true;
  }
  if (fd < 0) return failed(std::strerror(errno));
  File file(fd, unread);
  if (::fstat(fd, &info) != 0) return failed(std::strerror(errno));
  if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode) && !S_ISCHR(info.st_mode))
    return failed("it is neither a file nor a FIFO nor a terminal");
  return file;
}

Status LogOutput::open(const std::string& path, LogLevel level, bool detaches) {
  path_ = path;
  use(STDOUT_FILENO);
  // Other processes may share standard output: reopened, so that O_NONBLOCK does not apply to their writes.
  const bool pipe_or_terminal = !regular_ && !socket_;
  const int own = path.empty() && !detaches && pipe_or_terminal
                      ? ::open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                      : -1;
  if (own >= 0) adopt(File(own, false));
  set_log_level(level);
  if (path.empty()) {
    set_log_sink([this](LogLevel l, std::string_view line) { write(l, line); });
    return ok_status();
  }
  Result<File> file = open_file(path);
  if (!file) return Error{file.error()};
  set_log_sink([this](LogLevel l, std::string_view line) { write(l, line); });
  if (file->unread()) {
    // To standard error, where somebody sees it: nobody reads the log.
    const std::string text = "wormhole-server: nobody reads the log file " + path + ", a FIFO\n";
    pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) == 1) (void)!::write(STDERR_FILENO, text.data(), text.size());
  }
  adopt(std::move(*file));
  return ok_status();
}

void LogOutput::adopt(File file) {
  if (owned_) ::close(fd_);
  owned_ = true;
  cut_ = false;
  use(std::exchange(file.fd_, -1));
  if (file.unread())
    logf(LogLevel::warning,
         "nobody reads the log file %s, a FIFO: it holds some lines, and those after them are dropped", path_.c_str());
}

void LogOutput::use(int fd) {
  struct stat info {};
  fd_ = fd;
  const bool known = ::fstat(fd_, &info) == 0;
  regular_ = known && S_ISREG(info.st_mode);
  socket_ = known && S_ISSOCK(info.st_mode);
}

void LogOutput::write(LogLevel level, std::string_view line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t unix_ms = int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
  recent_->add(level, unix_ms, line);
  std::string text = log_text(format_, level, unix_ms, getpid(), line, dropped_ - told_);
  if (cut_) text.insert(0, 1, '\n');
  if (!regular_) {
    pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
      ++dropped_;
      return;
    }
    // A pipe that is ready takes this much without waiting (POSIX PIPE_BUF).
    if (text.size() > 4096) {
      text.resize(4094);
      text += format_ == config::LogFormat::logfmt ? "\"\n" : "\n";
    }
  }
  const ssize_t written = socket_ ? ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                  : ::write(fd_, text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) {
    told_ = dropped_;
    cut_ = false;
    return;
  }
  ++dropped_;
  if (written > 0) cut_ = true;
}

}  // namespace wh::process
