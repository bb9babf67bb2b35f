#include "storage/database.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"

namespace wh::storage {
namespace {

// One slice of a compaction: short enough that a waiting commit hardly notices.
constexpr uint64_t kSliceRows = 2000;
constexpr uint64_t kSliceBytes = 1 << 20;
// One slice of returning space to the file system: a commit waits meanwhile.
constexpr uint64_t kShrinkBytes = 256 << 10;

// Whether a write must be synced whatever appendfsync says, and must be in the witness before it is reported.
bool is_promise(const Write& write) {
  const auto* batch = std::get_if<BatchWrite>(&write);
  return batch == nullptr || batch->batch.hard_state || batch->batch.install;
}

bool holds_configuration(const Write& write) {
  const auto* batch = std::get_if<BatchWrite>(&write);
  return batch != nullptr &&
         std::any_of(batch->batch.append.begin(), batch->batch.append.end(),
                     [](const raft::Entry& entry) { return entry.kind == raft::EntryKind::configuration; });
}

}  // namespace

Database::Database(Disk& disk, std::string directory, Settings settings)
    : disk_(disk),
      directory_(std::move(directory)),
      settings_(std::move(settings)),
      vfs_(disk),
      witness_(disk, directory_, settings_.instance),
      pages_({.sql = [this](std::string_view what) { return sql_error(what); },
              .damaged =
                  [this](std::string_view what) {
                    return damaged(std::string(kDatabaseFile) + ": " + std::string(what));
                  }}) {
  vfs_.set_before_sync([this] { return witness_.arrive(); });
}

Database::~Database() {
  if (db_ == nullptr) return;
  // Closing the connection checkpoints; that must not repeat a failed sync (HAZARDS C6).
  if (failed_ && !WH_MUTANT(closing_syncs_again)) sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  for (Statement* s : {&begin_, &commit_, &insert_, &delete_from_, &delete_to_, &delete_all_, &select_, &select_sizes_,
                       &update_meta_, &put_snapshot_, &delete_snapshot_, &shrink_})
    s->finalize();
  pages_.finalize();
  sqlite3_close(db_);
}

Error Database::sql_error(std::string_view what) {
  const int code = sqlite3_extended_errcode(db_) & 0xff;
  no_room_ = code == SQLITE_FULL;
  if (!no_room_) failed_ = true;
  const std::string text = std::string(kDatabaseFile) + ": " + std::string(what) + ": " + sqlite3_errmsg(db_);
  // The last four codes: none of our statements can cause them on undamaged tables.
  for (const int sign :
       {SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_ERROR, SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_FORMAT})
    if (code == sign) return damaged(text);
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) return Error{directory_ + "/" + text + " by another process"};
  if ((code == SQLITE_IOERR || code == SQLITE_FULL) && vfs_.last_error() != 0)
    return Error{disk_error("write or sync", directory_ + "/" + kDatabaseFile, vfs_.last_error())};
  return Error{directory_ + "/" + text};
}

Error Database::damaged_row(raft::Index index, std::string_view what) const {
  return damaged(std::string(kDatabaseFile) + ": row " + std::to_string(index.value) + " of log: " + std::string(what));
}

Claim Database::current_claim() const {
  return {meta_.cluster, meta_.hard_state, meta_.revision, last_index_, last_chain_};
}

// --- one transaction

Status Database::write(std::vector<Write>& writes) {
  WH_ASSERT(!failed_, "the database is used after a failure");
  no_room_ = false;
  const bool promise = std::any_of(writes.begin(), writes.end(), is_promise);
  const bool synced = settings_.fsync == AppendFsync::always || promise ||
                      std::any_of(writes.begin(), writes.end(), holds_configuration);
  if (!written_) {
    if (Status status = set_synchronous(synced); !status) return status;
    Status committed = undoing([&]() -> Status {
      if (Status status = begin(); !status) return status;
      for (Write& write : writes)
        if (Status status = std::visit([&](auto& w) { return apply(w); }, write); !status) return status;
      return commit(synced);
    });
    if (!committed) return committed;
  }
  // Where not every commit is synced, a later commit may not come to make a lagging witness durable.
  const bool settled = promise || (synced && settings_.fsync != AppendFsync::always);
  Status status = settled ? settle() : ok_status();
  written_ = !status;
  return status;
}

Database::Kept Database::kept() const {
  return {meta_, snapshot_, last_index_, last_term_, last_chain_, format_, claim_, unsynced_};
}

// SQLite has rolled back already, or does so here; the fields follow. A lowered witness stays lowered, which is
// harmless, and the next commit raises it.
Status Database::undo(Kept before, Status status) {
  if (!no_room_) {
    failed_ = true;
    return status;
  }
  if (sqlite3_get_autocommit(db_) == 0 && sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr) != SQLITE_OK) {
    failed_ = true;
    no_room_ = false;
    return sql_error("ROLLBACK");
  }
  meta_ = std::move(before.meta);
  meta_changed_ = false;
  snapshot_ = std::move(before.snapshot);
  last_index_ = before.last_index;
  last_term_ = before.last_term;
  last_chain_ = before.last_chain;
  format_ = before.format;
  claim_ = before.claim;
  unsynced_ = before.unsynced;
  pages_stale_ = true;
  lower_witness_ = false;
  witness_behind_ = witness_.claim() != claim_;
  // A slot may have been written, relying on this commit's sync.
  if (Status synced = witness_.sync(); !synced) {
    failed_ = true;
    no_room_ = false;
    return synced;
  }
  return status;
}

Status Database::write_witness(const Claim& claim, Witness::Durability durability) {
  Status status = witness_.write(claim, durability);
  witness_at_ = steady_ms();
  if (status) return status;
  no_room_ = witness_.no_room();
  if (!no_room_) failed_ = true;
  return status;
}

// What is known of the log's pages is read again after a transaction that was undone. Reading may find no room too, as
// SQLite may have to write first.
Status Database::refresh_pages() {
  if (!pages_stale_) return ok_status();
  if (format_ < kPagesVersion) {
    pages_.forget();
  } else if (Status status = pages_.load(db_, meta_.base_index); !status) {
    return status;
  }
  pages_stale_ = false;
  return ok_status();
}

Status Database::begin() {
  if (Status status = refresh_pages(); !status) return status;
  if (begin_.run() != SQLITE_OK) return sql_error("BEGIN");
  changes_before_ = sqlite3_total_changes64(db_);
  return ok_status();
}

// Ends the transaction. First writes the witness: if this commit takes back what it claims, lowered and synced; else
// raised to the commit before, by a write that the flush of this commit's sync makes durable, unless it was just
// raised.
Status Database::commit(bool synced) {
  if (meta_changed_)
    if (Status status = store_meta(); !status) return status;
  if (Status status = pages_.flush(); !status) return status;
  // A commit without a change syncs nothing, so no write may rely on its flush.
  if (sqlite3_total_changes64(db_) == changes_before_) {
    if (commit_.run() != SQLITE_OK) return sql_error("COMMIT");
    return ok_status();
  }
  Status witnessed = ok_status();
  if (std::exchange(lower_witness_, false)) {
    witnessed = write_witness(claim_, Witness::Durability::now);
  } else if (witness_behind_ && synced && steady_ms() >= witness_at_ + settings_.witness_lag_ms) {
    witnessed = write_witness(claim_, Witness::Durability::with_next_sync);
  }
  if (!witnessed) return witnessed;
  if (commit_.run() != SQLITE_OK && !WH_MUTANT(failed_commit_ignored)) return sql_error("COMMIT");
  unsynced_ = !synced;
  if (!synced) return ok_status();
  WH_ASSERT(!witness_.under_way(), "a commit that must be synced was not");
  witness_.synced();
  claim_ = current_claim();
  witness_behind_ = true;
  return ok_status();
}

Status Database::settle() {
  if (!witness_behind_) return ok_status();
  no_room_ = false;
  Status status = write_witness(claim_, Witness::Durability::now);
  witness_behind_ = !status;
  return status;
}

Status Database::sync() {
  if (!unsynced_) return ok_status();
  // A commit syncs the whole WAL, but only if it changes something.
  if (Status status = set_synchronous(true); !status) return status;
  const Status synced = undoing([&]() -> Status {
    if (Status status = begin(); !status) return status;
    meta_changed_ = true;
    return commit(true);
  });
  return synced ? settle() : synced;
}

Status Database::set_synchronous(bool full) {
  if (full == synchronous_full_) return ok_status();
  if (!full) vfs_.set_gathers(false);
  if (Status status = set_pragma("synchronous", full ? "FULL" : "NORMAL", full ? "2" : "1"); !status) return status;
  synchronous_full_ = full;
  vfs_.set_gathers(full);
  return ok_status();
}

// The running transaction changes the log from `first` on, so the claim must end before it. The row before `first` is
// the one that was claimed: a change at or below it would have lowered the claim already.
Status Database::lower_claim(raft::Index first) {
  if (claim_.index >= first) {
    const Result<Mark> mark = mark_at(first - 1);
    if (!mark) return Error{mark.error()};
    claim_.index = first - 1;
    claim_.chain = mark->chain;
  }
  if (witness_.claim().index >= first) lower_witness_ = true;
  return ok_status();
}

Status Database::apply(BatchWrite& write) {
  const node::Batch& batch = write.batch;
  if (batch.install)
    if (Status status = install(*batch.install, write.install_file); !status) return status;
  if (Status status = raise_format(batch.version); !status) return status;
  if (Status status = append(batch.append); !status) return status;
  if (batch.hard_state && *batch.hard_state != meta_.hard_state) {
    meta_.hard_state = *batch.hard_state;
    meta_changed_ = true;
  }
  return ok_status();
}

Status Database::append(const std::vector<raft::Entry>& entries) {
  if (entries.empty()) return ok_status();
  const raft::Index first = entries.front().index;
  WH_ASSERT(first > meta_.base_index && first <= last_index_ + 1, "a batch leaves a gap, or changes what is compacted");
  if (first <= last_index_) {
    if (Status status = lower_claim(first); !status) return status;
    const Result<Mark> before = mark_at(first - 1);
    if (!before) return Error{before.error()};
    if (Status status = truncate(first, before->chain); !status) return status;
    if (WH_MUTANT(truncates_by_itself) && (commit_.run() != SQLITE_OK || begin_.run() != SQLITE_OK))
      return sql_error("truncating the log");
    last_index_ = first - 1;
    last_term_ = before->term;
    last_chain_ = before->chain;
  }
  for (const raft::Entry& entry : entries) {
    WH_ASSERT(entry.index == last_index_ + 1, "the entries of a batch follow each other");
    last_chain_ = next_chain(last_chain_, entry);
    last_index_ = entry.index;
    last_term_ = entry.term;
    if (Status status = pages_.exist() ? pages_.append(entry, last_chain_) : insert(entry); !status) return status;
    if (entry.kind == raft::EntryKind::version)
      if (Status status = raise_format(decode_version(entry.payload.view()).value_or(kFirstVersion)); !status)
        return status;
    if (entry.kind == raft::EntryKind::command && !meta_.saw_command) meta_.saw_command = meta_changed_ = true;
    if (entry.kind != raft::EntryKind::configuration || meta_.saw_others) continue;
    const std::optional<raft::Configuration> configuration = raft::Configuration::decode(entry.payload.view());
    WH_ASSERT(configuration.has_value(), "a configuration entry does not hold one");
    for (const raft::Member& member : configuration->members())
      if (member.id != meta_.instance) meta_.saw_others = meta_changed_ = true;
  }
  return ok_status();
}

// Below version 5 the log is a row for each entry. A log that was begun so goes on in pages, until the rows are
// compacted.
Status Database::insert(const raft::Entry& entry) {
  insert_.bind(1, entry.index.value).bind(2, entry.term.value).bind(3, static_cast<uint64_t>(entry.kind));
  insert_.bind(4, entry.time_ms).bind(5, row_crc(entry, last_chain_)).bind(6, last_chain_);
  if (insert_.blob(7, entry.payload.view()).run() != SQLITE_OK) return sql_error("appending to the log");
  return ok_status();
}

// Removes the entries from `first` on; `chain` is the one before them.
Status Database::truncate(raft::Index first, uint64_t chain) {
  if (pages_.hold(first)) return pages_.cut(first);
  if (!WH_MUTANT(stale_tail_stays) && delete_from_.bind(1, first.value).run() != SQLITE_OK)
    return sql_error("truncating the log");
  return pages_.exist() ? pages_.restart(first, chain) : ok_status();
}

// In the running transaction. Afterwards a release that does not support the version refuses to open this directory.
Status Database::raise_format(ClusterVersion version) { return version > format_ ? set_format(version) : ok_status(); }

Status Database::set_format(ClusterVersion version) {
  if (version == format_) return ok_status();
  const std::string sql = "PRAGMA user_version=" + std::to_string(version);
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return sql_error("raising its format");
  format_ = version;
  const bool in_pages = version >= kPagesVersion;
  if (in_pages == pages_.exist()) return ok_status();
  return in_pages ? pages_.create(db_, last_index_ + 1, last_chain_) : pages_.drop();
}

Status Database::install(const raft::InstallState& install, const std::string& file) {
  const raft::SnapshotMeta& meta = install.meta;
  WH_ASSERT(meta.index > meta_.base_index && (!snapshot_ || meta.index > snapshot_->meta.index),
            "an older snapshot is installed over a newer one");
  bool keep = false;
  if (install.keep_suffix && meta.index <= last_index_) {
    const Result<Mark> mark = mark_at(meta.index);
    if (!mark) return Error{mark.error()};
    // With another term, the row is one that the same group of writes replaces, or would have replaced.
    keep = mark->term == meta.term;
    // The same index and term is the same entry, with the same entries before it (the Log Matching Property).
    if (keep && mark->chain != meta.chain)
      return damaged_row(meta.index, "the log up to here is not the one that the leader's snapshot was made of");
  }
  if (!keep) {
    if (Status status = lower_claim(meta.index); !status) return status;
    if (delete_all_.run() != SQLITE_OK) return sql_error("emptying the log");
    if (WH_MUTANT(installs_in_two) && (commit_.run() != SQLITE_OK || begin_.run() != SQLITE_OK))
      return sql_error("emptying the log");
    meta_.base_index = last_index_ = meta.index;
    meta_.base_term = last_term_ = meta.term;
    meta_.base_chain = last_chain_ = meta.chain;
    if (pages_.exist())
      if (Status status = pages_.restart(meta.index + 1, meta.chain); !status) return status;
  }
  meta_.saw_command = true;  // the snapshot may hold commands of other nodes
  return store_snapshot({meta, file});
}

Status Database::apply(RecordSnapshot& write) {
  raft::SnapshotMeta& meta = write.snapshot.meta;
  write.recorded = false;
  if ((snapshot_ && snapshot_->meta.index >= meta.index) || meta.index < meta_.base_index || meta.index > last_index_)
    return ok_status();
  const Result<Mark> mark = mark_at(meta.index);
  if (!mark) return Error{mark.error()};
  if (mark->term != meta.term) return ok_status();
  meta.chain = mark->chain;
  write.recorded = true;
  return store_snapshot(write.snapshot);
}

Status Database::store_snapshot(const SnapshotFile& snapshot) {
  const std::string record = encode_snapshot_meta(snapshot.meta);
  put_snapshot_.blob(1, record).text(2, snapshot.file).bind(3, snapshot_row_crc(record, snapshot.file));
  if (put_snapshot_.run() != SQLITE_OK) return sql_error("recording a snapshot");
  snapshot_ = snapshot;
  for (const raft::Member& member : snapshot.meta.configuration.members())
    if (member.id != meta_.instance) meta_.saw_others = true;
  meta_changed_ = true;
  return ok_status();
}

Status Database::apply(node::NewBeginning& write) {
  // The old log's entries, term and vote are no longer claimed.
  claim_ = Claim{};
  lower_witness_ = true;
  if (delete_all_.run() != SQLITE_OK || delete_snapshot_.run() != SQLITE_OK) return sql_error("beginning anew");
  snapshot_.reset();
  Meta fresh;
  fresh.cluster = write.cluster;
  fresh.instance = meta_.instance;
  fresh.name = meta_.name;
  fresh.epoch = meta_.epoch;
  fresh.revision = meta_.revision;
  fresh.hard_state = write.hard_state;
  meta_ = fresh;
  meta_changed_ = true;
  last_index_ = {};
  last_term_ = {};
  last_chain_ = 0;
  if (Status status = set_format(kFirstVersion); !status) return status;
  if (!write.first_entry) return ok_status();
  return append({*write.first_entry});
}

Status Database::apply(TakeOver& write) {
  // The log stays; its cluster, term and vote change.
  claim_.cluster = node::kNoCluster;
  lower_witness_ = true;
  meta_.cluster = write.cluster;
  meta_.hard_state = {write.configuration.term, raft::kNobody};
  meta_.granted_to = raft::kNobody;
  meta_.granted_attempt = 0;
  meta_.granted_address.clear();
  meta_changed_ = true;
  return append({write.configuration});
}

Status Database::apply(node::FoundingGrant& write) {
  meta_.granted_to = write.founder;
  meta_.granted_attempt = write.attempt;
  meta_.granted_address = write.address;
  meta_changed_ = true;
  return ok_status();
}

Status Database::store_meta() {
  meta_changed_ = false;
  ++meta_.revision;
  const Meta& m = meta_;
  update_meta_.blob(1, {reinterpret_cast<const char*>(m.cluster.data()), m.cluster.size()});
  update_meta_.bind(2, m.instance.value).text(3, m.name).bind(4, m.epoch).bind(5, m.revision);
  update_meta_.bind(6, m.hard_state.current_term.value).bind(7, m.hard_state.voted_for.value);
  update_meta_.bind(8, m.granted_to.value).bind(9, m.granted_attempt).text(10, m.granted_address);
  update_meta_.bind(11, m.base_index.value).bind(12, m.base_term.value).bind(13, m.base_chain);
  update_meta_.bind(14, m.saw_command ? 1 : 0).bind(15, m.saw_others ? 1 : 0).bind(16, meta_crc(m));
  if (update_meta_.run() != SQLITE_OK) return sql_error("changing meta");
  return ok_status();
}

// --- reading

Status Database::take_row(Statement& s, Row& row) {
  const raft::Index index{s.number(0)};
  for (int column = 0; column < 6; ++column)
    if (!s.is(column, SQLITE_INTEGER)) return damaged_row(index, "a value is of the wrong type");
  if (!s.is(6, SQLITE_BLOB)) return damaged_row(index, "a value is of the wrong type");
  row.entry.index = index;
  row.entry.term = raft::Term{s.number(1)};
  row.entry.kind = static_cast<raft::EntryKind>(s.number(2));
  row.entry.time_ms = s.number(3);
  row.chain = s.number(5);
  row.entry.payload = Bytes::copy(s.bytes(6));
  const bool as_written = s.number(4) == row_crc(row.entry, row.chain) || WH_MUTANT(row_checksum_ignored);
  if (s.number(2) >= raft::kEntryKinds || !as_written) return damaged_row(index, "its checksum does not match");
  return ok_status();
}

Status Database::find_row(raft::Index index, Row& row) {
  const ResetAtEnd reset(select_);
  const int code = select_.bind(1, index.value).bind(2, index.value).step();
  if (code == SQLITE_DONE) return damaged_row(index, "is missing");
  if (code != SQLITE_ROW) return sql_error("reading the log");
  return take_row(select_, row);
}

Result<Database::Mark> Database::mark_at(raft::Index index) {
  if (index == meta_.base_index) return Mark{meta_.base_term, meta_.base_chain};
  Row row;
  if (pages_.hold(index)) {
    LogPages::Walk walk(pages_, index);
    if (Status status = walk.next(row.entry, row.chain); !status) return Error{status.error()};
    return Mark{row.entry.term, row.chain};
  }
  if (Status status = find_row(index, row); !status) return Error{status.error()};
  return Mark{row.entry.term, row.chain};
}

Result<std::vector<raft::Entry>> Database::read(raft::Index first, raft::Index last, uint64_t max_bytes) {
  WH_ASSERT(!failed_, "the database is used after a failure");
  no_room_ = false;
  if (Status status = refresh_pages(); !status) return Error{status.error()};
  std::vector<raft::Entry> entries;
  last = std::min(last, last_index_);
  if (first <= meta_.base_index || first > last) return entries;
  if (pages_.hold(first)) return read_pages(first, last, max_bytes);
  if (pages_.hold(last)) last = pages_.first() - 1;
  const ResetAtEnd reset(select_);
  select_.bind(1, first.value).bind(2, last.value);
  uint64_t bytes = 0;
  Row row;
  int code = SQLITE_ROW;
  while (first + entries.size() <= last && (code = select_.step()) == SQLITE_ROW) {
    const raft::Index wanted = first + entries.size();
    const uint64_t before = row.chain;
    if (Status status = take_row(select_, row); !status) return Error{status.error()};
    if (row.entry.index != wanted) return damaged_row(wanted, "is missing");
    if (!entries.empty() && row.chain != next_chain(before, row.entry))
      return damaged_row(wanted, "does not continue the hash chain");
    bytes += raft::cost(row.entry);
    if (!entries.empty() && bytes > max_bytes) return entries;
    entries.push_back(std::move(row.entry));
  }
  if (code == SQLITE_DONE) return damaged_row(first + entries.size(), "is missing");
  if (code != SQLITE_ROW) return sql_error("reading the log");
  return entries;
}

Result<std::vector<raft::Entry>> Database::read_pages(raft::Index first, raft::Index last, uint64_t max_bytes) {
  std::vector<raft::Entry> entries;
  LogPages::Walk walk(pages_, first);
  uint64_t bytes = 0;
  while (first + entries.size() <= last) {
    Row row;
    if (Status status = walk.next(row.entry, row.chain); !status) return Error{status.error()};
    bytes += raft::cost(row.entry);
    if (!entries.empty() && bytes > max_bytes) break;
    entries.push_back(std::move(row.entry));
  }
  return entries;
}

// --- upkeep

// The last row that the next slice removes, not above `target`.
Result<raft::Index> Database::end_of_slice(raft::Index target) {
  const ResetAtEnd reset(select_sizes_);
  select_sizes_.bind(1, target.value).bind(2, kSliceRows);
  raft::Index end = meta_.base_index;
  uint64_t bytes = 0;
  int code = SQLITE_DONE;
  while (bytes < kSliceBytes && (code = select_sizes_.step()) == SQLITE_ROW) {
    end = raft::Index{select_sizes_.number(0)};
    bytes += select_sizes_.number(1);
  }
  if (code != SQLITE_ROW && code != SQLITE_DONE) return sql_error("reading the log");
  if (end <= meta_.base_index) return damaged_row(meta_.base_index + 1, "is missing");
  return end;
}

Result<bool> Database::compact(raft::Index target) {
  WH_ASSERT(!failed_, "the database is used after a failure");
  no_room_ = false;
  // Never above a durable, recorded snapshot (HAZARDS F1).
  target = std::min(target, snapshot_ ? snapshot_->meta.index : raft::Index{});
  if (target <= meta_.base_index) return false;
  if (Status status = refresh_pages(); !status) return Error{status.error()};
  // Rows are removed by slices; pages are only forgotten.
  const bool rows = !pages_.hold(meta_.base_index + 1);
  const Result<raft::Index> found = rows ? end_of_slice(target) : Result<raft::Index>(target);
  if (!found) return Error{found.error()};
  const raft::Index upto = *found;
  const Result<Mark> mark = mark_at(upto);
  if (!mark) return Error{mark.error()};
  if (Status status = set_synchronous(settings_.fsync == AppendFsync::always); !status) return Error{status.error()};
  const Status compacted = undoing([&]() -> Status {
    if (Status status = begin(); !status) return status;
    if (rows && delete_to_.bind(1, upto.value).run() != SQLITE_OK) return sql_error("compacting the log");
    if (pages_.exist()) pages_.free_up_to(upto);
    meta_.base_index = upto;
    meta_.base_term = mark->term;
    meta_.base_chain = mark->chain;
    meta_changed_ = true;
    return commit(settings_.fsync == AppendFsync::always);
  });
  if (!compacted) return Error{compacted.error()};
  return upto < target;
}

// Deletes pages of the log that wait for entries, moves pages from the file's end into free ones and cuts the file.
// This does not change the log: no sync and no claim depends on it.
Result<bool> Database::shrink(uint64_t keep) {
  WH_ASSERT(!failed_, "the database is used after a failure");
  no_room_ = false;
  if (Status status = refresh_pages(); !status) return Error{status.error()};
  const Result<uint64_t> before = free_pages();
  if (!before) return Error{before.error()};
  if ((*before + pages_.free()) * page_size_ <= keep + kShrinkBytes) return false;
  const uint64_t removed = std::min(pages_.free(), kShrinkBytes / page_size_);
  if (Status status = set_synchronous(settings_.fsync == AppendFsync::always); !status) return Error{status.error()};
  const Status shrunk = undoing([&]() -> Status {
    if (begin_.run() != SQLITE_OK) return sql_error("BEGIN");
    if (Status status = pages_.remove_free(removed); !status) return status;
    // Each step moves one page.
    {
      int code = SQLITE_ROW;
      const ResetAtEnd reset(shrink_);
      while ((code = shrink_.step()) == SQLITE_ROW) {
      }
      if (code != SQLITE_DONE) return sql_error("giving free pages back");
    }
    return commit_.run() == SQLITE_OK ? ok_status() : Status(sql_error("COMMIT"));
  });
  if (!shrunk) return Error{shrunk.error()};
  // A file created before auto_vacuum was set returns nothing: new rows reuse its free pages.
  const Result<uint64_t> left = free_pages();
  if (!left) return Error{left.error()};
  return removed > 0 || *left < *before;
}

Result<uint64_t> Database::free_pages() {
  const Result<std::string> count = query_text("PRAGMA freelist_count");
  if (!count) return Error{count.error()};
  return std::stoull("0" + *count);
}

Status Database::checkpoint() {
  WH_ASSERT(!failed_, "the database is used after a failure");
  no_room_ = false;
  // If the database file has no room for the pages, the WAL stays valid.
  if (sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr) != SQLITE_OK)
    return sql_error("checkpoint");
  wal_pages_ = 0;
  return ok_status();
}

}  // namespace wh::storage
