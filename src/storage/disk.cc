#include "storage/disk.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>

namespace wh::storage {
namespace {

int errno_of(int result) { return result == 0 ? 0 : errno; }

}  // namespace

int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Millis steady_ms() { return static_cast<Millis>(steady_ns() / 1'000'000); }

Disk::Watch::Watch(std::atomic<int64_t>& since) : since_(since) {
  since_.store(steady_ns(), std::memory_order_relaxed);
}

int Disk::open(Lane lane, int directory, const std::string& file, int flags, int& descriptor) {
  if (const int injected = before_open(file); injected != 0) return injected;
  return watch(lane, [&] {
    descriptor = ::openat(directory, file.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    return descriptor < 0 ? errno : 0;
  });
}

int Disk::write(Lane lane, int fd, std::string_view file, uint64_t offset, std::string_view data) {
  const DiskEvent event{.kind = DiskEvent::Kind::write, .file = file, .offset = offset, .data = data};
  return run(lane, event, [&] {
    std::string_view left = data;
    uint64_t at = offset;
    while (!left.empty()) {
      const ssize_t n = ::pwrite(fd, left.data(), left.size(), static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno;
      if (n == 0) return EIO;
      left.remove_prefix(static_cast<size_t>(n));
      at += static_cast<uint64_t>(n);
    }
    return 0;
  });
}

void Disk::begin_write_out(Lane lane, int fd) {
  watch(lane, [&] { return errno_of(::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE)); });
}

int Disk::write_out(Lane lane, int fd, std::string_view file) {
  return run(lane, {.kind = DiskEvent::Kind::write_out, .file = file}, [&] {
    constexpr unsigned kWhole = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    return errno_of(::sync_file_range(fd, 0, 0, kWhole));
  });
}

int Disk::sync(Lane lane, int fd, std::string_view file) {
  return run(lane, {.kind = DiskEvent::Kind::sync, .file = file}, [&] { return errno_of(::fdatasync(fd)); });
}

int Disk::truncate(Lane lane, int fd, std::string_view file, uint64_t size) {
  return run(lane, {.kind = DiskEvent::Kind::truncate, .file = file, .offset = size},
             [&] { return errno_of(::ftruncate(fd, static_cast<off_t>(size))); });
}

int Disk::allocate(Lane lane, int fd, std::string_view file, uint64_t size) {
  return run(lane, {.kind = DiskEvent::Kind::allocate, .file = file, .offset = size},
             [&] { return ::posix_fallocate(fd, 0, static_cast<off_t>(size)); });
}

int Disk::rename(Lane lane, int directory, const std::string& from, const std::string& to) {
  return run(lane, {.kind = DiskEvent::Kind::rename, .file = from, .to = to},
             [&] { return errno_of(::renameat(directory, from.c_str(), directory, to.c_str())); });
}

int Disk::remove(Lane lane, int directory, const std::string& file) {
  return run(lane, {.kind = DiskEvent::Kind::remove, .file = file}, [&] {
    const int error = errno_of(::unlinkat(directory, file.c_str(), 0));
    return error == ENOENT ? 0 : error;
  });
}

int Disk::sync_directory(Lane lane, int directory) {
  return run(lane, {.kind = DiskEvent::Kind::sync_directory}, [&] { return errno_of(::fsync(directory)); });
}

Millis Disk::busy_ms() const {
  int64_t longest = 0;
  for (const auto& since : since_) {
    const int64_t started = since.load(std::memory_order_relaxed);
    if (started != 0) longest = std::max(longest, steady_ns() - started);
  }
  return static_cast<Millis>(longest / 1'000'000);
}

bool is_no_room(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

std::string no_room_hint(const std::string& path, int error) {
  if (error == EFBIG) {
    const uint64_t limit = file_size_limit();
    return limit == UINT64_MAX ? " (the file system takes no larger one)"
                               : " (a file of this process may have " + std::to_string(limit) + " bytes: ulimit -f)";
  }
  if (error != ENOSPC) return {};
  struct statvfs info {};
  const std::string parent = path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  if (::statvfs(path.c_str(), &info) != 0 && ::statvfs(parent.c_str(), &info) != 0) return {};
  // A file system without counted inodes reports 0 for both.
  return info.f_files != 0 && info.f_favail == 0 ? " (no inodes are free: df -i)" : "";
}

uint64_t file_size_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

bool is_exhausted(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM; }

std::string disk_error(std::string_view what, const std::string& path, int error) {
  return "cannot " + std::string(what) + " " + path + ": " + std::generic_category().message(error) +
         no_room_hint(path, error);
}

}  // namespace wh::storage
