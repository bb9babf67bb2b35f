#include "storage/ballast.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "storage/format.h"

namespace wh::storage {
namespace {

constexpr uint64_t kPiece = 1 << 20;
// What must be free besides the ballast before it is restored, so that it is not given up again at once.
constexpr uint64_t kMargin = 8 << 20;

}  // namespace

Ballast::~Ballast() {
  if (fd_ >= 0) ::close(fd_);
}

Ballast::Ballast(Disk& disk, int directory_fd, uint64_t bytes)
    : disk_(disk), directory_fd_(directory_fd), bytes_(std::min(bytes, file_size_limit())) {}

void Ballast::open() {
  if (bytes_ == 0) return;
  if (fd_ < 0) (void)disk_.open(Lane::files, directory_fd_, kBallastFile, O_RDWR | O_CREAT, fd_);
  struct stat info {};
  size_ = 0;
  if (fd_ < 0 || ::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) return;
  // Holes in the file hold no room.
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
  open();  // somebody may have removed the file
  if (fd_ < 0) return;
  // After a failed allocation the file is cut again: half a ballast is of no more use than free room.
  if (disk_.allocate(Lane::files, fd_, kBallastFile, bytes_) == 0) {
    size_ = bytes_;
  } else {
    (void)disk_.truncate(Lane::files, fd_, kBallastFile, size_);
  }
}

node::DiskSpace Ballast::measure() const {
  const FileSystemRoom room = file_system_room(directory_fd_);
  return {.free_bytes = std::min(room.free_bytes, growth()), .total_bytes = room.total_bytes, .full = false};
}

// By how much the largest of the growing files may still grow (ulimit -f).
uint64_t Ballast::growth() const {
  const uint64_t limit = file_size_limit();
  if (limit == UINT64_MAX) return UINT64_MAX;
  uint64_t largest = 0;
  struct stat info {};
  for (const char* file : {kDatabaseFile, kDatabaseWal})
    if (::fstatat(directory_fd_, file, &info, AT_SYMLINK_NOFOLLOW) == 0)
      largest = std::max(largest, static_cast<uint64_t>(info.st_size));
  return limit > largest ? limit - largest : 0;
}

FileSystemRoom file_system_room(int fd) {
  constexpr FileSystemRoom kUnknown{.free_bytes = UINT64_MAX, .total_bytes = 0};
  struct statvfs info {};
  if (::fstatvfs(fd, &info) != 0 || info.f_blocks == 0 || info.f_frsize == 0) return kUnknown;
  // Some file systems report so many blocks that their bytes overflow.
  const auto bytes = [&](uint64_t blocks) {
    return blocks > UINT64_MAX / info.f_frsize ? UINT64_MAX : blocks * info.f_frsize;
  };
  return {.free_bytes = bytes(info.f_bavail), .total_bytes = bytes(info.f_blocks)};
}

}  // namespace wh::storage
