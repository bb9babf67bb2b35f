// The SQLite database and the witness beside it: the log, term and vote, the cluster's identity, the snapshot record.
// One connection in exclusive mode, WAL, one transaction and one sync per group of writes (HAZARDS chapter 5, pragmas;
// C1, no acknowledgement before the sync). Blocking: every method runs as a job of the database lane, or before the
// loop starts. Called by sqlite_storage.cc, and without a loop by survivor.cc and backup/restore.cc.
//
// A method that fails returns a sentence and leaves the database unusable: the process stops with that sentence, and
// the restart reads and verifies again (HAZARDS C6). Nothing is ever retried, except for lack of room: then no_room()
// is true, everything is as before the call, and the call may be repeated (HAZARDS C7).
//
// database.cc: connection, transactions, compaction, checkpoints; recovery.cc: creation, and what is verified at start;
// log_pages.cc: the log as pages.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "node/ports.h"
#include "storage/format.h"
#include "storage/log_pages.h"
#include "storage/statement.h"
#include "storage/vfs.h"
#include "storage/witness.h"

namespace wh::storage {

// When entries are synced. Term, vote, configurations, beginnings and grants are always synced before they are
// reported.
enum class AppendFsync : uint8_t {
  always,    // before they are reported
  everysec,  // when SqliteStorage::sync_soon is called, each second
  no,        // when the operating system or another sync writes them
};

// The file that holds a recorded snapshot.
struct SnapshotFile {
  raft::SnapshotMeta meta;
  std::string file;
};

// The kinds of writes in a group; applied in order, in one transaction.
struct BatchWrite {
  node::Batch batch;
  std::string install_file;  // of batch.install
};
struct RecordSnapshot {
  SnapshotFile snapshot;  // its chain is filled in
  bool recorded = false;  // after the write; false: a newer snapshot is recorded, or another log has begun
};
// The log becomes that of another cluster, from this configuration on.
struct TakeOver {
  node::ClusterId cluster;
  raft::Entry configuration;  // the next entry, in a term above all others
};
using Write = std::variant<BatchWrite, node::NewBeginning, node::FoundingGrant, RecordSnapshot, TakeOver>;

class Database {
 public:
  struct Settings {
    AppendFsync fsync = AppendFsync::always;
    std::string name;                         // node-id; empty: the disk's
    raft::NodeId instance;                    // for a new directory
    uint64_t tail_bytes = 0;                  // how much of the log's end the start returns
    std::string default_name = {};            // used when `name` is empty and the disk has no name yet
    ClusterVersion version = kLatestVersion;  // the highest cluster version that this node supports and opens
    Millis witness_lag_ms = kWitnessLagMs;    // witness.h
  };

  Database(Disk& disk, std::string directory, Settings settings);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Opens or creates, and verifies everything, including the recorded snapshot's file. Never changes an existing
  // database; changes are allowed only after begin_use(), which increments the epoch. `directory_fd` is used during the
  // call only.
  Result<node::RecoveredNode> examine(int directory_fd);
  Status begin_use();
  // examine() and begin_use().
  Result<node::RecoveredNode> open(int directory_fd);
  [[nodiscard]] const std::optional<SnapshotFile>& snapshot() const { return snapshot_; }
  [[nodiscard]] raft::NodeId instance() const { return meta_.instance; }

  // Whether the last failed call failed for lack of room only.
  [[nodiscard]] bool no_room() const { return no_room_; }

  Status write(std::vector<Write>& writes);
  // Syncs commits made without a sync.
  Status sync();
  // Makes the witness claim the last commit.
  Status settle();
  [[nodiscard]] bool unsettled() const { return witness_behind_; }

  // Entries first..last up to max_bytes, at least one; none when the first does not exist or no longer does.
  Result<std::vector<raft::Entry>> read(raft::Index first, raft::Index last, uint64_t max_bytes);

  // Removes one slice of the rows up to `target` (not above the recorded snapshot); true while more are left.
  Result<bool> compact(raft::Index target);
  // Returns a slice of the file's free pages to the file system, but keeps `keep` bytes of them; true while there are
  // more.
  Result<bool> shrink(uint64_t keep);
  // Moves the WAL's pages into the database file. The WAL is then reused from its start, not truncated: syncing
  // overwritten blocks takes half the time of syncing a growing file.
  Status checkpoint();
  [[nodiscard]] uint64_t wal_bytes() const { return wal_pages_ * page_size_; }

 private:
  struct Row {
    raft::Entry entry;
    uint64_t chain = 0;
  };

  // recovery.cc
  Status open_connection();
  Status set_pragma(const std::string& name, const std::string& value, const std::string& read_back);
  Result<std::string> query_text(const std::string& sql);
  Status check_format(bool& is_new);
  Status create();
  Status read_meta();
  Status read_snapshot_row();
  Status check_structure();
  Status scan(node::RecoveredNode& out, const std::optional<Claim>& claim);
  Status scan_rows(const std::function<Status(Row&)>& take);
  Status scan_pages(const std::function<Status(Row&)>& take);
  Status check_claim(const Claim& claim, std::optional<uint64_t> chain_at_claim);
  Status prepare_statements();

  // database.cc
  // The fields that a transaction changes, to be restored when it finds no room.
  struct Kept {
    Meta meta;
    std::optional<SnapshotFile> snapshot;
    raft::Index last_index;
    raft::Term last_term;
    uint64_t last_chain;
    ClusterVersion format;
    Claim claim;
    bool unsynced;
  };
  [[nodiscard]] Kept kept() const;
  // Ends a failed transaction. Returns `status`, or a worse error.
  Status undo(Kept before, Status status);
  template <typename Work>
  Status undoing(Work work) {
    no_room_ = false;
    Kept before = kept();
    Status status = work();
    return status ? status : undo(std::move(before), std::move(status));
  }
  Status write_witness(const Claim& claim, Witness::Durability durability);
  Status apply(BatchWrite& write);
  Status apply(node::NewBeginning& write);
  Status apply(node::FoundingGrant& write);
  Status apply(RecordSnapshot& write);
  Status apply(TakeOver& write);
  Status install(const raft::InstallState& install, const std::string& file);
  Status append(const std::vector<raft::Entry>& entries);
  Status insert(const raft::Entry& entry);
  Status truncate(raft::Index first, uint64_t chain);
  Status refresh_pages();
  Status raise_format(ClusterVersion version);
  Status set_format(ClusterVersion version);
  Status store_snapshot(const SnapshotFile& snapshot);
  Status store_meta();
  Status lower_claim(raft::Index first);
  Status begin();
  Status commit(bool synced);
  Status set_synchronous(bool full);
  // Verifies the row's checksum, types and ranges, but not the chain.
  Status take_row(Statement& statement, Row& row);
  Status find_row(raft::Index index, Row& row);  // the row must exist
  // Term and chain at an index from base_index to last_index.
  struct Mark {
    raft::Term term;
    uint64_t chain = 0;
  };
  Result<Mark> mark_at(raft::Index index);
  Result<std::vector<raft::Entry>> read_pages(raft::Index first, raft::Index last, uint64_t max_bytes);
  Result<raft::Index> end_of_slice(raft::Index target);
  Result<uint64_t> free_pages();
  [[nodiscard]] Claim current_claim() const;
  [[nodiscard]] Error sql_error(std::string_view what);
  [[nodiscard]] Error damaged(std::string_view what) const { return Error{damage(directory_, what)}; }
  [[nodiscard]] Error damaged_row(raft::Index index, std::string_view what) const;

  Disk& disk_;
  std::string directory_;
  Settings settings_;
  Vfs vfs_;
  Witness witness_;
  sqlite3* db_ = nullptr;
  bool failed_ = true;  // until opened, and after the first failure
  bool no_room_ = false;
  bool written_ = false;  // by a write() that found no room for the witness afterwards
  uint64_t page_size_ = 4096;
  uint64_t wal_pages_ = 0;

  Meta meta_;
  bool meta_changed_ = false;
  ClusterVersion format_ = kFirstVersion;
  std::optional<SnapshotFile> snapshot_;
  raft::Index last_index_;
  raft::Term last_term_;
  uint64_t last_chain_ = 0;
  LogPages pages_;
  bool pages_stale_ = false;  // a transaction was undone

  int64_t changes_before_ = 0;  // of the running transaction

  Claim claim_;  // what may be claimed: the last synced commit, less what the running transaction takes back
  bool lower_witness_ = false;
  bool witness_behind_ = false;
  Millis witness_at_ = 0;       // when it was written
  bool witness_blank_ = false;  // the witness was never written
  bool unsynced_ = false;       // commits were made without a sync
  bool synchronous_full_ = true;

  Statement begin_, commit_, insert_, delete_from_, delete_to_, delete_all_, select_, select_sizes_, update_meta_,
      put_snapshot_, delete_snapshot_, shrink_;
};

}  // namespace wh::storage
