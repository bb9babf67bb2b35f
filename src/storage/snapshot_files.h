// Snapshots as files: snapshot-INDEX-TERM.wh (-N before the suffix when that name is taken). Written under a temporary
// name, synced, renamed, directory synced; only then may the database record one (HAZARDS C15, C16, F5). Knows nothing
// of the database. Used by the files lane only.
//
// The file: magic "WHSNAP01", header length u32, header (the snapshot's meta without size, crc and chain), crc32c of
// all that u32; the state; size of the state u64, its crc32c u32, crc32c of these two u32. Little-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "raft/messages.h"
#include "storage/disk.h"

namespace wh::storage {

// Whether a name is one that this file gives to a finished, or to an unfinished snapshot.
bool is_snapshot_name(std::string_view file);
bool is_snapshot_leftover(std::string_view file);

// One being written.
class SnapshotWriter {
 public:
  SnapshotWriter(Disk& disk, std::string directory, int directory_fd, std::string temporary)
      : disk_(disk), directory_(std::move(directory)), directory_fd_(directory_fd), temporary_(std::move(temporary)) {}
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  Status begin(const raft::SnapshotMeta& meta);  // throws away what was begun before
  // Goes on with what an earlier process life left of the snapshot with this meta, all but the last byte at most, so
  // that something is still to come that completes it. False: there is nothing that could be it.
  Result<bool> reopen(const raft::SnapshotMeta& meta);
  Status write(std::string_view state);
  // Synced and renamed; meta().size and crc are those of what was written. Returns the name.
  Result<std::string> finish();
  Status discard();
  // Whether the last call that failed did so for want of room, or of descriptors: then discard() it.
  [[nodiscard]] bool no_room() const { return no_room_; }
  // With no_room(): it was for want of descriptors or memory.
  [[nodiscard]] bool exhausted() const { return exhausted_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }
  [[nodiscard]] const raft::SnapshotMeta& meta() const { return meta_; }
  [[nodiscard]] uint64_t size() const { return meta_.size; }

 private:
  [[nodiscard]] std::string path() const { return directory_ + "/" + temporary_; }
  Status put(std::string_view bytes);

  Disk& disk_;
  std::string directory_;
  int directory_fd_;
  std::string temporary_;
  int fd_ = -1;
  bool no_room_ = false;
  bool exhausted_ = false;
  uint64_t at_ = 0;
  uint64_t synced_ = 0;
  raft::SnapshotMeta meta_;
};

// Part of a snapshot's state. Empty: the file is not there any more.
struct SnapshotPart {
  std::string data;
  bool done;
  bool exhausted = false;  // nothing was read for want of descriptors: later
};
Result<std::optional<SnapshotPart>> read_snapshot_part(Disk& disk, const std::string& directory, int directory_fd,
                                                       const std::string& file, const raft::SnapshotMeta& meta,
                                                       uint64_t offset, uint64_t max_bytes);

// Reads a whole file and compares it with its record. The error says what is wrong with it, beginning with its name.
// Nothing: it could not be looked at, which says nothing of the file.
std::optional<Status> verify_snapshot(Disk& disk, int directory_fd, const std::string& file,
                                      const raft::SnapshotMeta& meta);

}  // namespace wh::storage
