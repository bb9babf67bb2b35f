// The data directory itself: created, checked and locked before anything in it is read, so that a second process gets
// no further (HAZARDS C11, C14). The lock ends with the process, however it ends.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace wh::storage {

class Directory {
 public:
  // Creates `path` if it is missing (its parent must exist). It must belong to this user, or be a volume of root's that
  // one of this process's groups may write to. The error names the process that holds it, or says which user may use it
  // and how.
  static Result<Directory> open(const std::string& path);
  Directory(Directory&& other) noexcept;
  Directory& operator=(Directory&&) = delete;
  ~Directory();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const std::string& path() const { return path_; }  // absolute, without links
  [[nodiscard]] Result<std::vector<std::string>> files() const;    // names, sorted
  // An error when a restore into this directory was interrupted.
  [[nodiscard]] Status check_restored() const;

 private:
  Directory(std::string path, int fd, int lock) : path_(std::move(path)), fd_(fd), lock_(lock) {}
  std::string path_;
  int fd_;
  int lock_;
};

// Whether a process holds that directory, without locking it; nothing when that is unknown: it is no data directory, or
// may not be read.
std::optional<bool> in_use(const std::string& path);

}  // namespace wh::storage
