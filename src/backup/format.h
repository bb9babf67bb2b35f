// A backup as a file: the state at one log index, in SQLite tables that anybody can read. What is in it, and how its
// checksums are made; no I/O. Owned by writer.cc and reader.cc.
//
//   application_id "WHBP", user_version 1; tables meta, keys, events, sessions as in kTables
//   meta      name, value: see BackupInfo and meta_rows
//   keys      key, value
//   events    id (the log index that brought it), queue, event: a queue from front to back is its events by id
//   sessions  origin, epoch, highest, last_used, seen: which requests have taken effect (machine/dedup/sessions.h)
//
// Bytes that are UTF-8 without a NUL are stored as TEXT, others as BLOB, so that the tables read well and give back
// every byte. `state_digest` is the state machine's own, the same on every node at that index; `rows_crc32c` goes over
// all rows as they lie in the file, `checksum` over meta.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "raft/types.h"

namespace wh::backup {

inline constexpr int64_t kApplicationId = 0x57484250;  // "WHBP"
inline constexpr int64_t kFormatVersion = 1;

struct Table {
  const char* name;
  const char* sql;
};
inline constexpr Table kTables[] = {
    {"meta", "CREATE TABLE meta(name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID"},
    {"keys", "CREATE TABLE keys(key PRIMARY KEY NOT NULL, value NOT NULL)"},
    {"events", "CREATE TABLE events(id INTEGER PRIMARY KEY, queue NOT NULL, event NOT NULL)"},
    {"sessions",
     "CREATE TABLE sessions(origin INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, highest INTEGER NOT NULL, "
     "last_used INTEGER NOT NULL, seen BLOB NOT NULL)"},
};

// Rows of the tables but meta, in the order in which their checksum takes them.
inline constexpr const char* kSelectRows[] = {
    "SELECT key,value FROM keys ORDER BY rowid",
    "SELECT id,queue,event FROM events ORDER BY id",
    "SELECT origin,epoch,highest,last_used,seen FROM sessions ORDER BY origin",
};
inline constexpr size_t kRowTables = 3;
enum RowTable : size_t { kKeys = 0, kEvents = 1, kSessions = 2 };

// What meta says.
struct BackupInfo {
  std::string version;     // of the program that made it
  std::string cluster_id;  // 32 hex digits
  std::string node_id;     // of the node that was asked
  std::string made_at;     // that node's clock: 2026-01-31T23:59:59Z
  raft::Index index;
  raft::Term term;     // of the entry at `index`
  Millis time_ms = 0;  // cluster time
  uint64_t keys = 0;   // rows of the tables
  uint64_t events = 0;
  uint64_t sessions = 0;
  uint64_t digest = 0;
  uint32_t rows_crc = 0;
};

using MetaValue = std::variant<int64_t, std::string>;
// All rows of meta but `checksum`, by name.
std::vector<std::pair<std::string, MetaValue>> meta_rows(const BackupInfo& info);
uint32_t meta_checksum(const BackupInfo& info);

// Whether bytes are stored as TEXT.
bool is_text(std::string_view bytes);

// A row's share of rows_crc32c.
uint32_t add_number(uint32_t crc, uint64_t value);
uint32_t add_bytes(uint32_t crc, std::string_view value);

std::string hex(uint64_t value);  // 16 digits

}  // namespace wh::backup
