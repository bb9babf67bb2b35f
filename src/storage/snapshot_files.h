// Snapshots as files: snapshot-INDEX-TERM.wh (-N before the suffix when that name is taken). Each is written under a
// temporary name, synced, renamed, and the directory synced; only then may the database record it (HAZARDS C15, C16,
// F5). Knows nothing of the database. Used by the files lane only.
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

// Whether a name is that of a finished, or of an unfinished snapshot of this file's making.
bool is_snapshot_name(std::string_view file);
bool is_snapshot_leftover(std::string_view file);

// A snapshot being written.
class SnapshotWriter {
 public:
  SnapshotWriter(Disk& disk, std::string directory, int directory_fd, std::string temporary)
      : disk_(disk), directory_(std::move(directory)), directory_fd_(directory_fd), temporary_(std::move(temporary)) {}
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  Status begin(const raft::SnapshotMeta& meta);  // discards what was begun before
  // Continues what an earlier process life left of the snapshot with this meta, without its last byte at most, so that
  // something is still to come that completes it. False: no file fits.
  Result<bool> reopen(const raft::SnapshotMeta& meta);
  Status write(std::string_view state);
  // Syncs and renames; meta() then has the written size and crc. Returns the name.
  Result<std::string> finish();
  Status discard();
  // Whether the last failed call failed for lack of room or of descriptors: then discard() the file.
  [[nodiscard]] bool no_room() const { return no_room_; }
  // With no_room(): descriptors or memory were lacking.
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
  uint64_t written_out_ = 0;
  raft::SnapshotMeta meta_;
};

// Part of a snapshot's state. Empty: the file no longer exists.
struct SnapshotPart {
  std::string data;
  bool done;
  bool exhausted = false;  // nothing was read for lack of descriptors: try later
};
Result<std::optional<SnapshotPart>> read_snapshot_part(Disk& disk, const std::string& directory, int directory_fd,
                                                       const std::string& file, const raft::SnapshotMeta& meta,
                                                       uint64_t offset, uint64_t max_bytes);

// Reads a whole file and compares it with its record. The error begins with the file's name and says what is wrong with
// it. Nothing: the file could not be read, which proves nothing.
std::optional<Status> verify_snapshot(Disk& disk, int directory_fd, const std::string& file,
                                      const raft::SnapshotMeta& meta);

}  // namespace wh::storage
