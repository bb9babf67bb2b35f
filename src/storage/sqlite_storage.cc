#include "storage/sqlite_storage.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <unistd.h>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "base/mutant.h"

namespace wh::storage {
namespace {

constexpr const char* kOwnTemporary = "snapshot-own.wh.tmp";
// The bytes of one transaction; bounded, so that the group's first write does not wait long.
constexpr uint64_t kGroupBytes = 4 << 20;
// After this many jobs of writes in a row, other work gets a turn.
constexpr uint32_t kFairTurns = 8;
// Or after this many entries: a slice of a compaction removes more, so the log's file does not outgrow it.
constexpr uint64_t kFairEntries = 1'000;
// Fewer jobs while entries are read for a member that lags: read more slowly than the log grows, it would always lag.
constexpr uint32_t kFairTurnsOfReads = 2;
constexpr size_t kReceivedKept = 2;
// A batch waits for the group before it and for its own, each of which takes two syncs: only a longer wait is a stall.
constexpr Millis kCallsOfABatch = 4;

uint64_t bytes_of(const Write& write) {
  const auto* batch = std::get_if<BatchWrite>(&write);
  uint64_t bytes = 0;
  if (batch != nullptr)
    for (const raft::Entry& entry : batch->batch.append) bytes += raft::cost(entry);
  return bytes;
}

// Whether the state is the same; fields that the storage fills in may be missing.
bool same_snapshot(const SnapshotFile& file, const raft::SnapshotMeta& meta) {
  return file.meta.index == meta.index && file.meta.term == meta.term && file.meta.size == meta.size &&
         file.meta.crc == meta.crc;
}

void end_process(const std::string& message) {
  log_line(LogLevel::warning, message);
  std::fflush(nullptr);
  // Runs no destructors: jobs may be running, and nothing may touch the disk again.
  ::_exit(1);
}

}  // namespace

SqliteStorage::SqliteStorage(Options options, Worker& worker, Directory directory)
    : options_(std::move(options)),
      worker_(worker),
      directory_(std::move(directory)),
      disk_(options_.probe),
      ballast_(disk_, directory_.fd(), options_.ballast_bytes),
      own_(disk_, directory_.path(), directory_.fd(), kOwnTemporary),
      incoming_(disk_, directory_.path(), directory_.fd()) {
  if (!options_.fatal) options_.fatal = end_process;
}

SqliteStorage::~SqliteStorage() { WH_ASSERT(!database_busy_ && !files_busy_, "a storage ends while a job is running"); }

Result<SqliteStorage::Opened> SqliteStorage::open(Options options, Worker& worker) {
  WH_ASSERT(options.fresh_instance && (!options.node_name.empty() || !options.default_node_name.empty()),
            "a storage needs an instance id and a name");
  Result<Directory> directory = Directory::open(options.directory);
  if (!directory) return Error{directory.error()};
  if (Status whole = directory->check_restored(); !whole) return Error{whole.error()};
  // Not make_unique: the constructor is private.
  std::unique_ptr<SqliteStorage> self(new SqliteStorage(std::move(options), worker, std::move(*directory)));
  self->ballast_.open();
  const auto open_database = [&] {
    self->database_ = std::make_unique<Database>(
        self->disk_, self->directory_.path(),
        Database::Settings{self->options_.fsync, self->options_.node_name, self->options_.fresh_instance,
                           self->options_.log_cache_bytes, self->options_.default_node_name, self->options_.version,
                           self->options_.witness_lag_ms});
    return self->database_->open(self->directory_.fd());
  };
  Result<node::RecoveredNode> recovered = open_database();
  if (!recovered && self->database_->no_room() && self->ballast_.give_up()) {
    // Counting a start is a write: on a full disk the ballast's last piece makes room for it.
    self->full_ = true;
    recovered = open_database();
  }
  if (!recovered && self->database_->no_room())
    return Error{recovered.error() + "; make room in its file system and start again"};
  if (!recovered) return Error{recovered.error()};
  self->ballast_.restore();
  self->full_ = self->full_ && !self->ballast_.whole();
  self->space_ = self->ballast_.measure();
  self->space_.full = self->full_;
  self->recorded_ = self->database_->snapshot();
  Result<std::optional<raft::PartOfSnapshot>> part = self->incoming_.recover(recovered->raft.snapshot);
  if (!part) return Error{part.error()};
  recovered->raft.incoming = std::move(*part);
  if (Status status = self->clean_up(); !status) return Error{status.error()};
  // Differs between instances, so that two disks of a quorum seldom stall together.
  self->checkpoint_bytes_ = self->options_.checkpoint_bytes != 0 ? self->options_.checkpoint_bytes
                                                                 : (3 << 20) + recovered->instance.value % (2 << 20);
  // If files may not grow that large (ulimit -f), the WAL must restart earlier.
  self->checkpoint_bytes_ = std::min(self->checkpoint_bytes_, file_size_limit() / 2);
  return Opened{std::move(*recovered), std::move(self)};
}

// Removes what a crash left: unfinished snapshots that cannot resume, and finished ones other than the recorded one.
Status SqliteStorage::clean_up() {
  const Result<std::vector<std::string>> files = directory_.files();
  if (!files) return Error{files.error()};
  for (const std::string& file : *files) {
    if (recorded_ && file == recorded_->file) continue;
    if (!is_snapshot_leftover(file) && !is_snapshot_name(file) && file != kBackupTemporary) continue;
    if (incoming_.open() && IncomingSnapshot::owns(file)) continue;
    const int error = disk_.remove(Lane::files, directory_.fd(), file);
    // On some file systems removing takes room: the next start tries again.
    if (error != 0 && !is_no_room(error)) return Error{disk_error("remove", directory_.path() + "/" + file, error)};
  }
  return ok_status();
}

bool SqliteStorage::idle() const {
  return !database_busy_ && !files_busy_ && !group_ && writes_.empty() && reads_.empty() && files_.empty();
}

void SqliteStorage::give(node::StorageDone result) {
  if (!failed_) handler_(std::move(result));
}

// The longest wait: for a call that the disk does not finish, or of a batch behind many such calls.
Millis SqliteStorage::sync_age() const {
  const Millis busy = disk_.busy_ms();
  return given_at_.empty() ? busy : std::max(busy, (steady_ms() - given_at_.front()) / kCallsOfABatch);
}

void SqliteStorage::acknowledged_lost(raft::Index acknowledged, raft::Index last) {
  const std::string what = std::string(kDatabaseFile) + ": the log ends at row " + std::to_string(last.value) +
                           ", but row " + std::to_string(acknowledged.value) +
                           " was acknowledged, says the leader: this directory is an older copy of itself";
  if (options_.fsync == AppendFsync::always) return fail(damage(directory_.path(), what));
  logf(LogLevel::warning, "%s, or lost what was not synced yet (appendfsync); the leader sends it again", what.c_str());
}

void SqliteStorage::fail(const std::string& message) {
  if (std::exchange(failed_, true) || WH_MUTANT(failed_disk_goes_on)) return;
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
  add_write(BatchWrite{std::move(batch), std::move(file)});
}

void SqliteStorage::add_write(Write write) {
  quiet_ = false;
  given_at_.push_back(steady_ms());
  writes_.push_back(std::move(write));
  pump_database();
}

void SqliteStorage::begin_anew(node::NewBeginning beginning) {
  own_overtaken_ = true;
  drop_received();
  queue_files([this] { return incoming_.discard(); }, [] {});
  compact_to_ = {};
  add_write(std::move(beginning));
}

void SqliteStorage::save_grant(node::FoundingGrant grant) { add_write(std::move(grant)); }

void SqliteStorage::load_entries(raft::Index first, raft::Index last, uint64_t max_bytes) {
  reads_.push_back({first, last, max_bytes});
  pump_database();
}

void SqliteStorage::compact(raft::Index index) {
  compact_to_ = std::max(compact_to_, index);
  pump_database();
}

void SqliteStorage::rest() {
  shrink_due_ = shrink_wanted_;
  quiet_ = std::exchange(written_at_rest_, stats_.entries_written) == stats_.entries_written && writes_.empty();
  rest_database();
}

void SqliteStorage::settle() {
  settles_ = true;
  shrink_wanted_ = false;
  rest_database();
}

void SqliteStorage::rest_database() {
  if (database_busy_) return;
  rests_ = unsettled_;
  pump_database();
}

void SqliteStorage::sync_soon() {
  sync_wanted_ = true;
  pump_database();
}

void SqliteStorage::pump_database() {
  if (database_busy_ || failed_) return;
  if (waiting_for_room_) {
    if (!reads_.empty()) run_read();
    return;
  }
  if (group_) return run_writes();  // writes that found no room go first
  const bool full_wal = wal_bytes_ >= 2 * checkpoint_bytes_;
  const bool reads_on = read_cut_ && !reads_.empty();
  const bool upkeep_due =
      turns_ >= (reads_on ? kFairTurnsOfReads : kFairTurns) || entries_since_upkeep_ >= kFairEntries;
  if (!writes_.empty() && !upkeep_due && !full_wal) return run_writes();
  turns_ = 0;
  entries_since_upkeep_ = 0;
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
                  return database_->no_room() ? found_no_room(status->error()) : fail(status->error());
                }
                unsettled_ = database_->unsettled();
                wal_bytes_ = stats_.wal_bytes = database_->wal_bytes();
                stats_.syncs_us[static_cast<size_t>(Lane::database)] = disk_.syncs_us(Lane::database);
                stats_.disk_bytes_written[static_cast<size_t>(Lane::database)] = disk_.bytes_written(Lane::database);
                // Still busy: gathers the work that the results cause.
                done();
                database_busy_ = false;
                pump_database();
              });
}

void SqliteStorage::run_writes() {
  ++turns_;
  if (!group_) {
    group_ = std::make_shared<std::vector<Write>>();
    uint64_t bytes = 0;
    do {
      bytes += bytes_of(writes_.front());
      group_->push_back(std::move(writes_.front()));
      writes_.pop_front();
    } while (!writes_.empty() && bytes + bytes_of(writes_.front()) <= kGroupBytes);
  }
  auto took_us = std::make_shared<uint64_t>(0);
  run_database(
      [this, group = group_, took_us] {
        const auto begun = std::chrono::steady_clock::now();
        Status status = database_->write(*group);
        const auto took = std::chrono::steady_clock::now() - begun;
        *took_us = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
        return status;
      },
      [this, took_us] {
        const auto group = std::exchange(group_, nullptr);
        given_at_.erase(given_at_.begin(), given_at_.begin() + static_cast<std::ptrdiff_t>(group->size()));
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
  entries_since_upkeep_ += entries;
}

void SqliteStorage::run_read() {
  // It stays in front until it is answered: what it reads may have to be written out first, and find no room.
  const EntriesWanted wanted = reads_.front();
  auto entries = std::make_shared<std::vector<raft::Entry>>();
  run_database(
      [this, wanted, entries]() -> Status {
        Result<std::vector<raft::Entry>> read = database_->read(wanted.first, wanted.last, wanted.max_bytes);
        if (!read) return Error{read.error()};
        *entries = std::move(*read);
        return ok_status();
      },
      [this, wanted, entries] {
        reads_.pop_front();
        stats_.entries_read += entries->size();
        read_cut_ = !entries->empty() && entries->back().index < wanted.last;
        give(node::EntriesRead{wanted.first, std::move(*entries)});
      });
}

// Starts one piece of upkeep, the most urgent; false when there is none.
bool SqliteStorage::run_upkeep() {
  const bool wal_due = wal_bytes_ >= 2 * checkpoint_bytes_ || (wal_bytes_ >= checkpoint_bytes_ && !unsettled_);
  if (wal_due && !WH_MUTANT(never_checkpointed)) {
    run_database([this] { return database_->checkpoint(); }, [this] { ++stats_.checkpoints; });
    return true;
  }
  if (sync_wanted_) {
    run_database([this] { return database_->sync(); }, [this] { sync_wanted_ = false; });
    return true;
  }
  if (rests_ && unsettled_ && writes_.empty()) {
    rests_ = false;
    run_database([this] { return database_->settle(); }, [] {});
    return true;
  }
  if (compact_to_.value == 0) return run_shrink();
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
        shrink_wanted_ = !settles_;
      });
  return true;
}

// Runs after a compaction, slowly while entries are written and the disk has room: a slice writes twice what it gives
// back, and a log that was long will mostly be so again before the next snapshot.
bool SqliteStorage::run_shrink() {
  const bool scarce = full_ || (space_.total_bytes != 0 && space_.free_bytes < options_.scarce_bytes);
  if (!shrink_wanted_ || !(shrink_due_ || quiet_ || scarce)) return false;
  shrink_due_ = false;
  auto more = std::make_shared<bool>(false);
  run_database(
      [this, more]() -> Status {
        const Result<bool> result = database_->shrink(options_.free_pages_bytes);
        if (!result) return Error{result.error()};
        *more = *result;
        return ok_status();
      },
      [this, more] { shrink_wanted_ = *more && !settles_; });
  return true;
}

void SqliteStorage::written(std::vector<Write>& writes) {
  for (Write& write : writes) {
    if (auto* batch = std::get_if<BatchWrite>(&write)) {
      if (batch->batch.install) {
        const SnapshotFile file = std::move(installing_.front());
        installing_.erase(installing_.begin());
        recorded(file);
        // Compacts rows that the snapshot contains; none are left when the log was emptied.
        compact_to_ = std::max(compact_to_, file.meta.index);
      }
      give(node::BatchPersisted{batch->batch.ticket});
    } else if (std::holds_alternative<node::NewBeginning>(write)) {
      for (std::optional<SnapshotFile>* file : {&recorded_, &previous_, &kept_}) {
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
  if (previous_) retire(*previous_);
  previous_ = std::exchange(recorded_, snapshot);
  queue_files([this, index = snapshot.meta.index] { return incoming_.discard_up_to(index); }, [] {});
  while (!received_.empty() && received_.front().meta.index <= snapshot.meta.index) {
    remove_file(received_.front().file);
    received_.pop_front();
  }
}

void SqliteStorage::retire(const SnapshotFile& file) {
  if (keep_ && same_snapshot(file, *keep_)) {
    kept_ = file;
  } else {
    remove_file(file.file);
  }
}

void SqliteStorage::keep_snapshot(std::optional<raft::SnapshotMeta> meta) {
  keep_ = std::move(meta);
  if (const std::optional<SnapshotFile> file = std::exchange(kept_, std::nullopt)) retire(*file);
}

void SqliteStorage::drop_received() {
  for (const SnapshotFile& file : received_) remove_file(file.file);
  received_.clear();
}

void SqliteStorage::remove_file(const std::string& file) {
  queue_files(
      [this, file]() -> Status {
        const int error = disk_.remove(Lane::files, directory_.fd(), file);
        // On some file systems removing takes room: the next start tries again.
        if (error != 0 && !is_no_room(error)) return Error{disk_error("remove", directory_.path() + "/" + file, error)};
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
                stats_.disk_bytes_written[static_cast<size_t>(Lane::files)] = disk_.bytes_written(Lane::files);
                if (!*status) return fail(status->error());
                done();
                pump_files();
              });
}

void SqliteStorage::begin_snapshot(const raft::SnapshotMeta& meta) {
  own_overtaken_ = false;
  queue_files(
      [this, meta] {
        own_failed_ = false;
        return own_or_room(own_.begin(meta));
      },
      [] {});
}

void SqliteStorage::write_snapshot_slice(Bytes slice) {
  const uint64_t size = slice.size();
  auto failed = std::make_shared<std::optional<std::string>>();
  queue_files(
      [this, slice = std::move(slice), failed]() -> Status {
        Status status = own_failed_ ? ok_status() : own_or_room(own_.write(slice.view()));
        if (own_failed_) *failed = own_failure_;
        return status;
      },
      [this, failed, size] {
        if (*failed) return own_failed(**failed);
        stats_.snapshot_bytes_written += size;
        give(node::SnapshotSliceWritten{});
      });
}

// Runs on the files lane: a snapshot that finds no room is abandoned, and the node goes on (HAZARDS F10).
Status SqliteStorage::own_or_room(Status status) {
  if (status || !own_.no_room()) return status;
  own_failed_ = true;
  own_failure_ = status.error();
  return own_.discard();
}

void SqliteStorage::own_failed(const std::string& why) {
  if (!own_.exhausted()) logf(LogLevel::warning, "a snapshot finds no room: %s", why.c_str());
  give(node::SnapshotFailed{.exhausted = own_.exhausted()});
}

void SqliteStorage::finish_snapshot() {
  auto file = std::make_shared<SnapshotFile>();
  auto failure = std::make_shared<std::string>();
  queue_files(
      [this, file, failure]() -> Status {
        Result<std::string> name = own_failed_ ? Result<std::string>(Error{own_failure_}) : own_.finish();
        if (!name) {
          *failure = name.error();
          return own_failed_ ? ok_status() : own_or_room(Error{name.error()});
        }
        *file = {own_.meta(), *name};
        file->meta.chain = 0;
        return ok_status();
      },
      [this, file, failure] {
        if (file->file.empty()) return own_failed(*failure);
        if (own_overtaken_) {
          remove_file(file->file);
          return give(node::SnapshotSaved{file->meta});
        }
        add_write(RecordSnapshot{std::move(*file)});
      });
}

void SqliteStorage::write_incoming_chunk(const raft::SnapshotMeta& meta, uint64_t offset, Bytes data, bool done) {
  auto result = std::make_shared<node::IncomingChunkWritten>();
  auto name = std::make_shared<std::string>();
  stats_.snapshot_bytes_written += data.size();
  result->meta = meta;
  queue_files(
      [this, result, name, meta, offset, data = std::move(data), done]() -> Status {
        Result<IncomingSnapshot::Stored> stored = incoming_.store(meta, offset, data.view(), done);
        if (!stored) return Error{stored.error()};
        result->ok = stored->ok;
        result->no_room = stored->no_room;
        result->exhausted = stored->exhausted;
        result->next_offset = stored->next_offset;
        result->complete = !stored->file.empty();
        *name = std::move(stored->file);
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
  if (kept_) look(*kept_);
  if (previous_) look(*previous_);
  std::for_each(received_.begin(), received_.end(), look);
  std::for_each(installing_.begin(), installing_.end(), look);
  if (recorded_) look(*recorded_);
  auto result = std::make_shared<node::SnapshotChunkRead>();
  result->request = request;
  result->index = meta.index;
  result->offset = offset;
  result->done = result->ok = false;
  read_part(result, found, max_bytes);
}

void SqliteStorage::read_part(const std::shared_ptr<node::SnapshotChunkRead>& result,
                              const std::optional<SnapshotFile>& file, uint64_t max_bytes) {
  auto exhausted = std::make_shared<bool>(false);
  queue_files(
      [this, result, file, max_bytes, exhausted]() -> Status {
        if (!file) return ok_status();
        Result<std::optional<SnapshotPart>> part = read_snapshot_part(
            disk_, directory_.path(), directory_.fd(), file->file, file->meta, result->offset, max_bytes);
        if (!part) return Error{part.error()};
        if (!*part) return ok_status();
        *exhausted = (*part)->exhausted;
        result->ok = !*exhausted;
        result->done = (*part)->done;
        result->data = Bytes(std::move((*part)->data));
        return ok_status();
      },
      [this, result, file, max_bytes, exhausted] {
        if (!*exhausted) return give(std::move(*result));
        if (put_off_log_.allow(steady_ms()))
          logf(LogLevel::warning,
               "out of file descriptors or memory: a snapshot cannot be read, and is tried each second");
        put_off_.emplace_back([this, result, file, max_bytes] { read_part(result, file, max_bytes); });
      });
}

}  // namespace wh::storage
