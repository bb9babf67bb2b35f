#include "storage/ballast.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace wh::storage {
namespace {

constexpr uint64_t kPiece = 1 << 20;
// What must be free beside it before it is made whole, so that it does not come and go.
constexpr uint64_t kMargin = 8 << 20;

}  // namespace

Ballast::~Ballast() {
  if (fd_ >= 0) ::close(fd_);
}

void Ballast::open() {
  if (bytes_ == 0) return;
  if (fd_ < 0) fd_ = ::openat(directory_fd_, kBallastFile, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  struct stat info {};
  size_ = 0;
  if (fd_ < 0 || ::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) return;
  // Holes hold no room.
  size_ = std::min(static_cast<uint64_t>(info.st_size), static_cast<uint64_t>(info.st_blocks) * 512);
}

bool Ballast::cut_to(uint64_t size) {
  if (fd_ < 0 || size_ <= size || disk_.truncate(Lane::files, fd_, kBallastFile, size) != 0) return false;
  size_ = size;
  return true;
}

bool Ballast::give_way() { return cut_to(size_ > 2 * kPiece ? size_ - kPiece : std::min(size_, kPiece)); }

bool Ballast::give_up() { return cut_to(0); }

void Ballast::restore() {
  if (whole()) return;
  if (measure().free_bytes < bytes_ - size_ + kMargin) return;
  open();  // somebody may have removed it
  if (fd_ < 0) return;
  // One that stops half way is cut again: half a ballast has as much use as room that is free.
  if (disk_.allocate(Lane::files, fd_, kBallastFile, bytes_) == 0) {
    size_ = bytes_;
  } else {
    (void)disk_.truncate(Lane::files, fd_, kBallastFile, size_);
  }
}

node::DiskSpace Ballast::measure() const {
  struct statvfs info {};
  // Not known is room enough: a write will tell.
  if (::fstatvfs(directory_fd_, &info) != 0) return {.free_bytes = UINT64_MAX, .total_bytes = 0, .full = false};
  return {.free_bytes = uint64_t{info.f_bavail} * info.f_frsize,
          .total_bytes = uint64_t{info.f_blocks} * info.f_frsize,
          .full = false};
}

}  // namespace wh::storage
