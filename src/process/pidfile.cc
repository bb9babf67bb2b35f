#include "process/pidfile.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/log.h"

namespace wh::process {
namespace {

constexpr size_t kLongest = 24;  // bytes of a pidfile, its newline included
constexpr int kTries = 8;        // another process may remove the file between our open and our lock

constexpr pid_t kOtherText = -1;

// The process id, when the text is nothing else but blanks; 0 when it is empty; else kOtherText.
pid_t parse_pid(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  if (text.empty()) return 0;
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end != text.data() + text.size() || pid <= 0) return kOtherText;
  return pid;
}

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct ProcessStat {
  bool ended = false;     // a zombie: its parent has not waited for it yet
  double started_at = 0;  // in seconds since 1970
};

// Empty when it cannot be read. Fields 3 and 22 of proc(5)'s stat, the latter in ticks since boot; the name before
// them, in brackets, may hold any bytes.
std::optional<ProcessStat> stat_of(pid_t pid) {
  const int fd = ::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char buffer[1024];
  const ssize_t size = ::read(fd, buffer, sizeof buffer);
  ::close(fd);
  std::string_view text(buffer, size > 0 ? static_cast<size_t>(size) : 0);
  text.remove_prefix(std::min(text.size(), text.rfind(')') + 1));
  const bool ended = text.starts_with(" Z") || text.starts_with(" X");
  for (int field = 2; field < 22 && !text.empty(); ++field)
    text.remove_prefix(
        std::min(text.size(), text.find(' ') == std::string_view::npos ? text.size() : text.find(' ') + 1));
  uint64_t ticks = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), ticks).ec != std::errc()) return std::nullopt;
  const double since_boot = static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return ProcessStat{ended, seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) + since_boot};
}

// Whether a living process may have written this file, that is, whether it is older than the file. After a restart of
// the machine or the container another process often has the number.
bool may_be_its_writer(pid_t pid, const struct stat& file) {
  constexpr double kSlack = 2;  // clocks are set, and ticks are coarse
  if (pid == ::getpid() || (::kill(pid, 0) != 0 && errno == ESRCH)) return false;
  const std::optional<ProcessStat> process = stat_of(pid);
  return !process || (!process->ended && process->started_at <= static_cast<double>(file.st_mtim.tv_sec) + kSlack);
}

Error refusal(const std::string& path, const std::string& why) {
  return Error{"could not write the pidfile " + path + ": " + why};
}

}  // namespace

Status Pidfile::write(const std::string& path) {
  if (Status taken = take(path); !taken) {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    return taken;
  }
  path_ = path;
  return ok_status();
}

// Leaves the file open as fd_, also on an error.
Status Pidfile::take(const std::string& path) {
  struct stat info {};
  for (int tries = 0;; ++tries) {
    if (fd_ >= 0) ::close(fd_);
    // O_NONBLOCK and O_NOCTTY: a FIFO's other end or a terminal must not block the open.
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
    if (fd_ < 0 && errno == ELOOP) return refusal(path, "it is a symbolic link: name the file itself");
    if (fd_ < 0) return refusal(path, std::strerror(errno));
    if (::fstat(fd_, &info) != 0) return refusal(path, std::strerror(errno));
    if (!S_ISREG(info.st_mode)) return refusal(path, "it is no regular file");
    if (info.st_uid != ::geteuid() && info.st_uid != 0)
      return refusal(path, "it belongs to user " + std::to_string(info.st_uid) + ", who could change it");
    const bool locked = ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK) return refusal(path, std::strerror(errno));
    char text[kLongest + 1];
    const ssize_t size = ::pread(fd_, text, sizeof text, 0);
    if (size < 0) return refusal(path, std::strerror(errno));
    const pid_t pid = size > static_cast<ssize_t>(kLongest) ? kOtherText : parse_pid({text, static_cast<size_t>(size)});
    if (!locked)
      return refusal(path, pid > 0 ? "process " + std::to_string(pid) + " holds it" : "another process holds it");
    struct stat named {};
    const bool ours = ::lstat(path.c_str(), &named) == 0 && named.st_dev == info.st_dev && named.st_ino == info.st_ino;
    if (!ours) {
      if (tries < kTries) continue;
      return refusal(path, "it is removed again and again");
    }
    if (pid == kOtherText)
      return refusal(path, "it holds something else than a process id: name another file, or remove it");
    if (pid > 0 && may_be_its_writer(pid, info))
      return refusal(path, "it belongs to process " + std::to_string(pid) +
                               ", which lives: name another file, or, "
                               "should that be no server, remove it");
    break;
  }
  const std::string text = std::to_string(::getpid()) + "\n";
  const ssize_t written = ::pwrite(fd_, text.data(), text.size(), 0);
  if (written != static_cast<ssize_t>(text.size()))
    return refusal(path, written < 0 ? std::strerror(errno) : "no room");
  if (::ftruncate(fd_, written) != 0) return refusal(path, std::strerror(errno));
  (void)::fchmod(fd_, 0644);  // the process's umask is stricter
  return ok_status();
}

void Pidfile::write_default() {
  if (const Status written = write(kDefault); !written)
    logf(LogLevel::notice, "%s; none was asked for, and none is written: name one of this server's own with pidfile",
         written.error().c_str());
}

void Pidfile::remove() {
  const std::string path = std::exchange(path_, {});
  if (path.empty()) return;
  struct stat ours {};
  struct stat named {};
  if (::fstat(fd_, &ours) == 0 && ::lstat(path.c_str(), &named) == 0 && ours.st_dev == named.st_dev &&
      ours.st_ino == named.st_ino)
    ::unlink(path.c_str());
  ::close(std::exchange(fd_, -1));
}

}  // namespace wh::process
