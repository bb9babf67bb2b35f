// Snapshots at the node: taking one of its own in slices while requests go on, keeping the one that is being sent,
// storing one that the leader sends, and loading one beside the state in use, which it replaces in one step. Also the
// walk of the state for a backup.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "machine/snapshot/snapshot_loader.h"
#include "node/context.h"

namespace wh::node {

// The state of a backup, as of one entry.
struct BackupPoint {
  raft::Index index;
  raft::Term term;
  Millis time_ms = 0;  // the log's stamp
  ClusterVersion version = kFirstVersion;
};
enum class BackupSlice : uint8_t {
  more,  // `out` holds the next slice, which may be empty
  done,  // all was given
  lost,  // another state, from the leader, took the place of the one that was walked
};

class Snapshots {
 public:
  explicit Snapshots(Context& context) : ctx_(context) {}

  // --- taking one

  // The log begins behind this one.
  void begin_behind(const std::optional<raft::SnapshotMeta>& snapshot);
  // An entry was applied: of so many bytes, which count towards the next one.
  void applied(uint64_t bytes) { bytes_since_ += bytes; }
  // Once a turn: begins one when it is due, and writes the next slice.
  void maybe_take(Millis now);
  void write_slice();
  void slice_written();
  void saved(const raft::SnapshotMeta& meta, Millis now);
  void failed(const SnapshotFailed& failure, Millis now);
  // Another state takes the place of the one that is being written.
  void abandon();
  // The disk has room again: the next one need not wait.
  void try_again() { not_before_ = 0; }
  [[nodiscard]] bool taking() const { return taking_.has_value(); }

  // --- sending one

  void keep_sent(Millis now);
  void send_chunk(const raft::ChunkWanted& wanted);

  // --- receiving and loading one

  void chunk_written(const IncomingChunkWritten& written, Millis now);
  void chunk_read(SnapshotChunkRead& read, Millis now);
  void begin_loading(const raft::SnapshotMeta& meta, bool at_start);
  enum class Loaded : uint8_t {
    no,        // not yet, or none is being loaded
    at_start,  // the state is the snapshot's: the core can start
    received,  // the core was told: it installs it at once, or never
  };
  // Once a turn, a piece of it.
  Loaded load_more(Millis now);
  // The core has put the snapshot in the place of its log: from here on the state is the snapshot's.
  void install(const raft::InstallState& install);
  // What was received and not installed goes.
  void drop_loaded();

  // --- a backup, one at a time: as Node::begin_backup and those after it

  std::optional<BackupPoint> begin_backup();
  BackupSlice next_backup_slice(std::string& out);
  void end_backup();

 private:
  struct Taking {  // a snapshot of our own
    bool slice_in_flight = false;
    bool finishing = false;
    bool abandoned = false;    // its state was replaced meanwhile; SnapshotSaved is still to come
    raft::Index index_before;  // what counted towards the next one when it began
    uint64_t bytes_before = 0;
  };
  struct Loading {  // a snapshot being read into a fresh state, beside the one in use
    Loading(raft::SnapshotMeta of, bool now_at_start, ClusterVersion version)
        : meta(std::move(of)), loader(version), at_start(now_at_start) {}
    raft::SnapshotMeta meta;
    machine::SnapshotLoader loader;
    uint64_t offset = 0;
    uint64_t request = 0;  // of the read under way, or 0
    bool at_start = false;
    Bytes piece;  // what was read last, and how much of it was fed
    size_t fed = 0;
    bool last_piece = false;
  };
  [[nodiscard]] bool due(raft::Index applied) const;
  void give_up_loading(const std::string& why, Millis now);
  Loaded finish_loading(Millis now);

  Context& ctx_;
  std::optional<Taking> taking_;
  std::optional<Loading> loading_;
  std::optional<machine::State> loaded_state_;
  std::optional<raft::SnapshotMeta> loaded_meta_;
  raft::Index last_index_;  // of the last one, and what was applied since:
  uint64_t bytes_since_ = 0;
  Millis not_before_ = 0;  // there was no room for the last one
  Millis wait_ms_ = 0;
  std::map<uint64_t, raft::NodeId> chunk_requests_;  // read_snapshot requests for followers
  raft::Index kept_;                                 // that the storage was told to keep; 0: none
  bool backing_up_ = false;
};

}  // namespace wh::node
