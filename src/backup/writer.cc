#include "backup/writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/assert.h"
#include "machine/command/event_headers.h"
#include "machine/dedup/sessions.h"
#include "storage/ballast.h"
#include "storage/disk.h"
#include "storage/format.h"

namespace wh::backup {
namespace {

// Bytes between two checks of the free room.
constexpr uint64_t kCheckRoomEvery = 4 << 20;
// A generous size for an empty backup.
constexpr uint64_t kLeastSize = 1 << 20;
// Bytes of rows read back in one call.
constexpr uint64_t kReadBackBytes = 1 << 20;

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

BackupFile::~BackupFile() { ::close(fd_); }

Result<std::string> BackupFile::read(uint64_t offset, size_t size) const {
  WH_ASSERT(offset <= size_ && size <= size_ - offset, "a part of a backup that is not there");
  std::string out(size, '\0');
  size_t have = 0;
  while (have < size) {
    const ssize_t n = ::pread(fd_, out.data() + have, size - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error{"cannot read the backup: " + (n == 0 ? "it is shorter than it was" : reason(errno))};
    have += static_cast<size_t>(n);
  }
  return out;
}

void bind_bytes(storage::Statement& statement, int at, std::string_view bytes) {
  if (is_text(bytes))
    statement.text(at, bytes);
  else
    statement.blob(at, bytes);
}

uint32_t add_row(uint32_t crc, const Table& table, const storage::Statement& row) {
  for (int column = 0; column < static_cast<int>(table.columns.size()); ++column) {
    const char kind = table.columns[static_cast<size_t>(column)];
    if ((kind == 'N' || kind == 'B') && row.is(column, SQLITE_NULL))
      crc = add_number(crc, UINT64_MAX);
    else
      crc = kind == 'n' || kind == 'N' ? add_number(crc, row.number(column)) : add_bytes(crc, row.bytes(column));
  }
  return crc;
}

BackupWriter::BackupWriter(std::string directory, BackupInfo info, uint64_t keep_free)
    : directory_(std::move(directory)), info_(std::move(info)), keep_free_(keep_free) {}

BackupWriter::~BackupWriter() {
  for (storage::Statement& statement : inserts_) statement.finalize();
  select_.finalize();
  if (db_ != nullptr) sqlite3_close(db_);
  if (fd_ >= 0) ::close(fd_);
}

Error BackupWriter::sql_error(std::string_view what) {
  // SQLite reports a full disk only for ENOSPC on a write. A missing inode for a new file, a quota and a file size
  // limit (ulimit -f) count too.
  const int error = sqlite3_system_errno(db_);
  const bool full = (sqlite3_errcode(db_) & 0xff) == SQLITE_FULL || storage::is_no_room(error);
  no_room_ = no_room_ || full;
  return Error{"cannot make the backup in " + directory_ + ": " + std::string(what) + ": " +
               (full && error != 0 ? reason(error) : sqlite3_errmsg(db_)) + storage::no_room_hint(directory_, error)};
}

// A backup must not fill up the node's disk.
Status BackupWriter::check_room(uint64_t needed) {
  room_checked_at_ = fed_;
  const int fd = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Error{"cannot tell how much room is left in " + directory_ + ": " + reason(errno)};
  const uint64_t free = storage::file_system_room(fd).free_bytes;
  ::close(fd);
  if (free >= keep_free_ && free - keep_free_ >= needed) return ok_status();
  no_room_ = true;
  return Error{"there is no room for a backup in " + directory_ + ": " + std::to_string(free) + " bytes are free, " +
               std::to_string(needed + keep_free_) + " are needed; free some, or ask another node"};
}

Status BackupWriter::begin(uint64_t expected) {
  // Pages are not full, and keys are in their index too.
  if (Status room = check_room(expected + expected / 2 + kLeastSize); !room) return room;
  const std::string path = directory_ + "/" + storage::kBackupTemporary;
  ::unlink(path.c_str());
  // Created here: SQLite tries other ways when it cannot create a file, and loses the reason.
  fd_ = ::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd_ < 0) {
    no_room_ = storage::is_no_room(errno);
    return Error{storage::disk_error("make", path, errno)};
  }
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(path.c_str(), &db_, kFlags, nullptr) != SQLITE_OK) {
    ::unlink(path.c_str());
    return sql_error("opening it");
  }
  // The file need not survive anything: no journal, no sync. Pages go to the file when the cache is full.
  std::string sql =
      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-2048;"
      "PRAGMA temp_store=MEMORY; PRAGMA application_id=" +
      std::to_string(kApplicationId) + "; PRAGMA user_version=" + std::to_string(info_.cluster_version) + ";";
  sql += "BEGIN IMMEDIATE;";
  for (const Table& table : kTables)
    if (table.exists_in(info_.cluster_version)) sql += std::string(table.sql) + ";";
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    ::unlink(path.c_str());
    return sql_error("creating it");
  }
  if (::unlink(path.c_str()) != 0) return Error{storage::disk_error("remove", path, errno)};
  for (size_t table = kMeta + 1; table < std::size(kTables); ++table) {
    if (!kTables[table].exists_in(info_.cluster_version)) continue;
    std::string insert = std::string("INSERT INTO ") + kTables[table].name + " VALUES(?";
    for (size_t column = 1; column < kTables[table].columns.size(); ++column) insert += ",?";
    if (inserts_[table].prepare(db_, insert + ")") != SQLITE_OK) return sql_error("preparing a statement");
  }
  return ok_status();
}

Status BackupWriter::feed(std::string_view snapshot) {
  fed_ += snapshot.size();
  if (fed_ - room_checked_at_ >= kCheckRoomEvery)
    if (Status room = check_room(kCheckRoomEvery); !room) return room;
  Status status = reader_.feed(snapshot);
  // SQLite's message says more than that a row could not be inserted.
  if (!status && sqlite3_errcode(db_) != SQLITE_OK && sqlite3_errcode(db_) != SQLITE_DONE)
    return sql_error("inserting a row");
  return status;
}

Status BackupWriter::inserted(storage::Statement& statement) {
  if (statement.run() != SQLITE_OK) return Error{"a row could not be inserted into the backup"};
  return ok_status();
}

Status BackupWriter::begin(const machine::SnapshotHead& head) {
  info_.keys = head.keys;
  info_.events = head.events;
  info_.sessions = head.sessions;
  const bool as_announced =
      head.applied == info_.index && head.time_ms == info_.time_ms && head.version == info_.cluster_version;
  if (!as_announced) return Error{"another state than was announced"};
  return ok_status();
}

// As of version 4 an old item has the numbers that its entry gave it.
Status BackupWriter::key(std::string_view key, std::string_view value) {
  if (info_.cluster_version >= 4) {
    const uint64_t since = info_.store_since.value;
    return item(
        {.key = key, .create_index = since, .mod_index = since, .version = 1, .content_type = {}, .value = value});
  }
  bind_bytes(inserts_[kPlainKeys], 1, key);
  bind_bytes(inserts_[kPlainKeys], 2, value);
  return inserted(inserts_[kPlainKeys]);
}

Status BackupWriter::item(const machine::StoreItem& item) {
  storage::Statement& insert = inserts_[kKeys];
  bind_bytes(insert, 1, item.key);
  bind_bytes(insert, 2, item.value);
  insert.bind(3, item.create_index).bind(4, item.mod_index).bind(5, item.version);
  insert.text(6, item.content_type);
  insert.bind(7, item.lease).bind(8, item.expires_at);
  return inserted(insert);
}

Status BackupWriter::lease(uint64_t id, Millis ttl, Millis deadline) {
  storage::Statement& insert = inserts_[kLeases];
  insert.bind(1, id).bind(2, ttl).bind(3, deadline);
  return inserted(insert);
}

Status BackupWriter::event(std::string_view queue, raft::Index id, std::string_view event) {
  storage::Statement& insert = inserts_[kPlainEvents];
  insert.bind(1, id.value);
  bind_bytes(insert, 2, queue);
  bind_bytes(insert, 3, event);
  return inserted(insert);
}

Status BackupWriter::queue(const machine::QueueItem& queue) {
  storage::Statement& insert = inserts_[kQueues];
  int at = 1;
  bind_bytes(insert, at++, queue.name);
  const machine::QueueTotals& t = queue.totals;
  for (const uint64_t number : {uint64_t{queue.paused_in}, uint64_t{queue.paused_out}, t.enqueued, t.acknowledged,
                                t.redelivered, t.expired, t.dead_lettered, t.dropped})
    insert.bind(at++, number);
  for (const auto& number : queue.own.numbers) {
    if (number)
      insert.bind(at, *number);
    else
      insert.null(at);
    ++at;
  }
  if (queue.own.dead_letter_queue)
    bind_bytes(insert, at, *queue.own.dead_letter_queue);
  else
    insert.null(at);
  ++at;
  std::string backoff;
  if (queue.own.backoff)
    for (const Millis delay : *queue.own.backoff) backoff += (backoff.empty() ? "" : " ") + std::to_string(delay);
  if (queue.own.backoff)
    insert.text(at, backoff);
  else
    insert.null(at);
  return inserted(insert);
}

Status BackupWriter::queue_event(const machine::EventItem& event) {
  const auto headers = machine::unpack_headers(event.headers);
  if (!headers) return Error{"malformed attributes"};
  const std::string attributes = to_lines(headers->attributes);
  storage::Statement& insert = inserts_[kEvents];
  insert.bind(1, event.id != 0 ? event.id : event.arrival);
  bind_bytes(insert, 2, event.queue);
  bind_bytes(insert, 3, event.bytes);
  insert.text(4, kStateNames[static_cast<size_t>(event.state)]);
  insert.bind(5, event.deliveries).bind(6, event.due);
  insert.text(7, headers->content_type);
  insert.text(8, attributes);
  insert.bind(9, uint64_t{headers->cloud_event});
  bind_bytes(insert, 10, event.group);
  insert.bind(11, uint64_t{event.holds_group}).bind(12, event.priority);
  insert.bind(13, event.id != 0 ? event.enqueued_at : event.arrived_at);
  insert.bind(14, event.arrival).bind(15, event.arrived_at).bind(16, event.expires_at).bind(17, event.delivery);
  bind_bytes(insert, 18, event.reason);
  bind_bytes(insert, 19, event.source_queue);
  return inserted(insert);
}

Status BackupWriter::binding(const machine::BindingItem& binding) {
  storage::Statement& insert = inserts_[kTopics];
  const std::string filter = to_lines({binding.filter.begin(), binding.filter.end()});
  bind_bytes(insert, 1, binding.topic);
  bind_bytes(insert, 2, binding.queue);
  insert.text(3, filter);
  return inserted(insert);
}

Status BackupWriter::session(std::string_view record) {
  storage::Statement& insert = inserts_[kSessions];
  Reader r(record);
  for (int at = 1; at <= 4; ++at) insert.bind(at, r.u64());
  insert.blob(5, r.raw(r.left()));
  return inserted(insert);
}

Status BackupWriter::cluster(const machine::SnapshotCluster& cluster) {
  info_.jumped_ms = cluster.jumped_ms;
  info_.settings = cluster.settings;
  info_.idempotency_keys = cluster.idempotency_keys;
  info_.queues = cluster.queues;
  info_.bindings = cluster.bindings;
  info_.last_number = cluster.last_number;
  info_.leases = cluster.leases;
  info_.store_since = cluster.store_since;
  return ok_status();
}

Status BackupWriter::idempotency(std::string_view name, const machine::IdempotencyKeys::Answer& answer,
                                 std::string_view reply) {
  storage::Statement& insert = inserts_[kIdempotency];
  Reader in(name);
  bind_bytes(insert, 1, in.bytes());
  bind_bytes(insert, 2, in.raw(in.left()));
  insert.blob(3, {reinterpret_cast<const char*>(answer.fingerprint.data()), answer.fingerprint.size()});
  insert.bind(4, answer.index.value).bind(5, answer.due);
  insert.blob(6, reply);
  return inserted(insert);
}

Status BackupWriter::end(uint64_t digest) {
  info_.digest = digest;
  return ok_status();
}

Result<bool> BackupWriter::finish_some() {
  if (!reader_.ended()) return Error{"the state that was to be backed up ends too early"};
  uint64_t bytes = 0;
  for (; table_ < std::size(kTables); ++table_) {
    const Table& table = kTables[table_];
    if (table.columns.empty() || !table.exists_in(info_.cluster_version)) continue;
    if (!selecting_ && select_.prepare(db_, table.select) != SQLITE_OK) return sql_error("reading it back");
    selecting_ = true;
    int code = SQLITE_ROW;
    while (bytes < kReadBackBytes && (code = select_.step()) == SQLITE_ROW) {
      info_.rows_crc = add_row(info_.rows_crc, table, select_);
      bytes += 64 + select_.bytes(1).size() + (table.columns.size() > 2 ? select_.bytes(2).size() : 0);
    }
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) return sql_error("reading it back");
    select_.finalize();
    selecting_ = false;
  }
  if (Status written = write_meta(); !written) return Error{written.error()};
  return false;
}

Status BackupWriter::write_meta() {
  std::vector<std::pair<std::string, MetaValue>> rows = meta_rows(info_);
  rows.emplace_back("checksum", static_cast<int64_t>(meta_checksum(info_)));
  storage::Statement insert;
  if (insert.prepare(db_, "INSERT INTO meta VALUES(?,?)") != SQLITE_OK) return sql_error("writing meta");
  for (const auto& [name, value] : rows) {
    insert.text(1, name);
    if (const auto* number = std::get_if<int64_t>(&value)) {
      insert.bind(2, static_cast<uint64_t>(*number));
    } else {
      bind_bytes(insert, 2, std::get<std::string>(value));
    }
    if (insert.run() != SQLITE_OK) return sql_error("writing meta");
  }
  insert.finalize();
  if (sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) return sql_error("ending it");
  return ok_status();
}

Result<std::shared_ptr<BackupFile>> BackupWriter::take() {
  for (storage::Statement& statement : inserts_) statement.finalize();
  if (sqlite3_close(db_) != SQLITE_OK) return sql_error("closing it");
  db_ = nullptr;
  struct stat info {};
  if (::fstat(fd_, &info) != 0) return Error{"cannot look at the backup: " + reason(errno)};
  return std::make_shared<BackupFile>(std::exchange(fd_, -1), static_cast<uint64_t>(info.st_size));
}

}  // namespace wh::backup
