// The opening of a Database: creation, and the verification of everything that an earlier life left. Order of creation:
// an empty witness, then the database with revision 1, then the witness's first claim; so a crash in between can be
// told from a file that was lost later.
#include <algorithm>
#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/mutant.h"
#include "storage/database.h"
#include "storage/snapshot_files.h"

namespace wh::storage {
namespace {

struct Table {
  const char* name;
  const char* sql;
};
constexpr Table kSchema[] = {
    {"meta",
     "CREATE TABLE meta(id INTEGER PRIMARY KEY, cluster BLOB NOT NULL, instance INTEGER NOT NULL, name TEXT NOT NULL, "
     "epoch INTEGER NOT NULL, revision INTEGER NOT NULL, term INTEGER NOT NULL, vote INTEGER NOT NULL, "
     "granted_to INTEGER NOT NULL, granted_attempt INTEGER NOT NULL, granted_address TEXT NOT NULL, "
     "base_index INTEGER NOT NULL, base_term INTEGER NOT NULL, base_chain INTEGER NOT NULL, "
     "saw_command INTEGER NOT NULL, saw_others INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT"},
    {"log",
     "CREATE TABLE log(idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, kind INTEGER NOT NULL, "
     "time_ms INTEGER NOT NULL, crc INTEGER NOT NULL, chain INTEGER NOT NULL, data BLOB NOT NULL) STRICT"},
    {"snapshot",
     "CREATE TABLE snapshot(id INTEGER PRIMARY KEY, meta BLOB NOT NULL, file TEXT NOT NULL, crc INTEGER NOT NULL) "
     "STRICT"},
};

constexpr uint64_t kCreated = 1;  // the revision of a created, unused database

bool exists(int directory_fd, const std::string& file) {
  return ::faccessat(directory_fd, file.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

Result<node::RecoveredNode> Database::open(int directory_fd) {
  Result<node::RecoveredNode> out = examine(directory_fd);
  if (!out) return out;
  if (Status status = begin_use(); !status) return Error{status.error()};
  out->epoch = meta_.epoch;
  return out;
}

// Makes the first change.
Status Database::begin_use() {
  claim_ = current_claim();
  // From here on, an empty witness means that its contents were lost.
  if (std::exchange(witness_blank_, false))
    if (Status status = write_witness(claim_, Witness::Durability::now); !status) return status;
  ++meta_.epoch;
  meta_changed_ = true;
  Status counted = undoing([&]() -> Status {
    if (Status status = begin(); !status) return status;
    return commit(true);
  });
  if (!counted) return counted;
  if (Status status = settle(); !status) return status;
  failed_ = false;
  return ok_status();
}

Result<node::RecoveredNode> Database::examine(int directory_fd) {
  const std::string wal = std::string(kDatabaseFile) + "-wal";
  const bool has_database = exists(directory_fd, kDatabaseFile);
  Witness::Found found;
  found.blank = true;
  if (exists(directory_fd, kWitnessFile)) {
    Result<Witness::Found> opened = witness_.open(directory_fd);
    if (!opened) return Error{opened.error()};
    found = *opened;
    if (!found.claim && !found.blank) return damaged(std::string(kWitnessFile) + ": neither of its records is valid");
  } else if ((has_database || exists(directory_fd, wal)) && !WH_MUTANT(missing_witness_is_new)) {
    return damaged(std::string(kWitnessFile) + ": is missing, but " + kDatabaseFile + " or its WAL is there");
  }
  if (WH_MUTANT(missing_database_is_new) && !has_database) found = Witness::Found{.blank = true};
  if (found.claim && !has_database)
    return damaged(std::string(kDatabaseFile) + ": is missing, but the witness of what it held is there");

  // If the file were empty, SQLite would remove the WAL, which is evidence.
  struct stat info {};
  if (found.claim && ::fstatat(directory_fd, kDatabaseFile, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_size == 0)
    return damaged(std::string(kDatabaseFile) + ": is empty, but the witness of what it held is there");

  if (found.blank)
    if (Status status = witness_.create(directory_fd); !status) return Error{status.error()};
  if (!has_database) {
    const std::string path = directory_ + "/" + kDatabaseFile;
    const mode_t mode = WH_MUTANT(database_open_to_all) ? 0644 : 0600;
    const int fd = ::openat(directory_fd, kDatabaseFile, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) return Error{disk_error("create", path, errno)};
    ::close(fd);
    const int error = disk_.sync_directory(Lane::database, directory_fd);
    if (error != 0) return Error{disk_error("sync", directory_, error)};
  }
  if (Status status = open_connection(); !status) return Error{status.error()};
  bool is_new = false;
  if (Status status = check_format(is_new); !status) return Error{status.error()};
  if (is_new && found.claim)
    return damaged(std::string(kDatabaseFile) + ": holds nothing, but the witness of what it held is there");
  if (is_new) {
    // SQLite removed its rollback journal without syncing the directory: if the journal came back, it would undo the
    // switch to WAL and everything after it.
    const int error = WH_MUTANT(journal_comes_back) ? 0 : disk_.sync_directory(Lane::database, directory_fd);
    if (error != 0) return Error{disk_error("sync", directory_, error)};
    if (Status status = create(); !status) return Error{status.error()};
  } else {
    if (Status status = check_structure(); !status) return Error{status.error()};
    if (Status status = prepare_statements(); !status) return Error{status.error()};
    if (Status status = read_meta(); !status) return Error{status.error()};
    if (found.blank && meta_.revision != kCreated && !WH_MUTANT(missing_witness_is_new))
      return damaged(std::string(kWitnessFile) + ": is empty, but " + kDatabaseFile + " is in use");
  }
  witness_.set_instance(meta_.instance);
  if (found.claim && found.instance != meta_.instance && !WH_MUTANT(foreign_witness_believed))
    return damaged(std::string(kWitnessFile) + ": belongs to another data directory");
  // A directory that was never in a cluster and promised nothing need not keep its name: its start may have failed.
  const std::string& first_name = settings_.name.empty() ? settings_.default_name : settings_.name;
  if (meta_.cluster == node::kNoCluster && !meta_.granted_to) meta_.name = first_name;
  if (!settings_.name.empty() && meta_.name != settings_.name)
    return Error{"the data in " + directory_ + " is that of node-id \"" + meta_.name +
                 "\", which is fixed at the first start, but the configuration says node-id \"" + settings_.name +
                 "\""};
  node::RecoveredNode out;
  if (Status status = read_snapshot_row(); !status) return Error{status.error()};
  if (Status status = scan(out, found.claim); !status && !WH_MUTANT(damaged_log_starts)) return Error{status.error()};

  if (snapshot_ && !WH_MUTANT(snapshot_file_not_verified)) {
    const std::optional<Status> whole = verify_snapshot(disk_, directory_fd, snapshot_->file, snapshot_->meta);
    if (!whole)
      return Error{directory_ + "/" + snapshot_->file +
                   " could not be opened: out of file descriptors or memory (ulimit -n)"};
    if (!*whole) return damaged(whole->error());
  }
  witness_blank_ = found.blank;
  out.cluster = meta_.cluster;
  out.instance = meta_.instance;
  out.name = meta_.name;
  out.epoch = meta_.epoch;
  out.raft.hard_state = meta_.hard_state;
  if (snapshot_) out.raft.snapshot = snapshot_->meta;
  out.saw_command = meta_.saw_command;
  out.saw_others = meta_.saw_others;
  out.granted_to = meta_.granted_to;
  out.granted_attempt = meta_.granted_attempt;
  out.granted_address = meta_.granted_address;
  return out;
}

Status Database::open_connection() {
  const std::string path = directory_ + "/" + kDatabaseFile;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
  const char* vfs = WH_MUTANT(database_mapped) ? nullptr : vfs_.name();
  if (sqlite3_open_v2(path.c_str(), &db_, kFlags, vfs) != SQLITE_OK) return sql_error("opening it");
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  // HAZARDS chapter 5.1, SQLite's pragmas: in this order, each read back.
  struct Pragma {
    const char* name;
    const char* value;
    const char* read_back;
  };
  const char* mmap_size = WH_MUTANT(database_mapped) ? "67108864" : "0";
  const Pragma pragmas[] = {
      {"journal_mode", "WAL", "wal"},      {"synchronous", "FULL", "2"},
      {"wal_autocheckpoint", "0", "0"},    {"journal_size_limit", "16777216", "16777216"},
      {"mmap_size", mmap_size, mmap_size}, {"foreign_keys", "off", "0"},
      {"trusted_schema", "off", "0"},      {"cell_size_check", "on", "1"},
      {"temp_store", "memory", "2"},
  };
  if (Status status = set_pragma("locking_mode", "EXCLUSIVE", "exclusive"); !status) return status;
  // Only for a file that holds nothing yet, and before WAL, which writes to it. Lets shrink() return free pages.
  const Result<std::string> size = query_text("PRAGMA page_count");
  if (!size) return Error{size.error()};
  if (*size == "0")
    if (Status status = set_pragma("auto_vacuum", "INCREMENTAL", "2"); !status) return status;
  for (const Pragma& pragma : pragmas)
    if (Status status = set_pragma(pragma.name, pragma.value, pragma.read_back); !status) return status;
  // Set after wal_autocheckpoint, which would remove the hook.
  sqlite3_wal_hook(
      db_,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Database*>(self)->wal_pages_ = static_cast<uint64_t>(pages);
        return SQLITE_OK;
      },
      this);
  const Result<std::string> page_size = query_text("PRAGMA page_size");
  if (!page_size) return Error{page_size.error()};
  page_size_ = std::stoull("0" + *page_size);
  return ok_status();
}

Result<std::string> Database::query_text(const std::string& sql) {
  Statement statement;
  if (statement.prepare(db_, sql) != SQLITE_OK) return sql_error("reading it");
  const int code = statement.step();
  if (code == SQLITE_DONE) return std::string();
  if (code != SQLITE_ROW) return sql_error("reading it");
  return std::string(statement.bytes(0));
}

Status Database::set_pragma(const std::string& name, const std::string& value, const std::string& read_back) {
  if (const Result<std::string> set = query_text("PRAGMA " + name + "=" + value); !set) return Error{set.error()};
  const Result<std::string> got = query_text("PRAGMA " + name);
  if (!got) return Error{got.error()};
  if (*got == read_back) return ok_status();
  return Error{directory_ + "/" + kDatabaseFile + ": SQLite did not accept " + name + "=" + value + " but says " +
               *got};
}

// `is_new`: nothing was ever committed to it.
Status Database::check_format(bool& is_new) {
  const Result<std::string> application = query_text("PRAGMA application_id");
  const Result<std::string> version = application ? query_text("PRAGMA user_version") : application;
  const Result<std::string> tables = version ? query_text("SELECT count(*) FROM sqlite_schema") : version;
  if (!tables) return Error{tables.error()};
  is_new = *application == "0" && *version == "0" && *tables == "0";
  if (is_new) return ok_status();
  if (*application != std::to_string(kApplicationId))
    return damaged(std::string(kDatabaseFile) + ": is not a database of this program");
  const int64_t found = std::stoll(*version);
  format_ = static_cast<ClusterVersion>(std::clamp<int64_t>(found, kFirstFormat, UINT32_MAX));
  if ((found >= kFirstFormat && found <= settings_.version) || WH_MUTANT(any_format_opened)) return ok_status();
  if (found > settings_.version)
    return Error{
        directory_ + "/" + kDatabaseFile + ": holds data of version " + *version +
        " of the cluster, and this node can do version " + std::to_string(settings_.version) + " at most: " +
        (found <= kLatestVersion ? "raise version-limit" : "install the release that wrote it, or a newer one")};
  return damaged(std::string(kDatabaseFile) + ": its format " + *version + " never existed");
}

Status Database::create() {
  meta_ = Meta{};
  meta_.instance = settings_.instance;
  if (WH_MUTANT(instance_of_the_name)) meta_.instance = raft::NodeId{std::hash<std::string>{}(settings_.name)};
  meta_.name = settings_.name.empty() ? settings_.default_name : settings_.name;
  std::string sql = "BEGIN IMMEDIATE;";
  for (const Table& table : kSchema) sql += std::string(table.sql) + ";";
  sql += "PRAGMA application_id=" + std::to_string(kApplicationId) + ";";
  sql += "PRAGMA user_version=" + std::to_string(kFirstFormat) + ";";
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return sql_error("creating it");
  if (Status status = prepare_statements(); !status) return status;
  if (Status status = store_meta(); !status) return status;
  if (commit_.run() != SQLITE_OK) return sql_error("creating it");
  return ok_status();
}

Status Database::prepare_statements() {
  const std::pair<Statement*, const char*> statements[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&insert_, WH_MUTANT(stale_tail_stays)
                     ? "REPLACE INTO log(idx,term,kind,time_ms,crc,chain,data) VALUES(?,?,?,?,?,?,?)"
                     : "INSERT INTO log(idx,term,kind,time_ms,crc,chain,data) VALUES(?,?,?,?,?,?,?)"},
      {&delete_from_, "DELETE FROM log WHERE idx>=?"},
      {&delete_to_, "DELETE FROM log WHERE idx<=?"},
      {&delete_all_, "DELETE FROM log"},
      {&select_, "SELECT idx,term,kind,time_ms,crc,chain,data FROM log WHERE idx BETWEEN ? AND ? ORDER BY idx"},
      {&select_sizes_, "SELECT idx,length(data) FROM log WHERE idx<=? ORDER BY idx LIMIT ?"},
      {&update_meta_,
       "REPLACE INTO meta(id,cluster,instance,name,epoch,revision,term,vote,granted_to,granted_attempt,"
       "granted_address,base_index,base_term,base_chain,saw_command,saw_others,crc) "
       "VALUES(1,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
      {&put_snapshot_, "REPLACE INTO snapshot(id,meta,file,crc) VALUES(1,?,?,?)"},
      {&delete_snapshot_, "DELETE FROM snapshot"},
      {&shrink_, "PRAGMA incremental_vacuum(256)"},
  };
  for (const auto& [statement, sql] : statements)
    if (statement->prepare(db_, sql) != SQLITE_OK) return sql_error("preparing a statement");
  return ok_status();
}

// Damage that SQLite can see: pages, not their content (HAZARDS chapter 1.1, flipped bits); and whether the tables are
// the ones created above.
Status Database::check_structure() {
  const Result<std::string> check = query_text("PRAGMA quick_check(1)");
  if (!check) return Error{check.error()};
  if (*check != "ok") return damaged(std::string(kDatabaseFile) + ": " + *check);
  Statement tables;
  if (tables.prepare(db_, "SELECT type||' '||name||' '||tbl_name||' '||sql FROM sqlite_schema ORDER BY rowid") !=
      SQLITE_OK)
    return sql_error("reading it");
  for (const Table& table : kSchema) {
    const std::string name = table.name;
    if (tables.step() != SQLITE_ROW || tables.bytes(0) != "table " + name + " " + name + " " + table.sql)
      return damaged(std::string(kDatabaseFile) + ": its tables are not this program's");
  }
  if (format_ >= kPagesVersion) {
    const std::string name = kPagesTable;
    if (tables.step() != SQLITE_ROW || tables.bytes(0) != "table " + name + " " + name + " " + kPagesSql)
      return damaged(std::string(kDatabaseFile) + ": its tables are not this program's");
  }
  if (tables.step() != SQLITE_DONE) return damaged(std::string(kDatabaseFile) + ": its tables are not this program's");
  return ok_status();
}

Status Database::read_meta() {
  const std::string row = std::string(kDatabaseFile) + ": row 1 of meta: ";
  Statement s;
  if (s.prepare(db_,
                "SELECT cluster,instance,name,epoch,revision,term,vote,granted_to,granted_attempt,granted_address,"
                "base_index,base_term,base_chain,saw_command,saw_others,crc,id FROM meta") != SQLITE_OK)
    return sql_error("reading meta");
  const int code = s.step();
  if (code == SQLITE_DONE) return damaged(row + "is missing");
  if (code != SQLITE_ROW) return sql_error("reading meta");
  Meta& m = meta_;
  const std::string_view cluster = s.bytes(0);
  if (cluster.size() != m.cluster.size()) return damaged(row + "its checksum does not match");
  std::copy(cluster.begin(), cluster.end(), reinterpret_cast<char*>(m.cluster.data()));
  m.instance = raft::NodeId{s.number(1)};
  m.name = s.bytes(2);
  m.epoch = s.number(3);
  m.revision = s.number(4);
  m.hard_state = {raft::Term{s.number(5)}, raft::NodeId{s.number(6)}};
  m.granted_to = raft::NodeId{s.number(7)};
  m.granted_attempt = s.number(8);
  m.granted_address = s.bytes(9);
  m.base_index = raft::Index{s.number(10)};
  m.base_term = raft::Term{s.number(11)};
  m.base_chain = s.number(12);
  m.saw_command = s.number(13) != 0;
  m.saw_others = s.number(14) != 0;
  if (s.number(15) != meta_crc(m) && !WH_MUTANT(meta_checksum_ignored))
    return damaged(row + "its checksum does not match");
  if (s.step() != SQLITE_DONE) return damaged(row + "is not the only one");
  return ok_status();
}

Status Database::read_snapshot_row() {
  const std::string row = std::string(kDatabaseFile) + ": row 1 of snapshot: ";
  Statement s;
  if (s.prepare(db_, "SELECT meta,file,crc FROM snapshot") != SQLITE_OK) return sql_error("reading snapshot");
  const int code = s.step();
  if (code == SQLITE_DONE) return ok_status();
  if (code != SQLITE_ROW) return sql_error("reading snapshot");
  const std::optional<raft::SnapshotMeta> meta = decode_snapshot_meta(s.bytes(0));
  if (!meta || s.number(2) != snapshot_row_crc(s.bytes(0), s.bytes(1)))
    return damaged(row + "its checksum does not match");
  snapshot_ = SnapshotFile{*meta, std::string(s.bytes(1))};
  if (s.step() != SQLITE_DONE) return damaged(row + "is not the only one");
  return ok_status();
}

// Rows: the log before version 5.
Status Database::scan_rows(const std::function<Status(Row&)>& take) {
  const ResetAtEnd reset(select_);
  select_.bind(1, 0).bind(2, raft::kLimit);
  int code = SQLITE_DONE;
  while ((code = select_.step()) == SQLITE_ROW) {
    Row row;
    if (Status status = take_row(select_, row); !status) return status;
    if (row.entry.index != last_index_ + 1)
      return damaged_row(last_index_ + 1, row.entry.index > last_index_ ? "is missing" : "is followed by an older one");
    if (Status status = take(row); !status) return status;
  }
  return code == SQLITE_DONE ? ok_status() : Status(sql_error("reading the log"));
}

// Pages hold the rest.
Status Database::scan_pages(const std::function<Status(Row&)>& take) {
  if (format_ < kPagesVersion) return ok_status();
  const bool rows = last_index_ > meta_.base_index;
  if (Status status = pages_.load(db_, meta_.base_index); !status) return status;
  if (!pages_.hold(last_index_ + 1)) return damaged_row(last_index_ + 1, "is missing");
  if (rows && pages_.hold(last_index_)) return damaged_row(last_index_, "is in pages too");
  LogPages::Walk walk(pages_, last_index_ + 1);
  while (last_index_ + 1 < pages_.next()) {
    Row row;
    if (Status status = walk.next(row.entry, row.chain); !status) return status;
    if (Status status = take(row); !status) return status;
  }
  return ok_status();
}

// Reads the whole log: checks every row's checksum, that there is no gap (HAZARDS B9), the hash chain, and that the log
// meets the snapshot (HAZARDS F1, no gap after compaction) and the witness.
Status Database::scan(node::RecoveredNode& out, const std::optional<Claim>& claim) {
  raft::Log::Recovered& log = out.raft.log;
  log.base_index = last_index_ = meta_.base_index;
  log.base_term = last_term_ = meta_.base_term;
  last_chain_ = meta_.base_chain;
  if (snapshot_) {
    log.configurations.push_back({snapshot_->meta.configuration_index, snapshot_->meta.configuration});
    log.last_time_ms = snapshot_->meta.time_ms;
  }
  std::optional<uint64_t> chain_at_claim;
  std::optional<Mark> mark_at_snapshot;
  const auto passed = [&] {
    if (claim && claim->index == last_index_) chain_at_claim = last_chain_;
    if (snapshot_ && snapshot_->meta.index == last_index_) mark_at_snapshot = Mark{last_term_, last_chain_};
  };
  passed();
  std::deque<raft::Entry> tail;
  uint64_t tail_bytes = 0;
  const auto take = [&](Row& row) -> Status {
    raft::Entry& entry = row.entry;
    if (row.chain != next_chain(last_chain_, entry) && !WH_MUTANT(chain_not_compared))
      return damaged_row(entry.index, "does not continue the hash chain");
    if (entry.term < last_term_) return damaged_row(entry.index, "its term is below that of the row before");
    if (log.runs.empty() || log.runs.back().term != entry.term) log.runs.push_back({entry.index, entry.term});
    if (entry.kind == raft::EntryKind::configuration) {
      const auto configuration = raft::Configuration::decode(entry.payload.view());
      if (!configuration) return damaged_row(entry.index, "does not hold a configuration");
      if (!snapshot_ || entry.index > snapshot_->meta.configuration_index)
        log.configurations.push_back({entry.index, *configuration});
    }
    if (entry.kind == raft::EntryKind::version) {
      const auto version = decode_version(entry.payload.view());
      if (!version || *version > format_)
        return damaged_row(entry.index, "raises the cluster's version above the file's");
    }
    last_index_ = entry.index;
    last_term_ = entry.term;
    last_chain_ = row.chain;
    log.last_time_ms = entry.time_ms;
    passed();
    tail_bytes += raft::cost(entry);
    tail.push_back(std::move(entry));
    while (tail_bytes > settings_.tail_bytes && !tail.empty()) {
      tail_bytes -= raft::cost(tail.front());
      tail.pop_front();
    }
    return ok_status();
  };
  if (Status status = scan_rows(take); !status) return status;
  if (Status status = scan_pages(take); !status) return status;
  log.last_index = last_index_;
  log.tail.assign(std::make_move_iterator(tail.begin()), std::make_move_iterator(tail.end()));

  if (!snapshot_ && meta_.base_index.value > 0)
    return damaged_row(meta_.base_index, "was compacted, but no snapshot is recorded");
  if (snapshot_ && (!mark_at_snapshot || mark_at_snapshot->term != snapshot_->meta.term ||
                    mark_at_snapshot->chain != snapshot_->meta.chain))
    return damaged_row(snapshot_->meta.index, "the log does not meet the recorded snapshot");
  return claim && !WH_MUTANT(lost_suffix_unnoticed) ? check_claim(*claim, chain_at_claim) : ok_status();
}

// A crash may leave more than is claimed; less, or something else, is amnesia (HAZARDS C2).
Status Database::check_claim(const Claim& claim, std::optional<uint64_t> chain_at_claim) {
  const std::string file = std::string(kDatabaseFile) + " (or its WAL): ";
  if (claim.cluster != node::kNoCluster && claim.cluster != meta_.cluster)
    return damaged(file + "row 1 of meta: the witness knows another cluster id");
  const raft::HardState& mine = meta_.hard_state;
  const raft::HardState& known = claim.hard_state;
  const bool vote_lost =
      mine.current_term == known.current_term && known.voted_for && mine.voted_for != known.voted_for;
  if (mine.current_term < known.current_term || vote_lost)
    return damaged(file + "row 1 of meta: the term or vote is older than the one that was promised, says the witness");
  if (meta_.revision < claim.revision)
    return damaged(file + "row 1 of meta: is older than what was promised, says the witness");
  // Below the base the log can no longer tell; the base only ever moves over synced entries.
  if (claim.index < meta_.base_index) return ok_status();
  if (claim.index > last_index_)
    return damaged(file + "the log ends at row " + std::to_string(last_index_.value) + ", but row " +
                   std::to_string(claim.index.value) + " was acknowledged, says the witness");
  if (chain_at_claim != claim.chain) return damaged_row(claim.index, "is not what was acknowledged, says the witness");
  return ok_status();
}

}  // namespace wh::storage
