// A backup as a file: the state at one log index, in SQLite tables that anybody can read. Defines the contents and the
// checksums; no I/O. Used by writer.cc and reader.cc.
//
//   application_id "WHBP", user_version the cluster's version; tables as in kTables:
//   meta         name, value: see BackupInfo and meta_rows
//   keys         key, value
//   events       id (the log index that added it), queue, event: a queue's events by id are front to back
//   sessions     origin, epoch, highest, last_used, seen: which requests have taken effect (machine/dedup/sessions.h)
//   idempotency  scope, key, fingerprint, index, due (by the log's stamps), reply (machine/dedup/idempotency.h);
//                as of version 2
//
// UTF-8 without a NUL is stored as TEXT, other bytes as BLOB, so that the tables read well and give back every byte.
// `state_digest` is the state machine's own, the same on every node at that index; `rows_crc32c` covers all rows in the
// order of the file, `checksum` covers meta.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/cluster_version.h"
#include "machine/settings.h"
#include "raft/types.h"

namespace wh::backup {

inline constexpr int64_t kApplicationId = 0x57484250;  // "WHBP"

struct Table {
  const char* name;
  const char* sql;
  ClusterVersion version = kFirstVersion;  // the version that introduced it
};
inline constexpr Table kTables[] = {
    {"meta", "CREATE TABLE meta(name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID"},
    {"keys", "CREATE TABLE keys(key PRIMARY KEY NOT NULL, value NOT NULL)"},
    {"events", "CREATE TABLE events(id INTEGER PRIMARY KEY, queue NOT NULL, event NOT NULL)"},
    {"sessions",
     "CREATE TABLE sessions(origin INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, highest INTEGER NOT NULL, "
     "last_used INTEGER NOT NULL, seen BLOB NOT NULL)"},
    {"idempotency",
     "CREATE TABLE idempotency(scope NOT NULL, key NOT NULL, fingerprint BLOB NOT NULL, idx INTEGER NOT NULL, "
     "due_ms INTEGER NOT NULL, reply BLOB NOT NULL)",
     2},
};

// Rows of all tables but meta, in the order in which the checksum covers them.
inline constexpr const char* kSelectRows[] = {
    "SELECT key,value FROM keys ORDER BY rowid",
    "SELECT id,queue,event FROM events ORDER BY id",
    "SELECT origin,epoch,highest,last_used,seen FROM sessions ORDER BY origin",
    "SELECT scope,key,fingerprint,idx,due_ms,reply FROM idempotency ORDER BY rowid",
};
enum RowTable : size_t { kKeys = 0, kEvents = 1, kSessions = 2, kIdempotency = 3 };
// How many of these tables a backup of this version has.
inline constexpr size_t row_tables(ClusterVersion version) { return version == kFirstVersion ? 3 : 4; }

// The contents of meta.
struct BackupInfo {
  std::string version;     // of the program that made it
  std::string cluster_id;  // 32 hex digits
  std::string node_id;     // of the node that made it
  std::string made_at;     // by that node's clock: 2026-01-31T23:59:59Z
  raft::Index index;
  raft::Term term;     // of the entry at `index`
  Millis time_ms = 0;  // the log's stamp at `index`
  ClusterVersion cluster_version = kFirstVersion;
  Millis jumped_ms = 0;           // as of version 2; cluster time is the sum of this and the stamp
  machine::Settings settings;     // as of version 2
  uint64_t idempotency_keys = 0;  // as of version 2
  uint64_t keys = 0;              // rows of the tables
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

// A value's contribution to rows_crc32c.
uint32_t add_number(uint32_t crc, uint64_t value);
uint32_t add_bytes(uint32_t crc, std::string_view value);

}  // namespace wh::backup
