// The snapshot that a leader is sending: what there is of it, in snapshot-incoming.wh.tmp, and in
// snapshot-incoming.meta which one it is, so that a restart does not lose what was received. Chunks of one snapshot
// only ever follow each other; all of it is checked against the announced size and checksum before it gets a snapshot's
// name. What a crash left is trusted no further: a part that is not what was received shows when the whole is checked,
// and begins anew. Used by the files lane only, and by the opening before it runs.
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

  // What an earlier process life left and can be gone on with; nothing when it is not newer than the recorded one.
  Result<std::optional<raft::PartOfSnapshot>> recover(const std::optional<raft::SnapshotMeta>& recorded);

  struct Stored {
    uint64_t next_offset = 0;
    bool ok = false;  // false: thrown away, as it did not verify, did not follow what was there, or found no room
    bool no_room = false;
    bool exhausted = false;  // with no_room: of descriptors or memory
    std::string file = {};   // when it is whole: its name from now on
  };
  // Offset 0 throws away what was begun before.
  Result<Stored> store(const raft::SnapshotMeta& meta, uint64_t offset, std::string_view data, bool done);
  Status discard();
  // A snapshot at this index is recorded: an older one is not wanted any more.
  Status discard_up_to(raft::Index index);

  [[nodiscard]] bool open() const { return writer_.open(); }
  [[nodiscard]] static bool owns(std::string_view file);

 private:
  Status begin(const raft::SnapshotMeta& meta);
  // What a failure comes to: without room the part goes, and not the node (HAZARDS F10).
  Result<Stored> gave_up(const std::string& error);
  Status remove_meta();
  [[nodiscard]] std::optional<raft::SnapshotMeta> read_meta() const;

  Disk& disk_;
  std::string directory_;
  int directory_fd_;
  SnapshotWriter writer_;
  raft::SnapshotMeta meta_;  // as announced, while open()
  bool no_room_ = false;     // the last failure was for that
  bool exhausted_ = false;
};

}  // namespace wh::storage
