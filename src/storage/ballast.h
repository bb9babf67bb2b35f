// A file that only takes up room, to be given up when the disk is full: so that what must be written then still can be,
// such as deletes, compaction, a term, the first write of a restart. It gives way piece by piece; the last piece is
// kept for the opening. What is in it means nothing: it may be damaged or deleted without harm. And statvfs, beside it.
//
// Used by the files lane, and before the loop runs.
#pragma once

#include <cstdint>
#include <string>

#include "node/ports.h"
#include "storage/disk.h"

namespace wh::storage {

inline constexpr const char* kBallastFile = "ballast";

// What a file system has left for this process, in bytes. One that does not tell, or that counts no blocks, has
// UINT64_MAX of 0: not known is room enough, as a write will tell.
struct FileSystemRoom {
  uint64_t free_bytes;
  uint64_t total_bytes;
};
FileSystemRoom file_system_room(int fd);

class Ballast {
 public:
  // `bytes`: how large it is when whole; 0: there is none. The descriptor must outlive it.
  Ballast(Disk& disk, int directory_fd, uint64_t bytes);
  ~Ballast();
  Ballast(const Ballast&) = delete;
  Ballast& operator=(const Ballast&) = delete;

  // Looks what is there. Never fails: without it the node has less to give.
  void open();
  [[nodiscard]] bool whole() const { return size_ >= bytes_; }
  // Gives up a piece, but not the last one; false when there was nothing to give.
  bool give_way();
  // Gives up all of it; false when there was nothing.
  bool give_up();
  // Makes it whole again when that leaves room enough. Does nothing when it is whole, or too little is free.
  void restore();
  // Of the file system that holds the directory; where files may grow by less (ulimit -f), that. `full` is left false.
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
