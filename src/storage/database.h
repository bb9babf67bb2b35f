// The SQLite database and the witness beside it: the log, term and vote, the cluster's identity, the snapshot record.
// One connection in exclusive mode, WAL, one transaction and one sync per group of writes (HAZARDS 5, C1). Blocking:
// every method runs as a job of the database lane, or before the loop starts. Called by sqlite_storage.cc, and where
// there is no loop by survivor.cc and backup/restore.cc.
//
// A method that fails returns a sentence and leaves the database unusable: the process stops with it, and the restart
// reads and verifies again (HAZARDS C6). Nothing is ever tried twice, but for want of room: then no_room() is true, all
// is as it was before the call, and it may be made again (HAZARDS C7).
//
// database.cc: connection, transactions, compaction, checkpoints; recovery.cc: creation, and what is verified at start.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "node/ports.h"
#include "storage/format.h"
#include "storage/statement.h"
#include "storage/vfs.h"
#include "storage/witness.h"

namespace wh::storage {

// When entries are synced. Term, vote, configurations, beginnings and grants are always synced before they are
// reported.
enum class AppendFsync : uint8_t {
  always,    // before they are reported
  everysec,  // when SqliteStorage::sync_soon is called, each second
  no,        // when the operating system or another sync gets to it
};

// The file that holds a recorded snapshot.
struct SnapshotFile {
  raft::SnapshotMeta meta;
  std::string file;
};

// What a group of writes is made of; applied in order, in one transaction.
struct BatchWrite {
  node::Batch batch;
  std::string install_file;  // of batch.install
};
struct RecordSnapshot {
  SnapshotFile snapshot;  // chain is filled in
  bool recorded = false;  // false after the write: a newer one is recorded, or another log has begun
};
// The log goes on as another cluster's, from this configuration on.
struct TakeOver {
  node::ClusterId cluster;
  raft::Entry configuration;  // the next entry, in a term above all others
};
using Write = std::variant<BatchWrite, node::NewBeginning, node::FoundingGrant, RecordSnapshot, TakeOver>;

class Database {
 public:
  struct Settings {
    AppendFsync fsync = AppendFsync::always;
    std::string name;                         // node-id; empty: whatever is on the disk
    raft::NodeId instance;                    // for a directory that is new
    uint64_t tail_bytes = 0;                  // of the log's end, to give back at the start
    std::string default_name = {};            // where `name` is empty, for a disk that holds on to none
    ClusterVersion version = kLatestVersion;  // the highest that this node can do: of more it opens nothing
  };

  Database(Disk& disk, std::string directory, Settings settings);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Opens or creates, verifies everything, the recorded snapshot's file too. Where a database is, nothing is changed,
  // and nothing can be before begin_use(), which counts the epoch up. `directory_fd` is used during the call only.
  Result<node::RecoveredNode> examine(int directory_fd);
  Status begin_use();
  // Both.
  Result<node::RecoveredNode> open(int directory_fd);
  [[nodiscard]] const std::optional<SnapshotFile>& snapshot() const { return snapshot_; }
  [[nodiscard]] raft::NodeId instance() const { return meta_.instance; }

  // Whether the last call that failed did so for want of room only.
  [[nodiscard]] bool no_room() const { return no_room_; }

  Status write(std::vector<Write>& writes);
  // Syncs what was written without a sync.
  Status sync();
  // Makes the witness speak of the last commit.
  Status settle();
  [[nodiscard]] bool unsettled() const { return witness_behind_; }

  // Entries first..last up to max_bytes, at least one; none when the first is not there (any more).
  Result<std::vector<raft::Entry>> read(raft::Index first, raft::Index last, uint64_t max_bytes);

  // Removes one slice of the rows up to `target` (not above the recorded snapshot); true while more are left.
  Result<bool> compact(raft::Index target);
  // Gives a slice of the file's free pages back to the file system, but for `keep` bytes of them; true while there are
  // more.
  Result<bool> shrink(uint64_t keep);
  // Moves the WAL's pages into the database file. The WAL is then reused from its start, not truncated: an overwritten
  // block is synced in half the time of one that grows the file.
  Status checkpoint();
  [[nodiscard]] uint64_t wal_bytes() const { return wal_pages_ * page_size_; }

 private:
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
  Status check_claim(const Claim& claim, std::optional<uint64_t> chain_at_claim);
  Status prepare_statements();

  // database.cc
  // What a transaction changes beside the tables, to be put back when there is no room for it.
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
  // Ends a transaction that failed: `status`, unless that makes it worse.
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
  Status raise_format(ClusterVersion version);
  Status set_format(ClusterVersion version);
  Status store_snapshot(const SnapshotFile& snapshot);
  Status store_meta();
  Status lower_claim(raft::Index first);
  Status begin();
  Status commit(bool synced);
  Status set_synchronous(bool full);
  struct Row {
    raft::Entry entry;
    uint64_t chain = 0;
  };
  // The row's own checksum, types and ranges are verified; the chain is not.
  Status take_row(Statement& statement, Row& row);
  Status find_row(raft::Index index, Row& row);  // which must exist
  // Term and chain at an index from base to last.
  struct Mark {
    raft::Term term;
    uint64_t chain = 0;
  };
  Result<Mark> mark_at(raft::Index index);
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
  bool failed_ = true;  // until opened, and from the first failure on
  bool no_room_ = false;
  bool written_ = false;  // by a write() that then found no room for the witness
  uint64_t page_size_ = 4096;
  uint64_t wal_pages_ = 0;

  Meta meta_;
  bool meta_changed_ = false;
  ClusterVersion format_ = kFirstVersion;
  std::optional<SnapshotFile> snapshot_;
  raft::Index last_index_;
  raft::Term last_term_;
  uint64_t last_chain_ = 0;

  int64_t changes_before_ = 0;  // of the transaction under way

  Claim claim_;  // what may be claimed: the last synced commit, less what the transaction under way takes back
  bool lower_witness_ = false;
  bool witness_behind_ = false;
  bool witness_blank_ = false;  // nothing was ever written to it
  bool unsynced_ = false;       // a commit was made without a sync
  bool synchronous_full_ = true;

  Statement begin_, commit_, insert_, delete_from_, delete_to_, delete_all_, select_, select_sizes_, update_meta_,
      put_snapshot_, delete_snapshot_, shrink_;
};

}  // namespace wh::storage
