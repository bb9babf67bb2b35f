// The snapshot that a leader is sending: its received part in snapshot-incoming.wh.tmp, and its meta in
// snapshot-incoming.meta, so that a restart keeps the received part. A snapshot's chunks only ever follow each other;
// the whole is checked against the announced size and checksum before it gets a snapshot's name. After a crash the part
// is not trusted: if it differs from what was received, the check of the whole fails, and the transfer begins anew.
// Used by the files lane only, and by the opening before it runs.
//
// The second file: the meta (format.h) in full, crc32c of it u32.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "raft/raft.h"
#include "storage/snapshot_files.h"

namespace wh::storage {

class IncomingSnapshot {
 public:
  IncomingSnapshot(Disk& disk, std::string directory, int directory_fd);

  // An earlier process life's part that can be resumed; nothing when it is not newer than the recorded snapshot.
  Result<std::optional<raft::PartOfSnapshot>> recover(const std::optional<raft::SnapshotMeta>& recorded);

  struct Stored {
    uint64_t next_offset = 0;
    bool ok = false;  // false: discarded, as it failed verification, did not follow the part, or found no room
    bool no_room = false;
    bool exhausted = false;  // with no_room: descriptors or memory were lacking
    std::string file = {};   // when complete: its final name
  };
  // Offset 0 discards what was begun before.
  Result<Stored> store(const raft::SnapshotMeta& meta, uint64_t offset, std::string_view data, bool done);
  Status discard();
  // A snapshot at this index is recorded: discards an older one.
  Status discard_up_to(raft::Index index);

  [[nodiscard]] bool open() const { return writer_.open(); }
  [[nodiscard]] static bool owns(std::string_view file);

 private:
  Status begin(const raft::SnapshotMeta& meta);
  // The result of a failure: without room only the part is lost, and the node goes on (HAZARDS F10).
  Result<Stored> gave_up(const std::string& error);
  Status remove_meta();
  [[nodiscard]] std::optional<raft::SnapshotMeta> read_meta() const;

  Disk& disk_;
  std::string directory_;
  int directory_fd_;
  SnapshotWriter writer_;
  raft::SnapshotMeta meta_;  // as announced, while open()
  bool no_room_ = false;     // whether the last failure was for lack of room
  bool exhausted_ = false;
};

}  // namespace wh::storage
