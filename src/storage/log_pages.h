// The log as a stream of pages, as of version 5 of the cluster: each a row of one table, of a size that fills a page of
// the database, overwritten in place and reused when its entries are compacted. So a commit writes the pages that its
// entries fill, and no page beside them: no free list, no tree, no row deleted. A row for each entry, as before, took
// twice the pages, and a follower an eighth more processor time. No policy: Database decides what is appended and
// removed.
//
// A page: crc32c u32 of all that follows and is used, used u16, begins u16, sequence u64, first u64, chain u64, then
// the stream's next `used` bytes. `first` is the index of the first entry that begins at or after `begins` in those
// bytes, and `chain` the hash chain before it. Sequences count the pages, without a gap; a page of an earlier life of
// its row has a lower one, a page cut off has 0.
// An entry in the stream: term u64, kind u8, time_ms u64, payload's size u32, payload. It may go on in the next page.
//
// Used by the database lane only. An error is a sentence of Faults', after which the database is unusable.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "base/result.h"
#include "storage/format.h"
#include "storage/statement.h"

namespace wh::storage {

inline constexpr ClusterVersion kPagesVersion = 5;
inline constexpr const char* kPagesTable = "pages";
inline constexpr const char* kPagesSql = "CREATE TABLE pages(slot INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT";

class LogPages {
 public:
  // Makes errors of what goes wrong: SQLite's own, and data that is not as it was written.
  struct Faults {
    std::function<Error(std::string_view what)> sql;
    std::function<Error(std::string_view what)> damaged;
  };

  explicit LogPages(Faults faults) : faults_(std::move(faults)) {}

  // Within a transaction: makes the table; the entry `next` will be its first, after `chain`.
  Status create(sqlite3* db, raft::Index next, uint64_t chain);
  // Within a transaction.
  Status drop();
  // Reads what each row is, after the start, and after a transaction that was undone. Pages that lie wholly at or below
  // `base` are free.
  Status load(sqlite3* db, raft::Index base);
  // There are no pages (any more).
  void forget();
  void finalize();
  [[nodiscard]] bool exist() const { return !pages_.empty(); }
  // Whether the entry, if there is one, is in the pages: they hold all from some index on.
  [[nodiscard]] bool hold(raft::Index index) const { return exist() && index >= pages_.front().first; }
  // The first entry that they hold, which may be at or below the log's base; and the one after the last.
  [[nodiscard]] raft::Index first() const { return pages_.front().first; }
  [[nodiscard]] raft::Index next() const { return next_; }

  // Within a transaction. The entry follows those before it, and the chain is as of it. The last page is written by
  // flush(), which ends a transaction.
  Status append(const raft::Entry& entry, uint64_t chain);
  Status flush();
  // Within a transaction: removes the entries from `from` on, which is there.
  Status cut(raft::Index from);
  // Within a transaction: removes all; the next entry is `next`, after `chain`.
  Status restart(raft::Index next, uint64_t chain);
  // Frees the pages that lie wholly at or below `base`, which the running transaction records. No I/O.
  void free_up_to(raft::Index base);

  // Rows that may be overwritten.
  [[nodiscard]] uint64_t free() const { return free_.size(); }
  // Within a transaction: deletes so many of them.
  Status remove_free(uint64_t count);

  // Walks entries in order, each verified by its page's checksum, and its chain by the next page's.
  class Walk {
   public:
    // The entry must be there, or be the one after the last.
    Walk(LogPages& pages, raft::Index index) : pages_(pages), target_(index) {}
    // The next one and the chain as of it; below the log's end only.
    Status next(raft::Entry& entry, uint64_t& chain);

   private:
    friend class LogPages;
    Status start();
    Status step(raft::Entry& entry);
    Status take(size_t size, std::string& out);
    Status open(size_t number);
    Status check_page();
    [[nodiscard]] std::string row() const;
    LogPages& pages_;
    raft::Index target_;
    bool started_ = false;
    size_t number_ = 0;  // of the page, counted from the first
    std::string page_;   // its row
    size_t at_ = 0;      // in the row
    raft::Index index_;  // of the entry that begins there
    uint64_t chain_ = 0;
    std::string header_;  // of an entry
  };

 private:
  struct Page {
    raft::Index first;
    uint64_t slot;  // its row
  };
  [[nodiscard]] size_t find(raft::Index index) const;
  Status prepare(sqlite3* db);
  Status begin_page(raft::Index first, uint64_t chain, size_t begins);
  Status put(std::string_view bytes, raft::Index following, uint64_t chain, size_t rest);
  Status write(uint64_t slot, std::string& page);
  Status read(size_t number, std::string& page);

  Faults faults_;
  sqlite3* db_ = nullptr;
  std::deque<Page> pages_;         // of the log, in order
  uint64_t first_sequence_ = 0;    // of the first of them
  std::deque<uint64_t> free_;      // rows
  uint64_t last_slot_ = 0;         // only ever grows while the node runs
  bool last_slot_is_new_ = false;  // the last page has no row yet
  std::string tail_;               // the last page; its checksum is made when it is written
  bool dirty_ = false;
  raft::Index next_;    // the next entry's
  uint64_t chain_ = 0;  // before it
  Statement insert_, update_, select_, all_, delete_;
};

}  // namespace wh::storage
