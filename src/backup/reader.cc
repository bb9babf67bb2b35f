#include "backup/reader.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "backup/writer.h"
#include "base/hex.h"
#include "machine/command/command.h"
#include "machine/command/event_headers.h"
#include "machine/dedup/sessions.h"
#include "machine/snapshot/state_builder.h"

namespace wh::backup {
namespace {

constexpr size_t kHeaderBytes = 100;  // of an SQLite file
constexpr std::string_view kMagic{"SQLite format 3\0", 16};

// A file: URI of a path.
std::string uri_of(const std::string& path) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out = "file:";
  if (path.starts_with('/')) out += "//";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || c == '/' ||
        c == '.' || c == '-' || c == '_') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  // Opens the file as it is, without a lock, and ignores a journal or WAL beside it.
  return out + "?immutable=1";
}

uint32_t big_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

class BackupReader {
 public:
  explicit BackupReader(const std::string& path) : path_(path) {}
  ~BackupReader() {
    if (db_ != nullptr) sqlite3_close(db_);
  }
  BackupReader(const BackupReader&) = delete;
  BackupReader& operator=(const BackupReader&) = delete;

  Result<Backup> read() {
    for (Status (BackupReader::*step)() :
         {&BackupReader::check_file, &BackupReader::open, &BackupReader::check_structure, &BackupReader::read_meta,
          &BackupReader::read_rows})
      if (Status status = (this->*step)(); !status) return Error{status.error()};
    return std::move(backup_);
  }

 private:
  [[nodiscard]] Error damaged(const std::string& what) const { return Error{path_ + " is damaged: " + what}; }
  [[nodiscard]] Error sql_error() const { return damaged(std::string("SQLite says: ") + sqlite3_errmsg(db_)); }

  // Catches what SQLite does not notice: it takes an empty file, or one with trailing bytes, for a good database.
  Status check_file() {
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return Error{path_ + " cannot be opened: " + std::generic_category().message(errno)};
    struct stat info {};
    std::string header(kHeaderBytes, '\0');
    const bool looked = ::fstat(fd, &info) == 0;
    const ssize_t n = looked && S_ISREG(info.st_mode) ? ::pread(fd, header.data(), header.size(), 0) : 0;
    ::close(fd);
    if (!looked || !S_ISREG(info.st_mode)) return Error{path_ + " is no regular file"};
    backup_.file_bytes = static_cast<uint64_t>(info.st_size);
    if (info.st_size == 0) return Error{path_ + " is empty"};
    if (n < 0 || static_cast<size_t>(n) != header.size() || !std::string_view(header).starts_with(kMagic))
      return Error{path_ + " is no backup: it is not even an SQLite file"};
    uint64_t page = static_cast<unsigned char>(header[16]) * 256U + static_cast<unsigned char>(header[17]);
    if (page == 1) page = 65536;
    const uint64_t whole = page * big_endian(std::string_view(header).substr(28, 4));
    if (backup_.file_bytes == whole) return ok_status();
    return damaged("it has " + std::to_string(backup_.file_bytes) + " bytes and should have " + std::to_string(whole) +
                   (backup_.file_bytes < whole ? ", so its end is missing" : ""));
  }

  Status open() {
    constexpr int kFlags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(uri_of(path_).c_str(), &db_, kFlags, nullptr) != SQLITE_OK) return sql_error();
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_limit(db_, SQLITE_LIMIT_LENGTH, 16 << 20);
    for (const char* pragma : {"PRAGMA trusted_schema=off", "PRAGMA cell_size_check=on", "PRAGMA mmap_size=0"})
      if (sqlite3_exec(db_, pragma, nullptr, nullptr, nullptr) != SQLITE_OK) return sql_error();
    return ok_status();
  }

  Result<std::string> ask(const char* sql) {
    storage::Statement statement;
    if (statement.prepare(db_, sql) != SQLITE_OK || statement.step() != SQLITE_ROW) return sql_error();
    return std::string(statement.bytes(0));
  }

  Status check_structure() {
    const Result<std::string> application = ask("PRAGMA application_id");
    const Result<std::string> version = application ? ask("PRAGMA user_version") : application;
    if (!version) return Error{version.error()};
    if (*application != std::to_string(kApplicationId))
      return Error{path_ + " is an SQLite file, but no backup of this program"};
    const int64_t format = std::stoll("0" + *version);
    if (version->starts_with('-') || format < kFirstVersion)
      return damaged("its format " + *version + " never existed");
    if (format > kLatestVersion)
      return Error{path_ + " was made by a newer version of this program (version " + *version +
                   " of the cluster, this one can do " + std::to_string(kLatestVersion) + "): use that version"};
    backup_.info.cluster_version = static_cast<ClusterVersion>(format);
    const Result<std::string> check = ask("PRAGMA integrity_check(1)");
    if (!check) return Error{check.error()};
    if (*check != "ok") return damaged(*check);
    storage::Statement tables;
    if (tables.prepare(db_,
                       "SELECT type||' '||name||' '||sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid") !=
        SQLITE_OK)
      return sql_error();
    for (const Table& table : kTables)
      if (table.exists_in(backup_.info.cluster_version))
        if (tables.step() != SQLITE_ROW || tables.bytes(0) != std::string("table ") + table.name + " " + table.sql)
          return damaged("its tables are not those of a backup");
    if (tables.step() != SQLITE_DONE) return damaged("it has tables that are not a backup's");
    return ok_status();
  }

  Result<MetaValue> meta(const std::string& name) {
    storage::Statement s;
    if (s.prepare(db_, "SELECT value FROM meta WHERE name=?") != SQLITE_OK) return sql_error();
    const int code = s.text(1, name).step();
    if (code == SQLITE_DONE) return damaged("its table meta has no row " + name);
    if (code != SQLITE_ROW) return sql_error();
    if (s.is(0, SQLITE_INTEGER)) return MetaValue(static_cast<int64_t>(s.number(0)));
    if (!s.is(0, SQLITE_TEXT) && !s.is(0, SQLITE_BLOB)) return damaged("row " + name + " of meta is of another type");
    return MetaValue(std::string(s.bytes(0)));
  }

  Status read_meta() {
    BackupInfo& info = backup_.info;
    std::string digest;
    uint64_t rows_crc = 0;
    uint64_t checksum = 0;
    const std::pair<const char*, std::string*> texts[] = {{"cluster_id", &info.cluster_id},
                                                          {"made_at", &info.made_at},
                                                          {"node_id", &info.node_id},
                                                          {"state_digest", &digest},
                                                          {"wormhole_version", &info.version}};
    std::vector<std::pair<std::string, uint64_t*>> numbers = {
        {"cluster_time_ms", &info.time_ms}, {"events", &info.events},
        {"index", &info.index.value},       {"keys", &info.keys},
        {"rows_crc32c", &rows_crc},         {"sessions", &info.sessions},
        {"term", &info.term.value},         {"checksum", &checksum}};
    uint64_t version = kFirstVersion;
    if (info.cluster_version > kFirstVersion) {
      numbers.insert(
          numbers.end(),
          {{"cluster_version", &version}, {"idempotency", &info.idempotency_keys}, {"jumped_ms", &info.jumped_ms}});
      for (const machine::SettingRow& row : machine::settings_as_of(info.cluster_version))
        numbers.emplace_back("setting_" + std::string(row.name), &(info.settings.*row.value));
    }
    if (info.cluster_version >= 3)
      numbers.insert(numbers.end(),
                     {{"queues", &info.queues}, {"topics", &info.bindings}, {"last_number", &info.last_number}});
    if (info.cluster_version >= 4)
      numbers.insert(numbers.end(), {{"leases", &info.leases}, {"keys_since", &info.store_since.value}});
    for (const auto& [name, to] : texts) {
      Result<MetaValue> value = meta(name);
      if (!value) return Error{value.error()};
      if (!std::holds_alternative<std::string>(*value))
        return damaged(std::string("row ") + name + " of meta is no text");
      *to = std::get<std::string>(std::move(*value));
    }
    for (const auto& [name, to] : numbers) {
      Result<MetaValue> value = meta(name);
      if (!value) return Error{value.error()};
      const auto* number = std::get_if<int64_t>(&*value);
      if (number == nullptr || *number < 0) return damaged("row " + name + " of meta is no number");
      *to = static_cast<uint64_t>(*number);
    }
    info.rows_crc = static_cast<uint32_t>(rows_crc);
    if (version != info.cluster_version || info.jumped_ms > info.time_ms)
      return damaged("its version or its times are out of range");
    info.time_ms -= info.jumped_ms;
    if (digest.size() != 16 || std::sscanf(digest.c_str(), "%16lx", &info.digest) != 1 || to_hex(info.digest) != digest)
      return damaged("row state_digest of meta is none");
    if (rows_crc != info.rows_crc || checksum != meta_checksum(info))
      return damaged("the checksum of its table meta does not match");
    const size_t texts_and_numbers = std::size(texts) + numbers.size();
    if (const Result<std::string> rows = ask("SELECT count(*) FROM meta");
        !rows || *rows != std::to_string(texts_and_numbers))
      return damaged("its table meta has rows that are not a backup's");
    if (info.index.value == 0 || info.index.value >= raft::kLimit || info.term.value >= raft::kLimit)
      return damaged("its index or term is out of range");
    return ok_status();
  }

  // Whether a column stores bytes as the writer would.
  static bool well_stored(const storage::Statement& row, int column) {
    return row.is(column, is_text(row.bytes(column)) ? SQLITE_TEXT : SQLITE_BLOB);
  }

  Status take_row(size_t table, const storage::Statement& row) {
    switch (table) {
      case kPlainKeys:
        if (!well_stored(row, 0) || !well_stored(row, 1)) return Error{"a value is of another type"};
        return builder_.key(row.bytes(0), row.bytes(1));
      case kKeys:
        return take_item(row);
      case kLeases:
        if (!well_typed(kTables[kLeases], row)) return Error{"a value is of another type"};
        return builder_.lease(row.number(0), row.number(1), row.number(2));
      case kQueues:
        return take_queue(row);
      case kEvents:
        return take_event(row);
      case kTopics:
        return take_binding(row);
      case kPlainEvents:
        if (!well_stored(row, 1) || !well_stored(row, 2)) return Error{"a value is of another type"};
        return builder_.event(row.bytes(1), raft::Index{row.number(0)}, row.bytes(2));
      case kIdempotency:
        return take_idempotency(row);
      default: {
        std::string record;
        Writer w(record);
        for (int column = 0; column < 4; ++column) {
          if (!row.is(column, SQLITE_INTEGER)) return Error{"a value is of another type"};
          w.u64(row.number(column));
        }
        if (!row.is(4, SQLITE_BLOB)) return Error{"a value is of another type"};
        w.raw(row.bytes(4));
        return builder_.session(record);
      }
    }
  }

  // Whether each column holds what its letter in Table::columns says.
  static bool well_typed(const Table& table, const storage::Statement& row) {
    for (int column = 0; column < static_cast<int>(table.columns.size()); ++column) {
      const char kind = table.columns[static_cast<size_t>(column)];
      if ((kind == 'N' || kind == 'B') && row.is(column, SQLITE_NULL)) continue;
      if (kind == 'n' || kind == 'N' ? !row.is(column, SQLITE_INTEGER) : !well_stored(row, column)) return false;
    }
    return true;
  }

  // No command of that entry changed an item, so what has its index is old.
  Status take_item(const storage::Statement& row) {
    if (!well_typed(kTables[kKeys], row)) return Error{"a value is of another type"};
    const machine::StoreItem item{.key = row.bytes(0),
                                  .create_index = row.number(2),
                                  .mod_index = row.number(3),
                                  .version = row.number(4),
                                  .lease = row.number(6),
                                  .expires_at = row.number(7),
                                  .content_type = row.bytes(5),
                                  .value = row.bytes(1)};
    const uint64_t since = backup_.info.store_since.value;
    if (item.mod_index != since) return builder_.item(item);
    if (item.create_index != since || item.version != 1 || item.lease != 0 || item.expires_at != 0 ||
        !item.content_type.empty())
      return Error{"a key is half an old one"};
    return builder_.key(item.key, item.value);
  }

  Status take_queue(const storage::Statement& row) {
    if (!well_typed(kTables[kQueues], row)) return Error{"a value is of another type"};
    machine::QueueItem item;
    item.name = row.bytes(0);
    if (row.number(1) > 1 || row.number(2) > 1) return Error{"a pause is neither 0 nor 1"};
    item.paused_in = row.number(1) == 1;
    item.paused_out = row.number(2) == 1;
    machine::QueueTotals& t = item.totals;
    int at = 3;
    for (uint64_t* total : {&t.enqueued, &t.acknowledged, &t.redelivered, &t.expired, &t.dead_lettered, &t.dropped})
      *total = row.number(at++);
    const auto take = [&](const machine::QueueSettingChange& change) {
      Status fits = machine::check_queue_setting(change, kLatestVersion);
      if (fits) (void)item.own.apply(change);
      return fits;
    };
    for (size_t i = 0; i < machine::kQueueNumbers; ++i, ++at)
      if (!row.is(at, SQLITE_NULL))
        if (Status fits = take({.setting = static_cast<uint8_t>(i), .number = row.number(at)}); !fits) return fits;
    if (!row.is(at, SQLITE_NULL))
      if (Status fits =
              take({.setting = static_cast<uint8_t>(machine::QueueSetting::dead_letter_queue), .name = row.bytes(at)});
          !fits)
        return fits;
    ++at;
    if (!row.is(at, SQLITE_NULL)) {
      machine::QueueSettingChange change{.setting = static_cast<uint8_t>(machine::QueueSetting::backoff)};
      std::string_view rest = row.bytes(at);
      while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find(' '));
        Millis delay = 0;
        const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), delay);
        if (error != std::errc{} || end != one.data() + one.size()) return Error{"a backoff is no list of numbers"};
        change.delays.push_back(delay);
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      }
      if (Status fits = take(change); !fits) return fits;
    }
    return builder_.queue(item);
  }

  Status take_event(const storage::Statement& row) {
    if (!well_typed(kTables[kEvents], row)) return Error{"a value is of another type"};
    machine::EventItem item;
    const uint64_t id = row.number(0);
    item.queue = row.bytes(1);
    item.bytes = row.bytes(2);
    const auto* state = std::find(std::begin(kStateNames), std::end(kStateNames), row.bytes(3));
    if (state == std::end(kStateNames)) return Error{"an event is in no known state"};
    item.state = static_cast<machine::EventState>(state - std::begin(kStateNames));
    item.due = row.number(5);
    item.group = row.bytes(9);
    item.arrival = row.number(13);
    item.arrived_at = row.number(14);
    item.expires_at = row.number(15);
    item.delivery = row.number(16);
    item.reason = row.bytes(17);
    item.source_queue = row.bytes(18);
    const bool dead = id != item.arrival;
    if (row.number(4) > UINT32_MAX || row.number(8) > 1 || row.number(10) > 1 || row.number(11) >= machine::kPriorities)
      return Error{"a number of an event is out of range"};
    if (!dead && (row.number(12) != item.arrived_at || !item.reason.empty() || !item.source_queue.empty()))
      return Error{"an event is half a dead letter"};
    item.deliveries = static_cast<uint32_t>(row.number(4));
    item.holds_group = row.number(10) == 1;
    item.priority = static_cast<uint8_t>(row.number(11));
    const auto attributes = from_lines(row.bytes(7));
    if (!attributes) return Error{"an event's attributes are malformed"};
    const machine::EventHeaders headers{row.number(8) == 1, row.bytes(6), *attributes};
    if (!machine::check_headers(headers)) return Error{"an event's attributes are out of bounds"};
    const std::string packed = machine::pack_headers(headers);
    item.headers = packed;
    item.has_extra = dead || !packed.empty();
    if (dead) {
      item.id = id;
      item.enqueued_at = row.number(12);
    }
    return builder_.queue_event(item);
  }

  Status take_binding(const storage::Statement& row) {
    if (!well_typed(kTables[kTopics], row)) return Error{"a value is of another type"};
    const auto filter = from_lines(row.bytes(2));
    if (!filter) return Error{"a filter is malformed"};
    return builder_.binding({row.bytes(0), row.bytes(1), {filter->begin(), filter->end()}});
  }

  Status take_idempotency(const storage::Statement& row) {
    machine::IdempotencyKeys::Answer answer;
    const std::string_view fingerprint = row.bytes(2);
    if (!well_stored(row, 0) || !well_stored(row, 1) || !row.is(2, SQLITE_BLOB) || !row.is(5, SQLITE_BLOB) ||
        !row.is(3, SQLITE_INTEGER) || !row.is(4, SQLITE_INTEGER) || fingerprint.size() != answer.fingerprint.size())
      return Error{"a value is of another type"};
    std::copy(fingerprint.begin(), fingerprint.end(), answer.fingerprint.begin());
    answer.index.value = row.number(3);
    answer.due = row.number(4);
    return builder_.idempotency(machine::IdempotencyKeys::name_of(row.bytes(0), row.bytes(1)), answer, row.bytes(5));
  }

  Status read_rows() {
    const BackupInfo& info = backup_.info;
    const auto refuse = [&](const std::string& why) { return damaged("its rows make no state: " + why); };
    if (const Status begun =
            builder_.begin({info.cluster_version, info.index, info.time_ms, info.keys, info.events, info.sessions});
        !begun)
      return refuse(begun.error());
    if (info.cluster_version > kFirstVersion) {
      for (const machine::SettingRow& row : machine::settings_as_of(info.cluster_version))
        if (info.settings.*row.value < row.min || info.settings.*row.value > row.max)
          return refuse("a setting is out of its range");
      if (const Status taken = builder_.cluster({info.jumped_ms, info.idempotency_keys, info.settings, info.last_number,
                                                 info.queues, info.bindings, info.store_since, info.leases});
          !taken)
        return refuse(taken.error());
    }
    uint32_t crc = 0;
    for (size_t table = kMeta + 1; table < std::size(kTables); ++table) {
      if (!kTables[table].exists_in(info.cluster_version)) continue;
      storage::Statement rows;
      if (rows.prepare(db_, kTables[table].select) != SQLITE_OK) return sql_error();
      int code = SQLITE_ROW;
      while ((code = rows.step()) == SQLITE_ROW) {
        if (const Status taken = take_row(table, rows); !taken) return refuse(taken.error());
        crc = add_row(crc, kTables[table], rows);
      }
      if (code != SQLITE_DONE) return sql_error();
    }
    if (crc != info.rows_crc) return damaged("the checksum of its rows does not match");
    if (const Status taken = builder_.end(info.digest); !taken) return refuse(taken.error());
    backup_.state = builder_.take();
    return ok_status();
  }

  const std::string path_;
  sqlite3* db_ = nullptr;
  Backup backup_;
  machine::StateBuilder builder_;
};

}  // namespace

Result<Backup> read_backup(const std::string& path) { return BackupReader(path).read(); }

}  // namespace wh::backup
