#include "server/log_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wh {
namespace {

std::string plain_text(LogLevel level, int64_t unix_ms, pid_t pid, std::string_view message, uint64_t dropped) {
  const time_t seconds = unix_ms / 1000;
  tm local{};
  localtime_r(&seconds, &local);
  char date[48];
  std::strftime(date, sizeof date, "%d %b %Y %H:%M:%S", &local);
  static constexpr char kMarks[] = ".-*#";  // debug, verbose, notice, warning: Redis's
  char head[96];
  const int size = std::snprintf(head, sizeof head, "%d %s.%03d %c ", static_cast<int>(pid), date,
                                 static_cast<int>(unix_ms % 1000), kMarks[static_cast<int>(level)]);
  std::string text(head, static_cast<size_t>(size));
  if (dropped > 0) text += "(" + std::to_string(dropped) + " lines before this one were dropped: nobody read them) ";
  text += message;
  return text;
}

// RFC 3339 in UTC; the message always in quotes, in which only '"' and '\\' need escapes: it has no control bytes.
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

std::string log_text(LogFormat format, LogLevel level, int64_t unix_ms, pid_t pid, std::string_view message,
                     uint64_t dropped) {
  return (format == LogFormat::logfmt ? logfmt_text : plain_text)(level, unix_ms, pid, message, dropped) + "\n";
}

LogOutput::~LogOutput() {
  set_log_sink(nullptr);
  if (owned_) ::close(fd_);
}

Status LogOutput::open(const std::string& file, LogLevel level) {
  file_ = file;
  use(fd_);
  if (Status opened = reopen(); !opened) return opened;
  set_log_level(level);
  set_log_sink([this](LogLevel l, std::string_view line) { write(l, line); });
  return ok_status();
}

Status LogOutput::reopen() {
  if (file_.empty()) return ok_status();
  const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
  if (fd < 0) return Error{"could not open the log file " + file_ + ": " + std::strerror(errno)};
  if (owned_) ::close(fd_);
  owned_ = true;
  use(fd);
  return ok_status();
}

void LogOutput::use(int fd) {
  struct stat info {};
  fd_ = fd;
  may_block_ = ::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode);
}

void LogOutput::write(LogLevel level, std::string_view line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::string text =
      log_text(format_, level, int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000, getpid(), line, dropped_ - told_);
  if (may_block_) {
    pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
      ++dropped_;
      return;
    }
    // A pipe that is ready takes this much without waiting (POSIX PIPE_BUF).
    if (text.size() > 4096) {
      text.resize(4094);
      text += format_ == LogFormat::logfmt ? "\"\n" : "\n";
    }
  }
  if (::write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
    told_ = dropped_;
  } else {
    ++dropped_;
  }
}

}  // namespace wh
