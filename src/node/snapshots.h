// Owns the snapshots in progress: takes this node's own in slices while requests go on; keeps on the disk the one that
// is being sent; stores the one that the leader sends; and loads one beside the state in use, then replaces the state
// in one step. Also walks the state for a backup. Does not compact the log and does not decide what to send or install:
// the core does. Called by Node.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "machine/snapshot/snapshot_loader.h"
#include "node/context.h"

namespace wh::node {

// What a backup contains: the state as of one entry.
struct BackupPoint {
  raft::Index index;
  raft::Term term;
  Millis time_ms = 0;  // the log's stamp
  ClusterVersion version = kFirstVersion;
};
enum class BackupSlice : uint8_t {
  more,  // `out` holds the next slice, which may be empty
  done,  // everything was given
  lost,  // a state from the leader replaced the one that was being walked
};

class Snapshots {
 public:
  explicit Snapshots(Context& context) : ctx_(context) {}

  // --- taking one

  // The log begins after this snapshot.
  void begin_behind(const std::optional<raft::SnapshotMeta>& snapshot);
  // An entry of this size was applied; its bytes count towards the next snapshot.
  void applied(uint64_t bytes) { bytes_since_ += bytes; }
  // Once a turn: maybe_take begins a snapshot when one is due, write_slice writes its next slice.
  void maybe_take(Millis now);
  void write_slice(Millis now);
  void slice_written();
  void saved(const raft::SnapshotMeta& meta, Millis now);
  void failed(const SnapshotFailed& failure, Millis now);
  // Another state replaces the one that is being written.
  void abandon();
  // The disk has room again: the next snapshot need not wait.
  void try_again() { not_before_ = 0; }
  [[nodiscard]] bool taking() const { return taking_.has_value(); }
  // When the next slice is to be made.
  [[nodiscard]] Millis next_deadline() const { return slice_due_; }

  // --- sending one

  void keep_sent(Millis now);
  void send_chunk(const raft::ChunkWanted& wanted);

  // --- receiving and loading one

  void chunk_written(const IncomingChunkWritten& written, Millis now);
  void chunk_read(SnapshotChunkRead& read, Millis now);
  void begin_loading(const raft::SnapshotMeta& meta, bool at_start);
  enum class Loaded : uint8_t {
    no,        // not loaded yet, or nothing to load
    at_start,  // the state is now the snapshot's: the core can start
    received,  // the core was told: it installs the snapshot at once, or never
  };
  // Once a turn: loads one piece.
  Loaded load_more(Millis now);
  // The core replaced its log with the snapshot: from now on the state is the snapshot's.
  void install(const raft::InstallState& install);
  // Drops a received snapshot that was not installed.
  void drop_loaded();

  // --- a backup, one at a time: as the functions of Node with these names

  std::optional<BackupPoint> begin_backup();
  BackupSlice next_backup_slice(std::string& out);
  void end_backup();

 private:
  struct Taking {  // a snapshot of this node's own state
    bool slice_in_flight = false;
    bool finishing = false;
    bool abandoned = false;    // its state was replaced meanwhile; SnapshotSaved has not come yet
    raft::Index index_before;  // last_index_ and bytes_since_ when this snapshot began
    uint64_t bytes_before = 0;
    Millis slice_at = 0;  // when the last slice was made
    uint64_t served = 0;  // what had been applied and read by then
    uint64_t bytes = 0;   // of all slices
  };
  struct Loading {  // a snapshot being read into a fresh state, beside the one in use
    Loading(raft::SnapshotMeta of, bool now_at_start, ClusterVersion version)
        : meta(std::move(of)), loader(version), at_start(now_at_start) {}
    raft::SnapshotMeta meta;
    machine::SnapshotLoader loader;
    uint64_t offset = 0;
    uint64_t request = 0;  // of the read in progress, or 0
    bool at_start = false;
    Bytes piece;  // the last piece read, and how many of its bytes were fed to the loader
    size_t fed = 0;
    bool last_piece = false;
  };
  [[nodiscard]] bool due(raft::Index applied) const;
  [[nodiscard]] bool falls_behind() const;
  void give_up_loading(const std::string& why, Millis now);
  Loaded finish_loading(Millis now);

  Context& ctx_;
  std::optional<Taking> taking_;
  Millis slice_due_ = kNever;
  std::optional<Loading> loading_;
  std::optional<machine::State> loaded_state_;
  std::optional<raft::SnapshotMeta> loaded_meta_;
  raft::Index last_index_;  // index of the last snapshot, and the bytes applied since then:
  uint64_t bytes_since_ = 0;
  Millis not_before_ = 0;  // no snapshot before this time, as the last one found no room
  Millis wait_ms_ = 0;
  std::map<uint64_t, raft::NodeId> chunk_requests_;  // read_snapshot requests for followers
  raft::Index kept_;                                 // the snapshot that the storage was told to keep; 0: none
  bool backing_up_ = false;
};

}  // namespace wh::node
