#include "server/pidfile.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/log.h"

namespace wh {
namespace {

// The process id in the file; 0 when there is none.
pid_t read_pid(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return 0;
  char text[24] = {};
  const ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  pid_t pid = 0;
  if (size > 0) std::from_chars(text, text + size, pid);
  return pid;
}

}  // namespace

Status Pidfile::write(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const std::string text = std::to_string(getpid()) + "\n";
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (fd >= 0) {
    (void)::fchmod(fd, 0644);  // the process's umask is stricter
    ::close(fd);
  }
  if (!written) return Error{"could not write the pidfile " + path + ": " + std::strerror(error)};
  path_ = path;
  return ok_status();
}

void Pidfile::write_default() {
  const pid_t holder = read_pid(kDefault);
  if (holder > 0 && holder != getpid() && ::kill(holder, 0) == 0) {
    logf(LogLevel::notice,
         "%s belongs to process %d: no pidfile is written; name one of this server's own with pidfile", kDefault,
         static_cast<int>(holder));
  } else if (const Status written = write(kDefault); !written) {
    logf(LogLevel::notice, "no pidfile is written, as none was asked for: %s", written.error().c_str());
  }
}

void Pidfile::remove() {
  const std::string path = std::exchange(path_, {});
  if (!path.empty() && read_pid(path) == getpid()) ::unlink(path.c_str());
}

}  // namespace wh
