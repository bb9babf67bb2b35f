// A thin layer over SQLite's own file system: the same files, but every write, sync, truncation and removal passes
// through a Disk. It offers no shared memory and no mmap, so SQLite can open a WAL database in exclusive mode only
// (HAZARDS chapter 5.1, pragmas; C18, mapped files). Called by database.cc only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "storage/disk.h"

struct sqlite3_vfs;

namespace wh::storage {

class Vfs {
 public:
  // Registered under a unique name until destroyed, which must be after its connection was closed.
  explicit Vfs(Disk& disk);
  ~Vfs();
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;
  [[nodiscard]] const char* name() const { return name_.c_str(); }
  [[nodiscard]] Disk& disk() const { return disk_; }
  // Whether writes that follow each other may wait for the next sync, to be made by one call. Where commits are not
  // synced they may not: a commit must outlive its process.
  [[nodiscard]] bool gathers() const { return gathers_; }
  void set_gathers(bool gathers) { gathers_ = gathers; }
  // Called before each sync, which fails with the errno that it returns, if not 0.
  void set_before_sync(std::function<int()> function) { before_sync_ = std::move(function); }
  [[nodiscard]] int before_sync() const { return before_sync_ ? before_sync_() : 0; }
  // The errno of the last failed call, for the message.
  [[nodiscard]] int last_error() const { return last_error_; }
  void note_error(int error) { last_error_ = error; }

 private:
  Disk& disk_;
  std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  bool gathers_ = true;
  std::function<int()> before_sync_;
  int last_error_ = 0;
};

}  // namespace wh::storage
