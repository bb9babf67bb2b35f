// node::Storage on a real disk. This class is the owner's side: it keeps the queues, hands jobs to a Worker and gives
// results back; the blocking work is Database's (the log, term and vote, in SQLite) and snapshot_files' (files).
//
// Threads: two lanes, the database and the snapshot files. *A lane has one job at a time*, and what a lane's jobs touch
// (database_; own_, incoming_) nobody else touches. Everything else here belongs to the owner's thread.
//
// The database lane: all writes that wait are one transaction and one sync (group commit), in the order they were
// given. Then reads of old entries; then, when nothing else waits, the witness is settled, compacted rows go, the WAL
// is checkpointed. Every eighth turn the lower orders go first, so that no load starves them.
//
// A failed write or sync, or damage found on the way, ends in Options::fatal: no result comes any more (HAZARDS C6). A
// write that finds no room is made again (space.cc). Destroy it only when idle().
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/histogram.h"
#include "base/log.h"
#include "base/result.h"
#include "node/ports.h"
#include "storage/ballast.h"
#include "storage/database.h"
#include "storage/directory.h"
#include "storage/disk.h"
#include "storage/incoming_snapshot.h"
#include "storage/snapshot_files.h"

namespace wh::storage {

// Where blocking jobs run.
class Worker {
 public:
  virtual ~Worker() = default;
  // Runs `work` on another thread, then `done` on the owner's; never inside this call. Up to three run at once: one
  // for each lane, and a backup's.
  virtual void run(std::function<void()> work, std::function<void()> done) = 0;
};

struct Options {
  std::string directory = ".";
  std::string node_name;               // node-id; another one on the disk is an error; empty: the disk's counts
  std::string default_node_name = {};  // where `node_name` is empty, for a disk that holds on to none
  raft::NodeId fresh_instance;         // random, not 0: the instance id, should the directory be new
  AppendFsync fsync = AppendFsync::always;
  ClusterVersion version = kLatestVersion;  // the highest of the cluster that this node can do
  uint64_t log_cache_bytes = 16 << 20;      // of the log's end, to give back in RecoveredNode
  uint64_t ballast_bytes = 8 << 20;         // given up when the disk is full; 0: none
  uint64_t free_pages_bytes = 32 << 20;     // of the database file, kept for new entries
  uint64_t checkpoint_bytes = 0;            // the WAL is checkpointed at about this size; 0: 3 to 5 MB, by the instance
  // Never returns in production; empty: writes the message to the log and ends the process with status 1.
  std::function<void(const std::string& message)> fatal;
  DiskProbe* probe = nullptr;  // tests only
};

// How the disk fares, as the owner's thread knows it: each job's part arrives with its result.
struct StorageStats {
  Histogram commits_us;        // a transaction from its begin to its commit, with the sync in it
  Histogram commit_entries;    // log entries in one transaction
  Histogram syncs_us[kLanes];  // single syncs, by lane
  uint64_t entries_written = 0;
  uint64_t entry_bytes_written = 0;
  uint64_t entries_read = 0;  // back from the disk, behind the log's cache
  uint64_t checkpoints = 0;
  uint64_t snapshot_bytes_written = 0;  // own ones and those received
  uint64_t wal_bytes = 0;
  uint64_t disk_bytes_written[kLanes] = {};  // to all files, by lane
};

class SqliteStorage final : public node::Storage {
 public:
  struct Opened {
    node::RecoveredNode node;
    std::unique_ptr<SqliteStorage> storage;
  };
  // Blocking, before the loop runs. The error is a message for the operator; the process exits with status 1.
  static Result<Opened> open(Options options, Worker& worker);
  ~SqliteStorage() override;

  // Where results go, from the done of a job. Set before the first call below.
  void set_handler(std::function<void(node::StorageDone)> handler) { handler_ = std::move(handler); }

  void persist(node::Batch batch) override;
  void begin_anew(node::NewBeginning beginning) override;
  void save_grant(node::FoundingGrant grant) override;
  void load_entries(raft::Index first, raft::Index last, uint64_t max_bytes) override;
  void compact(raft::Index index) override;
  // The answer SnapshotSaved comes also when a newer snapshot or another beginning has overtaken this one; its chain is
  // 0 then, and nothing is recorded.
  void begin_snapshot(const raft::SnapshotMeta& meta) override;
  void write_snapshot_slice(Bytes slice) override;
  void finish_snapshot() override;
  void write_incoming_chunk(const raft::SnapshotMeta& meta, uint64_t offset, Bytes data, bool done) override;
  void keep_snapshot(std::optional<raft::SnapshotMeta> meta) override;
  void read_snapshot(uint64_t request, const raft::SnapshotMeta& meta, uint64_t offset, uint64_t max_bytes) override;
  void acknowledged_lost(raft::Index acknowledged, raft::Index last) override;
  [[nodiscard]] Millis sync_age() const override;

  // Under appendfsync everysec the owner calls this each second; syncs what was written without a sync.
  void sync_soon();
  // The owner calls this about each second: measures the disk, gives a DiskSpace, tries again what found no room.
  void look_at_space();
  // As of the last look.
  [[nodiscard]] const node::DiskSpace& space() const { return space_; }
  // Of the database file and its WAL, as of the last job of the database lane.
  [[nodiscard]] uint64_t wal_bytes() const { return wal_bytes_; }
  // Nothing is under way or waiting.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] const StorageStats& stats() const { return stats_; }
  // Counts from nothing again. Single syncs go on being counted: they are their lane's.
  void reset_stats() { stats_ = {.syncs_us = {stats_.syncs_us[0], stats_.syncs_us[1]}, .wal_bytes = stats_.wal_bytes}; }
  // The absolute path of the data directory.
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }

 private:
  using FilesWork = std::function<Status()>;
  using FilesDone = std::function<void()>;
  struct FilesJob {
    FilesWork work;
    FilesDone done;
  };
  struct EntriesWanted {
    raft::Index first;
    raft::Index last;
    uint64_t max_bytes;
  };

  SqliteStorage(Options options, Worker& worker, Directory directory);
  Status clean_up();
  void add_write(Write write);
  void found_no_room(const std::string& message);
  void look(bool give_way);
  void pump_database();
  void run_writes();
  void note_commit(const std::vector<Write>& group, uint64_t took_us);
  void run_read();
  bool run_upkeep();
  bool run_shrink();
  void run_database(std::function<Status()> work, std::function<void()> done);
  void written(std::vector<Write>& writes);
  void recorded(const SnapshotFile& snapshot);
  void retire(const SnapshotFile& file);
  Status own_or_room(Status status);
  void own_failed(const std::string& why);
  void drop_received();
  void remove_file(const std::string& file);
  void read_part(const std::shared_ptr<node::SnapshotChunkRead>& result, std::optional<SnapshotFile> file,
                 uint64_t max_bytes);
  void queue_files(FilesWork work, FilesDone done);
  void pump_files();
  void give(node::StorageDone result);
  void fail(const std::string& message);

  Options options_;
  Worker& worker_;
  Directory directory_;
  Disk disk_;
  std::function<void(node::StorageDone)> handler_;
  bool failed_ = false;
  StorageStats stats_;

  // the database lane
  std::unique_ptr<Database> database_;
  bool database_busy_ = false;
  std::deque<Write> writes_;
  std::shared_ptr<std::vector<Write>> group_;  // under way, or found no room
  std::deque<Millis> given_at_;                // of what is in group_ and writes_: when it was given
  std::deque<EntriesWanted> reads_;
  uint32_t turns_ = 0;                 // jobs of writes in a row
  uint64_t entries_since_upkeep_ = 0;  // written by them
  bool unsettled_ = false;
  bool sync_wanted_ = false;
  raft::Index compact_to_;
  bool shrink_wanted_ = false;
  uint64_t wal_bytes_ = 0;
  uint64_t checkpoint_bytes_ = 0;

  // room
  Ballast ballast_;  // the files lane's
  bool full_ = false;
  bool waiting_for_room_ = false;  // the database lane writes nothing
  bool looking_ = false;
  node::DiskSpace space_{};

  // the files lane
  SnapshotWriter own_;
  bool own_failed_ = false;     // no room: the files lane's
  std::string own_failure_;     // what it found then: the files lane's until it is told
  bool own_overtaken_ = false;  // another log has begun since own_ was; the owner's thread's
  IncomingSnapshot incoming_;
  bool files_busy_ = false;
  std::deque<FilesJob> files_;
  std::vector<std::function<void()>> put_off_;  // found no descriptor: done again at the next look at the disk
  LogLimiter put_off_log_{60'000};

  // what the snapshot files are, as the owner's thread knows it
  std::optional<SnapshotFile> recorded_;
  std::optional<SnapshotFile> previous_;    // the one recorded before: its readers may not be through
  std::optional<raft::SnapshotMeta> keep_;  // keep_snapshot's
  std::optional<SnapshotFile> kept_;        // that one's file, once it is older than those two
  std::deque<SnapshotFile> received_;       // whole, not recorded; the newest two: one may still be in use
  std::vector<SnapshotFile> installing_;    // named by a batch that is not written yet
};

}  // namespace wh::storage
