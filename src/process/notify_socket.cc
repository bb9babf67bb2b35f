#include "process/notify_socket.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace wh::process {

NotifySocket::~NotifySocket() {
  if (fd_ >= 0) ::close(fd_);
}

Status NotifySocket::open(std::string_view address) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (address.size() < 2 || (address[0] != '/' && address[0] != '@') || address.size() >= sizeof to.sun_path)
    return Error{"NOTIFY_SOCKET is neither a path nor an abstract name"};
  std::memcpy(to.sun_path, address.data(), address.size());
  if (address[0] == '@') to.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&to), size) != 0) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    return Error{std::string("the service manager's NOTIFY_SOCKET cannot be reached: ") + std::strerror(error)};
  }
  fd_ = fd;
  return ok_status();
}

bool NotifySocket::send(std::string_view text) const {
  if (fd_ < 0) return true;
  if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) >= 0) return true;
  return errno != EAGAIN && errno != ENOBUFS && errno != EINTR;
}

}  // namespace wh::process
