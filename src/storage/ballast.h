// A file that only takes up room, to be given up when the disk is full, so that necessary writes still succeed:
// deletes, compaction, a term, the first write of a restart. It is given up piece by piece; the last piece is kept for
// the next start. Its contents mean nothing: it may be damaged or deleted without harm. This file also wraps statvfs.
//
// Used by the files lane, and before the loop runs.
#pragma once

#include <cstdint>
#include <string>

#include "node/ports.h"
#include "storage/disk.h"

namespace wh::storage {

inline constexpr const char* kBallastFile = "ballast";

// The room that a file system has for this process, in bytes. UINT64_MAX of 0 when it does not tell, or counts no
// blocks: unknown room counts as enough, as a write will tell.
struct FileSystemRoom {
  uint64_t free_bytes;
  uint64_t total_bytes;
};
FileSystemRoom file_system_room(int fd);

class Ballast {
 public:
  // `bytes`: the whole ballast's size; 0: no ballast. The descriptor must outlive it.
  Ballast(Disk& disk, int directory_fd, uint64_t bytes);
  ~Ballast();
  Ballast(const Ballast&) = delete;
  Ballast& operator=(const Ballast&) = delete;

  // Opens the file and reads its size. Never fails: without the file the node has less to give up.
  void open();
  [[nodiscard]] bool whole() const { return size_ >= bytes_; }
  // Gives up a piece, but not the last one; false when there was nothing to give up.
  bool give_way();
  // Gives up the whole ballast; false when there was none.
  bool give_up();
  // Restores the whole ballast, unless it is whole or too little room is free.
  void restore();
  // The room of the directory's file system, or by how much files may grow (ulimit -f) if that is less. `full` stays
  // false.
  [[nodiscard]] node::DiskSpace measure() const;

 private:
  bool cut_to(uint64_t size);
  [[nodiscard]] uint64_t growth() const;

  Disk& disk_;
  int directory_fd_;
  uint64_t bytes_;
  uint64_t size_ = 0;
  int fd_ = -1;
};

}  // namespace wh::storage
