// node::Storage on a real disk. This class is the owner's side: it keeps the queues, hands jobs to a Worker and gives
// results back; the blocking work is Database's (the log, term and vote, in SQLite) and snapshot_files' (files).
//
// Threads: two lanes, the database and the snapshot files. *A lane has one job at a time*, and nothing else touches
// what its jobs touch (database_; own_, incoming_). Everything else here belongs to the owner's thread.
//
// The database lane: all waiting writes become one transaction and one sync (group commit), in their order. Then come
// reads of old entries; then, when nothing else waits, compacted rows are removed, the WAL is checkpointed, and the
// witness is settled, a few times a second at most. Every eighth turn the later kinds go first, so that no load starves
// them.
//
// A failed write or sync, or damage found on the way, ends in Options::fatal: no more results come (HAZARDS C6). A
// write that finds no room is retried (space.cc). Destroy the storage only when idle().
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

// Runs blocking jobs.
class Worker {
 public:
  virtual ~Worker() = default;
  // Runs `work` on another thread, then `done` on the owner's; never inside this call. Up to three run at once: one for
  // each lane, and a backup's.
  virtual void run(std::function<void()> work, std::function<void()> done) = 0;
};

struct Options {
  std::string directory = ".";
  std::string node_name;               // node-id; it is an error if the disk has another; empty: the disk's
  std::string default_node_name = {};  // used when `node_name` is empty and the disk has no name yet
  raft::NodeId fresh_instance;         // random, not 0: a new directory's instance id
  AppendFsync fsync = AppendFsync::always;
  ClusterVersion version = kLatestVersion;  // the highest version of the cluster that this node supports
  Millis witness_lag_ms = kWitnessLagMs;    // witness.h
  uint64_t log_cache_bytes = 16 << 20;      // of the log's end, returned in RecoveredNode
  uint64_t ballast_bytes = 8 << 20;         // given up when the disk is full; 0: none
  uint64_t free_pages_bytes = 32 << 20;     // of the database file, kept for new entries
  uint64_t scarce_bytes = 1 << 30;          // with less room on the disk, the others are given back without delay
  uint64_t checkpoint_bytes = 0;            // the WAL is checkpointed at about this size; 0: 3 to 5 MB, by the instance
  // Must not return in production; empty: logs the message and ends the process with status 1.
  std::function<void(const std::string& message)> fatal;
  DiskProbe* probe = nullptr;  // tests only
};

// The disk's statistics, as the owner's thread knows them: each job's part arrives with its result.
struct StorageStats {
  Histogram commits_us;        // a transaction from begin to commit, including the sync
  Histogram commit_entries;    // log entries in one transaction
  Histogram syncs_us[kLanes];  // single syncs, by lane
  uint64_t entries_written = 0;
  uint64_t entry_bytes_written = 0;
  uint64_t entries_read = 0;  // from the disk, as they were no longer cached
  uint64_t checkpoints = 0;
  uint64_t snapshot_bytes_written = 0;  // of own and received snapshots
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

  // Receives results, from inside a job's done. Set it before the first call below.
  void set_handler(std::function<void(node::StorageDone)> handler) { handler_ = std::move(handler); }

  void persist(node::Batch batch) override;
  void begin_anew(node::NewBeginning beginning) override;
  void save_grant(node::FoundingGrant grant) override;
  void load_entries(raft::Index first, raft::Index last, uint64_t max_bytes) override;
  void compact(raft::Index index) override;
  // SnapshotSaved also comes when a newer snapshot or another beginning has overtaken this one; then its chain is 0 and
  // nothing is recorded.
  void begin_snapshot(const raft::SnapshotMeta& meta) override;
  void write_snapshot_slice(Bytes slice) override;
  void finish_snapshot() override;
  void write_incoming_chunk(const raft::SnapshotMeta& meta, uint64_t offset, Bytes data, bool done) override;
  void keep_snapshot(std::optional<raft::SnapshotMeta> meta) override;
  void read_snapshot(uint64_t request, const raft::SnapshotMeta& meta, uint64_t offset, uint64_t max_bytes) override;
  void acknowledged_lost(raft::Index acknowledged, raft::Index last) override;
  [[nodiscard]] Millis sync_age() const override;

  // The owner calls this a few times a second: settles the witness when no write waits. Not after each commit, as the
  // writes that come next would wait for that sync too.
  // Also lets one more slice of free space go back to the file system, or all of it when nothing was written since the
  // last call.
  void rest();
  // The owner calls this at the end: settles the witness, and leaves the free space to the next start.
  void settle();
  // Under appendfsync everysec the owner calls this each second; syncs commits made without a sync.
  void sync_soon();
  // The owner calls this about each second: measures the disk, reports a DiskSpace, retries writes that found no room.
  void look_at_space();
  // As of the last measurement.
  [[nodiscard]] const node::DiskSpace& space() const { return space_; }
  // Of the database file and its WAL, as of the last job of the database lane.
  [[nodiscard]] uint64_t wal_bytes() const { return wal_bytes_; }
  // Whether free space is left to be given back.
  [[nodiscard]] bool shrinks() const { return shrink_wanted_; }
  // Whether nothing is running or waiting.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] const StorageStats& stats() const { return stats_; }
  // Restarts the counts, except of single syncs, which their lane counts.
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
  void rest_database();
  void run_database(std::function<Status()> work, std::function<void()> done);
  void written(std::vector<Write>& writes);
  void recorded(const SnapshotFile& snapshot);
  void retire(const SnapshotFile& file);
  Status own_or_room(Status status);
  void own_failed(const std::string& why);
  void drop_received();
  void remove_file(const std::string& file);
  void read_part(const std::shared_ptr<node::SnapshotChunkRead>& result, const std::optional<SnapshotFile>& file,
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
  std::shared_ptr<std::vector<Write>> group_;  // being written, or found no room
  std::deque<Millis> given_at_;                // when each write in group_ and writes_ was given
  std::deque<EntriesWanted> reads_;
  uint32_t turns_ = 0;                 // write jobs in a row
  bool read_cut_ = false;              // the last read was cut by its limit: the next is on its way
  uint64_t entries_since_upkeep_ = 0;  // written by those jobs
  bool unsettled_ = false;
  bool rests_ = false;    // rest() was called, and the witness is to be settled
  bool settles_ = false;  // settle() was called
  bool sync_wanted_ = false;
  raft::Index compact_to_;
  bool shrink_wanted_ = false;
  bool shrink_due_ = false;  // the time of its next slice has come
  bool quiet_ = false;       // no entry was written between the last two rests, nor since
  uint64_t written_at_rest_ = 0;
  uint64_t wal_bytes_ = 0;
  uint64_t checkpoint_bytes_ = 0;

  // room
  Ballast ballast_;  // used by the files lane
  bool full_ = false;
  bool waiting_for_room_ = false;  // the database lane may not write
  bool looking_ = false;
  node::DiskSpace space_{};

  // the files lane
  SnapshotWriter own_;
  bool own_failed_ = false;     // found no room; used by the files lane
  std::string own_failure_;     // why; used by the files lane until it is reported
  bool own_overtaken_ = false;  // another log has begun since own_ was begun; used by the owner's thread
  IncomingSnapshot incoming_;
  bool files_busy_ = false;
  std::deque<FilesJob> files_;
  std::vector<std::function<void()>> put_off_;  // jobs that found no descriptor: repeated at the next look_at_space()
  LogLimiter put_off_log_{60'000};

  // the state of the snapshot files, as the owner's thread knows it
  std::optional<SnapshotFile> recorded_;
  std::optional<SnapshotFile> previous_;    // the one recorded before: reads of it may still run
  std::optional<raft::SnapshotMeta> keep_;  // set by keep_snapshot
  std::optional<SnapshotFile> kept_;        // keep_'s file, once it is older than those two
  std::deque<SnapshotFile> received_;       // complete, not recorded; the newest two: one may still be in use
  std::vector<SnapshotFile> installing_;    // named by batches that are not written yet
};

}  // namespace wh::storage
