#include "storage/sqlite_storage.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <unistd.h>
#include <utility>

#include "base/assert.h"
#include "base/log.h"

namespace wh::storage {
namespace {

constexpr const char* kOwnTemporary = "snapshot-own.wh.tmp";
constexpr const char* kIncomingTemporary = "snapshot-incoming.wh.tmp";
// How much is written in one transaction; bounded, so that the first in the group does not wait for long.
constexpr uint64_t kGroupBytes = 4 << 20;
// After so many jobs of writes in a row, what waits behind them gets a turn.
constexpr uint32_t kFairTurns = 8;
constexpr size_t kReceivedKept = 2;

uint64_t bytes_of(const Write& write) {
  const auto* batch = std::get_if<BatchWrite>(&write);
  uint64_t bytes = 0;
  if (batch != nullptr)
    for (const raft::Entry& entry : batch->batch.append) bytes += raft::cost(entry);
  return bytes;
}

// The same state: what the storage fills in may be missing.
bool same_snapshot(const SnapshotFile& file, const raft::SnapshotMeta& meta) {
  return file.meta.index == meta.index && file.meta.term == meta.term && file.meta.size == meta.size &&
         file.meta.crc == meta.crc;
}

void end_process(const std::string& message) {
  log_line(LogLevel::warning, message);
  std::fflush(nullptr);
  // No destructors: jobs may be running, and nothing may touch the disk again.
  ::_exit(1);
}

}  // namespace

SqliteStorage::SqliteStorage(Options options, Worker& worker, Directory directory)
    : options_(std::move(options)),
      worker_(worker),
      directory_(std::move(directory)),
      disk_(options_.probe),
      own_(disk_, directory_.path(), directory_.fd(), kOwnTemporary),
      incoming_(disk_, directory_.path(), directory_.fd(), kIncomingTemporary) {
  if (!options_.fatal) options_.fatal = end_process;
}

SqliteStorage::~SqliteStorage() { WH_ASSERT(!database_busy_ && !files_busy_, "a storage ends while a job is running"); }

Result<SqliteStorage::Opened> SqliteStorage::open(Options options, Worker& worker) {
  WH_ASSERT(options.fresh_instance && !options.node_name.empty(), "a storage needs an instance id and a name");
  Result<Directory> directory = Directory::open(options.directory);
  if (!directory) return Error{directory.error()};
  // Not make_unique: the constructor is private.
  std::unique_ptr<SqliteStorage> self(new SqliteStorage(std::move(options), worker, std::move(*directory)));
  self->database_ =
      std::make_unique<Database>(self->disk_, self->directory_.path(),
                                 Database::Settings{self->options_.fsync, self->options_.node_name,
                                                    self->options_.fresh_instance, self->options_.log_cache_bytes});
  Result<node::RecoveredNode> recovered = self->database_->open(self->directory_.fd());
  if (!recovered) return Error{recovered.error()};
  self->recorded_ = self->database_->snapshot();
  if (Status status = self->clean_up(); !status) return Error{status.error()};
  // By the instance, so that two disks of a quorum seldom stall together.
  self->checkpoint_bytes_ = self->options_.checkpoint_bytes != 0 ? self->options_.checkpoint_bytes
                                                                 : (3 << 20) + recovered->instance.value % (2 << 20);
  return Opened{std::move(*recovered), std::move(self)};
}

// Removes what a crash left: unfinished snapshots, and finished ones that are not the recorded one.
Status SqliteStorage::clean_up() {
  const Result<std::vector<std::string>> files = directory_.files();
  if (!files) return Error{files.error()};
  for (const std::string& file : *files) {
    if (recorded_ && file == recorded_->file) continue;
    if (!is_snapshot_leftover(file) && !is_snapshot_name(file)) continue;
    const int error = disk_.remove(Lane::files, directory_.fd(), file);
    if (error != 0) return Error{disk_error("remove", directory_.path() + "/" + file, error)};
  }
  return ok_status();
}

bool SqliteStorage::idle() const {
  return !database_busy_ && !files_busy_ && writes_.empty() && reads_.empty() && files_.empty();
}

void SqliteStorage::give(node::StorageDone result) {
  if (!failed_) handler_(std::move(result));
}

void SqliteStorage::fail(const std::string& message) {
  if (std::exchange(failed_, true)) return;
  options_.fatal(message);
}

// --- the database lane

void SqliteStorage::persist(node::Batch batch) {
  std::string file;
  if (batch.install) {
    const auto found = std::find_if(received_.begin(), received_.end(), [&](const SnapshotFile& received) {
      return same_snapshot(received, batch.install->meta);
    });
    WH_ASSERT(found != received_.end(), "a snapshot is installed that was not received");
    file = found->file;
    installing_.push_back(std::move(*found));
    received_.erase(found);
  }
  writes_.emplace_back(BatchWrite{std::move(batch), std::move(file)});
  pump_database();
}

void SqliteStorage::begin_anew(node::NewBeginning beginning) {
  own_overtaken_ = true;
  drop_received();
  compact_to_ = {};
  writes_.emplace_back(std::move(beginning));
  pump_database();
}

void SqliteStorage::save_grant(node::FoundingGrant grant) {
  writes_.emplace_back(std::move(grant));
  pump_database();
}

void SqliteStorage::load_entries(raft::Index first, raft::Index last, uint64_t max_bytes) {
  reads_.push_back({first, last, max_bytes});
  pump_database();
}

void SqliteStorage::compact(raft::Index index) {
  compact_to_ = std::max(compact_to_, index);
  pump_database();
}

void SqliteStorage::sync_soon() {
  sync_wanted_ = true;
  pump_database();
}

void SqliteStorage::pump_database() {
  if (database_busy_ || failed_) return;
  const bool full_wal = wal_bytes_ >= 2 * checkpoint_bytes_;
  if (!writes_.empty() && turns_ < kFairTurns && !full_wal) return run_writes();
  turns_ = 0;
  if (!reads_.empty() && !full_wal) return run_read();
  if (run_upkeep()) return;
  if (!writes_.empty()) run_writes();
}

void SqliteStorage::run_database(std::function<Status()> work, std::function<void()> done) {
  database_busy_ = true;
  auto status = std::make_shared<Status>(ok_status());
  worker_.run([status, work = std::move(work)] { *status = work(); },
              [this, status, done = std::move(done)] {
                if (!*status) {
                  database_busy_ = false;
                  return fail(status->error());
                }
                unsettled_ = database_->unsettled();
                wal_bytes_ = stats_.wal_bytes = database_->wal_bytes();
                stats_.syncs_us[static_cast<size_t>(Lane::database)] = disk_.syncs_us(Lane::database);
                // Still busy: what the results call forth is gathered.
                done();
                database_busy_ = false;
                pump_database();
              });
}

void SqliteStorage::run_writes() {
  ++turns_;
  auto group = std::make_shared<std::vector<Write>>();
  uint64_t bytes = 0;
  do {
    bytes += bytes_of(writes_.front());
    group->push_back(std::move(writes_.front()));
    writes_.pop_front();
  } while (!writes_.empty() && bytes + bytes_of(writes_.front()) <= kGroupBytes);
  auto took_us = std::make_shared<uint64_t>(0);
  run_database(
      [this, group, took_us] {
        const auto begun = std::chrono::steady_clock::now();
        Status status = database_->write(*group);
        const auto took = std::chrono::steady_clock::now() - begun;
        *took_us = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
        return status;
      },
      [this, group, took_us] {
        note_commit(*group, *took_us);
        written(*group);
      });
}

void SqliteStorage::note_commit(const std::vector<Write>& group, uint64_t took_us) {
  uint64_t entries = 0;
  for (const Write& write : group) {
    if (const auto* batch = std::get_if<BatchWrite>(&write)) entries += batch->batch.append.size();
    stats_.entry_bytes_written += bytes_of(write);
  }
  stats_.commits_us.add(took_us);
  stats_.commit_entries.add(entries);
  stats_.entries_written += entries;
}

void SqliteStorage::run_read() {
  const EntriesWanted wanted = reads_.front();
  reads_.pop_front();
  auto entries = std::make_shared<std::vector<raft::Entry>>();
  run_database(
      [this, wanted, entries]() -> Status {
        Result<std::vector<raft::Entry>> read = database_->read(wanted.first, wanted.last, wanted.max_bytes);
        if (!read) return Error{read.error()};
        *entries = std::move(*read);
        return ok_status();
      },
      [this, wanted, entries] {
        stats_.entries_read += entries->size();
        give(node::EntriesRead{wanted.first, std::move(*entries)});
      });
}

// One piece of upkeep, the most urgent; false when there is none.
bool SqliteStorage::run_upkeep() {
  if (wal_bytes_ >= 2 * checkpoint_bytes_ || (wal_bytes_ >= checkpoint_bytes_ && !unsettled_)) {
    run_database([this] { return database_->checkpoint(); }, [this] { ++stats_.checkpoints; });
    return true;
  }
  if (std::exchange(sync_wanted_, false)) {
    run_database([this] { return database_->sync(); }, [] {});
    return true;
  }
  if (unsettled_ && writes_.empty()) {
    run_database([this] { return database_->settle(); }, [] {});
    return true;
  }
  if (compact_to_.value == 0) return false;
  auto more = std::make_shared<bool>(false);
  const raft::Index target = compact_to_;
  run_database(
      [this, target, more]() -> Status {
        const Result<bool> result = database_->compact(target);
        if (!result) return Error{result.error()};
        *more = *result;
        return ok_status();
      },
      [this, target, more] {
        if (!*more && compact_to_ == target) compact_to_ = {};
      });
  return true;
}

void SqliteStorage::written(std::vector<Write>& writes) {
  for (Write& write : writes) {
    if (auto* batch = std::get_if<BatchWrite>(&write)) {
      if (batch->batch.install) {
        const SnapshotFile file = std::move(installing_.front());
        installing_.erase(installing_.begin());
        recorded(file);
        // Rows that the snapshot holds too; none when the log was emptied.
        compact_to_ = std::max(compact_to_, file.meta.index);
      }
      give(node::BatchPersisted{batch->batch.ticket});
    } else if (std::holds_alternative<node::NewBeginning>(write)) {
      for (std::optional<SnapshotFile>* file : {&recorded_, &previous_}) {
        if (*file) remove_file((*file)->file);
        file->reset();
      }
      give(node::BeginningPersisted{});
    } else if (std::holds_alternative<node::FoundingGrant>(write)) {
      give(node::GrantPersisted{});
    } else {
      const RecordSnapshot& record = std::get<RecordSnapshot>(write);
      if (record.recorded) {
        recorded(record.snapshot);
      } else {
        remove_file(record.snapshot.file);
      }
      give(node::SnapshotSaved{record.snapshot.meta});
    }
  }
}

// --- the snapshot files

void SqliteStorage::recorded(const SnapshotFile& snapshot) {
  if (previous_) remove_file(previous_->file);
  previous_ = std::exchange(recorded_, snapshot);
  while (!received_.empty() && received_.front().meta.index <= snapshot.meta.index) {
    remove_file(received_.front().file);
    received_.pop_front();
  }
}

void SqliteStorage::drop_received() {
  for (const SnapshotFile& file : received_) remove_file(file.file);
  received_.clear();
}

void SqliteStorage::remove_file(const std::string& file) {
  queue_files(
      [this, file]() -> Status {
        const int error = disk_.remove(Lane::files, directory_.fd(), file);
        if (error != 0) return Error{disk_error("remove", directory_.path() + "/" + file, error)};
        return ok_status();
      },
      [] {});
}

void SqliteStorage::queue_files(FilesWork work, FilesDone done) {
  files_.push_back({std::move(work), std::move(done)});
  pump_files();
}

void SqliteStorage::pump_files() {
  if (files_busy_ || failed_ || files_.empty()) return;
  files_busy_ = true;
  FilesJob job = std::move(files_.front());
  files_.pop_front();
  auto status = std::make_shared<Status>(ok_status());
  worker_.run([status, work = std::move(job.work)] { *status = work(); },
              [this, status, done = std::move(job.done)] {
                files_busy_ = false;
                stats_.syncs_us[static_cast<size_t>(Lane::files)] = disk_.syncs_us(Lane::files);
                if (!*status) return fail(status->error());
                done();
                pump_files();
              });
}

void SqliteStorage::begin_snapshot(const raft::SnapshotMeta& meta) {
  own_overtaken_ = false;
  queue_files([this, meta] { return own_.begin(meta); }, [] {});
}

void SqliteStorage::write_snapshot_slice(Bytes slice) {
  stats_.snapshot_bytes_written += slice.size();
  queue_files([this, slice = std::move(slice)] { return own_.write(slice.view()); },
              [this] { give(node::SnapshotSliceWritten{}); });
}

void SqliteStorage::finish_snapshot() {
  auto file = std::make_shared<SnapshotFile>();
  queue_files(
      [this, file]() -> Status {
        Result<std::string> name = own_.finish();
        if (!name) return Error{name.error()};
        *file = {own_.meta(), *name};
        file->meta.chain = 0;
        return ok_status();
      },
      [this, file] {
        if (own_overtaken_) {
          remove_file(file->file);
          return give(node::SnapshotSaved{file->meta});
        }
        writes_.emplace_back(RecordSnapshot{std::move(*file)});
        pump_database();
      });
}

void SqliteStorage::write_incoming_chunk(const raft::SnapshotMeta& meta, uint64_t offset, Bytes data, bool done) {
  auto result = std::make_shared<node::IncomingChunkWritten>();
  auto name = std::make_shared<std::string>();
  stats_.snapshot_bytes_written += data.size();
  result->meta = meta;
  queue_files(
      [this, result, name, meta, offset, data = std::move(data), done]() -> Status {
        if (offset == 0)
          if (Status status = incoming_.begin(meta); !status) return status;
        const raft::SnapshotMeta& begun = incoming_.meta();
        // A chunk of another snapshot, out of order, or beyond the size that was announced (HAZARDS F4, F9).
        if (!incoming_.open() || begun.index != meta.index || begun.term != meta.term || incoming_.size() != offset ||
            offset > meta.size || data.size() > meta.size - offset)
          return incoming_.discard();
        if (Status status = incoming_.write(data.view()); !status) return status;
        if (!done) {
          result->ok = true;
          result->next_offset = incoming_.size();
          return ok_status();
        }
        if (incoming_.size() != meta.size || begun.crc != meta.crc) return incoming_.discard();
        Result<std::string> finished = incoming_.finish();
        if (!finished) return Error{finished.error()};
        *name = std::move(*finished);
        result->ok = result->complete = true;
        result->next_offset = meta.size;
        return ok_status();
      },
      [this, result, name] {
        if (result->complete) received_.push_back({result->meta, *name});
        if (received_.size() > kReceivedKept) {
          remove_file(received_.front().file);
          received_.pop_front();
        }
        give(*result);
      });
}

void SqliteStorage::read_snapshot(uint64_t request, const raft::SnapshotMeta& meta, uint64_t offset,
                                  uint64_t max_bytes) {
  std::optional<SnapshotFile> found;
  const auto look = [&](const SnapshotFile& file) {
    if (same_snapshot(file, meta)) found = file;
  };
  if (previous_) look(*previous_);
  std::for_each(received_.begin(), received_.end(), look);
  std::for_each(installing_.begin(), installing_.end(), look);
  if (recorded_) look(*recorded_);
  auto result = std::make_shared<node::SnapshotChunkRead>();
  result->request = request;
  result->index = meta.index;
  result->offset = offset;
  result->done = result->ok = false;
  queue_files(
      [this, result, found = std::move(found), offset, max_bytes]() -> Status {
        if (!found) return ok_status();
        Result<std::optional<SnapshotPart>> part =
            read_snapshot_part(directory_.path(), directory_.fd(), found->file, found->meta, offset, max_bytes);
        if (!part) return Error{part.error()};
        if (!*part) return ok_status();
        result->ok = true;
        result->done = (*part)->done;
        result->data = Bytes(std::move((*part)->data));
        return ok_status();
      },
      [this, result] { give(std::move(*result)); });
}

}  // namespace wh::storage
