#include "storage/log_pages.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mutant.h"

namespace wh::storage {
namespace {

constexpr size_t kCrc = 0;
constexpr size_t kUsed = 4;
constexpr size_t kBegins = 6;
constexpr size_t kSequence = 8;
constexpr size_t kFirst = 16;
constexpr size_t kChain = 24;
constexpr size_t kHeader = 32;
// One row fills a leaf page of 4,096 bytes: SQLite keeps up to 4,061 bytes of a row in it, two rows do not fit.
constexpr size_t kRow = 4048;
constexpr size_t kRoom = kRow - kHeader;

constexpr size_t kEntryHeader = 21;

// Integers are little-endian, as in base/bytes.h.
template <typename T>
T get(std::string_view bytes, size_t at) {
  T value{};
  std::memcpy(&value, bytes.substr(at, sizeof value).data(), sizeof value);
  return value;
}
template <typename T>
void set(std::string& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

std::string blank(uint64_t sequence, raft::Index first, uint64_t chain, size_t begins) {
  std::string page(kRow, '\0');
  set<uint16_t>(page, kBegins, static_cast<uint16_t>(begins));
  set<uint64_t>(page, kSequence, sequence);
  set<uint64_t>(page, kFirst, first.value);
  set<uint64_t>(page, kChain, chain);
  return page;
}

size_t used(std::string_view page) { return get<uint16_t>(page, kUsed); }
uint32_t checksum(std::string_view page) { return crc32c(page.substr(kUsed, kHeader - kUsed + used(page))); }

// Whether these are bytes that write() wrote.
bool is_whole(std::string_view page) {
  return page.size() == kRow && used(page) <= kRoom && get<uint16_t>(page, kBegins) <= used(page) &&
         (get<uint32_t>(page, kCrc) == checksum(page) || WH_MUTANT(page_checksum_ignored));
}

std::string row_name(uint64_t slot) { return "row " + std::to_string(slot) + " of pages: "; }

}  // namespace

// --- the table

Status LogPages::prepare(sqlite3* db) {
  db_ = db;
  const std::pair<Statement*, const char*> statements[] = {
      {&insert_, "INSERT INTO pages(slot,data) VALUES(?,?)"}, {&update_, "UPDATE pages SET data=? WHERE slot=?"},
      {&select_, "SELECT data FROM pages WHERE slot=?"},      {&all_, "SELECT slot,data FROM pages"},
      {&delete_, "DELETE FROM pages WHERE slot=?"},
  };
  for (const auto& [statement, sql] : statements)
    if (statement->prepare(db, sql) != SQLITE_OK) return faults_.sql("preparing a statement");
  return ok_status();
}

void LogPages::finalize() {
  for (Statement* statement : {&insert_, &update_, &select_, &all_, &delete_}) statement->finalize();
}

void LogPages::forget() {
  finalize();
  pages_.clear();
  free_.clear();
  last_slot_ = 0;
  last_slot_is_new_ = false;
  dirty_ = false;
}

Status LogPages::create(sqlite3* db, raft::Index next, uint64_t chain) {
  if (sqlite3_exec(db, kPagesSql, nullptr, nullptr, nullptr) != SQLITE_OK) return faults_.sql("creating pages");
  if (Status status = prepare(db); !status) return status;
  first_sequence_ = 1;
  return restart(next, chain);
}

Status LogPages::drop() {
  forget();
  if (sqlite3_exec(db_, "DROP TABLE pages", nullptr, nullptr, nullptr) != SQLITE_OK)
    return faults_.sql("removing pages");
  return ok_status();
}

Status LogPages::load(sqlite3* db, raft::Index base) {
  forget();
  if (Status status = prepare(db); !status) return status;
  struct Found {
    uint64_t sequence;
    Page page;
  };
  std::vector<Found> found;
  {
    const ResetAtEnd reset(all_);
    int code = SQLITE_DONE;
    while ((code = all_.step()) == SQLITE_ROW) {
      const uint64_t slot = all_.number(0);
      const std::string_view page = all_.bytes(1);
      if (slot == 0 || slot > raft::kLimit || !all_.is(1, SQLITE_BLOB) || !is_whole(page))
        return faults_.damaged(row_name(slot) + "its checksum does not match");
      last_slot_ = std::max(last_slot_, slot);
      found.push_back({get<uint64_t>(page, kSequence), {raft::Index{get<uint64_t>(page, kFirst)}, slot}});
    }
    if (code != SQLITE_DONE) return faults_.sql("reading the log's pages");
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.sequence < b.sequence; });
  if (found.empty() || found.back().sequence == 0) return faults_.damaged("pages: the log's last page is missing");
  // The log's pages are the last ones whose sequences follow each other; what came before was removed.
  size_t begin = found.size() - 1;
  while (begin > 0 && found[begin - 1].sequence != 0 && found[begin - 1].sequence + 1 == found[begin].sequence) --begin;
  for (size_t i = 0; i < begin; ++i) free_.push_back(found[i].page.slot);
  first_sequence_ = found[begin].sequence;
  for (size_t i = begin; i < found.size(); ++i) {
    if (!pages_.empty() && found[i].page.first < pages_.back().first)
      return faults_.damaged(row_name(found[i].page.slot) + "its entries are older ones");
    pages_.push_back(found[i].page);
  }
  free_up_to(base);
  if (Status status = read(pages_.size() - 1, tail_); !status) return status;
  // What follows the last page's entries: found by walking them.
  Walk walk(*this, pages_.back().first);
  raft::Entry entry;
  if (Status status = walk.start(); !status) return status;
  while (walk.at_ < kHeader + used(tail_))
    if (Status status = walk.step(entry); !status) return status;
  next_ = walk.index_;
  chain_ = walk.chain_;
  return ok_status();
}

// --- changes

Status LogPages::restart(raft::Index next, uint64_t chain) {
  if (Status status = flush(); !status) return status;
  for (const Page& page : pages_) free_.push_back(page.slot);
  // A gap in the sequences, as the pages before are no longer the log's.
  const uint64_t gap = WH_MUTANT(pages_without_a_gap) ? 0 : 1;
  first_sequence_ += pages_.size() + gap;
  pages_.clear();
  next_ = next;
  chain_ = chain;
  return begin_page(next, chain, 0);
}

Status LogPages::begin_page(raft::Index first, uint64_t chain, size_t begins) {
  if (Status status = flush(); !status) return status;
  last_slot_is_new_ = free_.empty();
  uint64_t slot = last_slot_ + 1;
  if (last_slot_is_new_) {
    last_slot_ = slot;
  } else {
    slot = free_.front();
    free_.pop_front();
  }
  tail_ = blank(first_sequence_ + pages_.size(), first, chain, begins);
  pages_.push_back({first, slot});
  dirty_ = true;
  return ok_status();
}

// `rest`: what is left of the entry, these bytes included; it is followed by the entry `following`, after `chain`.
Status LogPages::put(std::string_view bytes, raft::Index following, uint64_t chain, size_t rest) {
  while (!bytes.empty()) {
    if (used(tail_) == kRoom)
      if (Status status = begin_page(following, chain, std::min(rest, kRoom)); !status) return status;
    const size_t at = used(tail_);
    const size_t size = std::min(bytes.size(), kRoom - at);
    tail_.replace(kHeader + at, size, bytes.substr(0, size));
    set<uint16_t>(tail_, kUsed, static_cast<uint16_t>(at + size));
    dirty_ = true;
    bytes.remove_prefix(size);
    rest -= size;
  }
  return ok_status();
}

Status LogPages::append(const raft::Entry& entry, uint64_t chain) {
  WH_ASSERT(entry.index == next_, "the entries in the pages follow each other");
  if (used(tail_) == kRoom)
    if (Status status = begin_page(next_, chain_, 0); !status) return status;
  std::string header(kEntryHeader, '\0');
  set<uint64_t>(header, 0, entry.term.value);
  set<uint8_t>(header, 8, static_cast<uint8_t>(entry.kind));
  set<uint64_t>(header, 9, entry.time_ms);
  set<uint32_t>(header, 17, static_cast<uint32_t>(entry.payload.size()));
  const size_t size = kEntryHeader + entry.payload.size();
  next_ = entry.index + 1;
  chain_ = chain;
  if (Status status = put(header, next_, chain, size); !status) return status;
  return put(entry.payload.view(), next_, chain, size - kEntryHeader);
}

Status LogPages::flush() {
  if (!std::exchange(dirty_, false)) return ok_status();
  return write(pages_.back().slot, tail_);
}

Status LogPages::write(uint64_t slot, std::string& page) {
  set<uint32_t>(page, kCrc, checksum(page));
  const bool is_new = std::exchange(last_slot_is_new_, false);
  Statement& statement = is_new ? insert_.bind(1, slot).blob(2, page) : update_.blob(1, page).bind(2, slot);
  if (statement.run() != SQLITE_OK) return faults_.sql("writing the log's pages");
  WH_ASSERT(sqlite3_changes(db_) == 1, "a page has a row");
  return ok_status();
}

Status LogPages::cut(raft::Index from) {
  if (Status status = flush(); !status) return status;
  const size_t number = find(from);
  Walk walk(*this, from);
  if (Status status = walk.start(); !status) return status;
  WH_ASSERT(walk.number_ == number, "an entry begins in the page where it is looked for");
  std::string cut_off = blank(0, {}, 0, 0);
  while (pages_.size() > number + 1) {
    const uint64_t slot = pages_.back().slot;
    if (!WH_MUTANT(cut_page_stays))
      if (Status status = write(slot, cut_off); !status) return status;
    free_.push_front(slot);
    pages_.pop_back();
  }
  tail_ = std::move(walk.page_);
  set<uint16_t>(tail_, kUsed, static_cast<uint16_t>(walk.at_ - kHeader));
  next_ = from;
  chain_ = walk.chain_;
  dirty_ = true;
  return ok_status();
}

void LogPages::free_up_to(raft::Index base) {
  while (pages_.size() > 1 && pages_[1].first <= base + 1) {
    free_.push_back(pages_.front().slot);
    pages_.pop_front();
    ++first_sequence_;
  }
}

Status LogPages::remove_free(uint64_t count) {
  for (; count > 0 && !free_.empty(); --count) {
    if (delete_.bind(1, free_.back()).run() != SQLITE_OK) return faults_.sql("removing pages of the log");
    free_.pop_back();
  }
  return ok_status();
}

// --- reading

// The page in which the entry begins: the last whose first entry is not above it.
size_t LogPages::find(raft::Index index) const {
  const auto after = std::upper_bound(pages_.begin(), pages_.end(), index,
                                      [](raft::Index i, const Page& page) { return i < page.first; });
  WH_ASSERT(after != pages_.begin(), "an entry is looked for in the pages that is not in them");
  return static_cast<size_t>(after - pages_.begin()) - 1;
}

Status LogPages::read(size_t number, std::string& page) {
  const Page& known = pages_[number];
  const std::string row = row_name(known.slot);
  const ResetAtEnd reset(select_);
  const int code = select_.bind(1, known.slot).step();
  if (code == SQLITE_DONE) return faults_.damaged(row + "is missing");
  if (code != SQLITE_ROW) return faults_.sql("reading the log's pages");
  if (!select_.is(0, SQLITE_BLOB) || !is_whole(select_.bytes(0)))
    return faults_.damaged(row + "its checksum does not match");
  page = select_.bytes(0);
  if (get<uint64_t>(page, kSequence) != first_sequence_ + number || get<uint64_t>(page, kFirst) != known.first.value)
    return faults_.damaged(row + "is another page");
  return ok_status();
}

Status LogPages::Walk::open(size_t number) {
  if (number >= pages_.pages_.size()) return pages_.faults_.damaged("pages: the log ends within an entry");
  number_ = number;
  at_ = kHeader;
  // The last page is in memory, and may not be written yet.
  if (number + 1 == pages_.pages_.size()) {
    page_ = pages_.tail_;
    return ok_status();
  }
  return pages_.read(number, page_);
}

Status LogPages::Walk::start() {
  started_ = true;
  if (Status status = open(pages_.find(target_)); !status) return status;
  index_ = raft::Index{get<uint64_t>(page_, kFirst)};
  chain_ = get<uint64_t>(page_, kChain);
  at_ = kHeader + get<uint16_t>(page_, kBegins);
  raft::Entry passed;
  while (index_ < target_)
    if (Status status = step(passed); !status) return status;
  return ok_status();
}

Status LogPages::Walk::next(raft::Entry& entry, uint64_t& chain) {
  if (!started_)
    if (Status status = start(); !status) return status;
  Status status = step(entry);
  chain = chain_;
  return status;
}

std::string LogPages::Walk::row() const { return row_name(pages_.pages_[number_].slot); }

Status LogPages::Walk::take(size_t size, std::string& out) {
  out.clear();
  // The size is believed no further than there are bytes.
  out.reserve(std::min(size, (pages_.pages_.size() - number_) * kRoom));
  while (out.size() < size) {
    const size_t end = kHeader + used(page_);
    if (at_ == end) {
      if (Status status = open(number_ + 1); !status) return status;
      continue;
    }
    const size_t part = std::min(size - out.size(), end - at_);
    out.append(page_, at_, part);
    at_ += part;
  }
  return ok_status();
}

// A page that was opened names the entry that follows, and the chain before it.
Status LogPages::Walk::check_page() {
  const bool follows = get<uint64_t>(page_, kFirst) == index_.value && get<uint64_t>(page_, kChain) == chain_ &&
                       kHeader + get<uint16_t>(page_, kBegins) == at_;
  if (follows || WH_MUTANT(chain_not_compared)) return ok_status();
  return pages_.faults_.damaged(row() + "does not continue the hash chain");
}

Status LogPages::Walk::step(raft::Entry& entry) {
  if (at_ == kHeader + used(page_)) {
    if (Status status = open(number_ + 1); !status) return status;
    if (Status status = check_page(); !status) return status;
  }
  const size_t begun_in = number_;
  if (Status status = take(kEntryHeader, header_); !status) return status;
  std::string payload;
  if (Status status = take(get<uint32_t>(header_, 17), payload); !status) return status;
  const auto kind = get<uint8_t>(header_, 8);
  if (kind >= raft::kEntryKinds) return pages_.faults_.damaged(row() + "holds an entry of an unknown kind");
  entry.index = index_;
  entry.term = raft::Term{get<uint64_t>(header_, 0)};
  entry.kind = static_cast<raft::EntryKind>(kind);
  entry.time_ms = get<uint64_t>(header_, 9);
  entry.payload = Bytes(std::move(payload));
  ++index_;
  chain_ = next_chain(chain_, entry);
  return number_ == begun_in ? ok_status() : check_page();
}

}  // namespace wh::storage
