#include "storage/directory.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/mutant.h"
#include "storage/disk.h"
#include "storage/format.h"

namespace wh::storage {
namespace {

// The process id that the lock's holder wrote, or a placeholder if it has not written one.
std::string holder(int lock) {
  char text[24] = {};
  const ssize_t n = ::pread(lock, text, sizeof text - 1, 0);
  const std::string pid(text, n > 0 ? static_cast<size_t>(n) : 0);
  const size_t digits = std::min(pid.find_first_not_of("0123456789"), pid.size());
  return digits == 0 ? "another process" : "process " + pid.substr(0, digits);
}

// Not a POSIX lock: closing any descriptor of the file would release it (HAZARDS C12).
int take_once(int lock) {
  if (WH_MUTANT(lock_not_taken)) return 0;
  struct flock whole {};
  whole.l_type = F_WRLCK;
  return WH_MUTANT(posix_lock) ? ::fcntl(lock, F_SETLK, &whole) : ::flock(lock, LOCK_EX | LOCK_NB);
}

// in_use() may hold the lock for a moment.
int take(int lock) {
  for (int tries = 5;; --tries) {
    const int result = take_once(lock);
    if (result == 0 || errno != EWOULDBLOCK || tries == 0) return result;
    ::usleep(5'000);
  }
}

bool in_group(gid_t gid) {
  if (gid == ::getegid()) return true;
  std::vector<gid_t> groups(static_cast<size_t>(std::max(0, ::getgroups(0, nullptr))));
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<size_t>(std::max(0, count)));
  return std::find(groups.begin(), groups.end(), gid) != groups.end();
}

// A volume as container platforms mount it: owned by root, and by a group that the process was given (fsGroup).
bool is_group_volume(const struct stat& info) {
  constexpr mode_t kGroup = S_IWGRP | S_IXGRP;
  return info.st_uid == 0 && (info.st_mode & kGroup) == kGroup && (info.st_mode & S_IWOTH) == 0 &&
         in_group(info.st_gid);
}

// This process could not read another user's files, and that user's server could not open this process's. Files count
// as well as the directory: root may do anything in a group's volume, and leave files owned by root.
Status check_owner(const std::string& path, int fd, const struct stat& info) {
  const uid_t self = ::geteuid();
  uid_t other = self;
  std::string what = path;
  for (const char* file : {kDatabaseFile, kLockFile}) {
    struct stat found {};
    if (::fstatat(fd, file, &found, AT_SYMLINK_NOFOLLOW) != 0 || found.st_uid == self) continue;
    other = found.st_uid;
    what = path + "/" + file;
  }
  if (info.st_uid != self && !is_group_volume(info)) {
    other = info.st_uid;
    what = path;
  }
  if (other == self) return ok_status();
  std::string why =
      what + " belongs to user " + std::to_string(other) + ", but this process runs as user " + std::to_string(self);
  if (self == 0)
    return Error{why +
                 ": what root writes here, that user could not open; run the same command as that user (sudo -u '#" +
                 std::to_string(other) + "' ...)"};
  if (what == path && ::faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
    return Error{why + ": name a subdirectory of it, which is made then (dir " + path +
                 "/data), or give it to this user"};
  return Error{why + ": run it as that user, or give this one all that is there (chown -R " + std::to_string(self) +
               " " + path + ")"};
}

}  // namespace

Result<Directory> Directory::open(const std::string& path) {
  const mode_t mode = WH_MUTANT(directory_open_to_all) ? 0755 : 0700;
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    // Parents are not created: below an unmounted file system, that would make a new, empty node.
    if (errno == ENOENT)
      return Error{disk_error("make directory", path, errno) +
                   ": the directory it is to be in is not there either; is its file system mounted? (directive dir)"};
    return Error{disk_error("make directory", path, errno)};
  }
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) return Error{disk_error("open directory", path, errno)};
  std::string real = resolved;
  const int fd = ::open(real.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return Error{disk_error("open directory", real, errno)};
  Directory directory(std::move(real), fd, -1);
  struct stat info {};
  if (::fstat(fd, &info) != 0) return Error{disk_error("open directory", directory.path_, errno)};
  if (Status owned = check_owner(directory.path_, fd, info); !owned) return Error{owned.error()};
  const std::string lock_path = directory.path_ + "/" + kLockFile;
  directory.lock_ = ::openat(fd, kLockFile, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (directory.lock_ < 0) return Error{disk_error("open", lock_path, errno)};
  if (take(directory.lock_) != 0) {
    if (errno != EWOULDBLOCK) return Error{disk_error("lock", lock_path, errno)};
    return Error{directory.path_ + " is in use by " + holder(directory.lock_)};
  }
  // Overwriting takes no room; without room, the holder's name is missing.
  std::string pid = std::to_string(::getpid()) + "\n";
  pid.resize(16, ' ');
  const ssize_t written = ::pwrite(directory.lock_, pid.data(), pid.size(), 0);
  if (written != static_cast<ssize_t>(pid.size()) && !(written < 0 && is_no_room(errno)))
    return Error{disk_error("write", lock_path, errno)};
  return directory;
}

Directory::Directory(Directory&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), lock_(std::exchange(other.lock_, -1)) {}

Directory::~Directory() {
  if (lock_ >= 0) ::close(lock_);
  if (fd_ >= 0) ::close(fd_);
}

Status Directory::check_restored() const {
  if (::faccessat(fd_, kRestoreMarker, F_OK, AT_SYMLINK_NOFOLLOW) != 0) return ok_status();
  return Error{path_ + " holds a restore that was cut off (" + kRestoreMarker +
               "): empty the directory and restore again"};
}

Result<std::vector<std::string>> Directory::files() const {
  const int copy = ::openat(fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = copy < 0 ? nullptr : ::fdopendir(copy);
  if (stream == nullptr) {
    const int error = errno;
    if (copy >= 0) ::close(copy);
    return Error{disk_error("list", path_, error)};
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream)) names.emplace_back(entry->d_name);
  ::closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<bool> in_use(const std::string& path) {
  const int lock = ::open((path + "/" + kLockFile).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (lock < 0) return std::nullopt;
  const bool free = ::flock(lock, LOCK_SH | LOCK_NB) == 0;
  const bool held = !free && errno == EWOULDBLOCK;
  ::close(lock);
  return free || held ? std::optional(held) : std::nullopt;
}

}  // namespace wh::storage
