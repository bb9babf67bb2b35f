// A backup as a file: the state at one log index, in SQLite tables that anybody can read. Defines the contents and the
// checksums; no I/O. Used by writer.cc and reader.cc.
//
//   application_id "WHBP", user_version the cluster's version; tables as in kTables:
//   meta         name, value: see BackupInfo and meta_rows
//   keys         key, value; as of version 4 all that is known of it; expires_at_ms is cluster time
//   leases       id, ttl_ms, deadline_ms (by the log's stamps); as of version 4
//   events       id, queue, event; as of version 3 all that is known of it: `attributes` and a topic's `filter` have a
//                line NAME=VALUE for each; due_ms is a stamp of the log for reserved events, else cluster time
//   queues       as of version 3: settings that were set, totals, pauses
//   topics       as of version 3: which queues are bound to a topic
//   sessions     origin, epoch, highest, last_used, seen: which requests have taken effect (machine/dedup/sessions.h)
//   idempotency  scope, key, fingerprint, index, due (by the log's stamps), reply (machine/dedup/idempotency.h);
//                as of version 2
//
// UTF-8 without a NUL is stored as TEXT, other bytes as BLOB, so that the tables read well and give back every byte.
// `state_digest` is the state machine's own, the same on every node at that index; `rows_crc32c` covers all rows in the
// order of the file, `checksum` covers meta.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
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

// Their numbers: positions in kTables.
enum TableId : size_t {
  kMeta,
  kPlainKeys,
  kKeys,
  kLeases,
  kPlainEvents,
  kQueues,
  kEvents,
  kTopics,
  kSessions,
  kIdempotency
};

struct Table {
  const char* name;
  const char* sql;
  // Of the rows, in the order in which the checksum covers them. A letter says what a column holds: n number, b bytes,
  // N and B the same or NULL.
  std::string_view columns;
  const char* select;
  ClusterVersion since = kFirstVersion;
  ClusterVersion until = kLatestVersion;  // the last version that has it
  [[nodiscard]] constexpr bool exists_in(ClusterVersion version) const { return since <= version && version <= until; }
};
inline constexpr Table kTables[] = {
    {"meta", "CREATE TABLE meta(name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID", "", ""},
    {"keys", "CREATE TABLE keys(key PRIMARY KEY NOT NULL, value NOT NULL)", "bb",
     "SELECT key,value FROM keys ORDER BY rowid", 1, 3},
    {"keys",
     "CREATE TABLE keys(key PRIMARY KEY NOT NULL, value NOT NULL, create_index INTEGER NOT NULL, "
     "mod_index INTEGER NOT NULL, version INTEGER NOT NULL, content_type NOT NULL, lease INTEGER NOT NULL, "
     "expires_at_ms INTEGER NOT NULL)",
     "bbnnnbnn", "SELECT * FROM keys ORDER BY rowid", 4},
    {"leases", "CREATE TABLE leases(id INTEGER PRIMARY KEY, ttl_ms INTEGER NOT NULL, deadline_ms INTEGER NOT NULL)",
     "nnn", "SELECT id,ttl_ms,deadline_ms FROM leases ORDER BY id", 4},
    {"events", "CREATE TABLE events(id INTEGER PRIMARY KEY, queue NOT NULL, event NOT NULL)", "nbb",
     "SELECT id,queue,event FROM events ORDER BY id", 1, 2},
    {"queues",
     "CREATE TABLE queues(queue NOT NULL, paused_in INTEGER NOT NULL, paused_out INTEGER NOT NULL, "
     "enqueued INTEGER NOT NULL, acknowledged INTEGER NOT NULL, redelivered INTEGER NOT NULL, "
     "expired INTEGER NOT NULL, dead_lettered INTEGER NOT NULL, dropped INTEGER NOT NULL, "
     "visibility_timeout_ms INTEGER, max_deliveries INTEGER, delay_ms INTEGER, max_length INTEGER, max_bytes INTEGER, "
     "ttl_ms INTEGER, dedup_window_ms INTEGER, overflow INTEGER, on_expiry INTEGER, dead_letter_queue, backoff_ms)",
     "bnnnnnnnnNNNNNNNNNBB", "SELECT * FROM queues ORDER BY rowid", 3},
    {"events",
     "CREATE TABLE events(id INTEGER PRIMARY KEY, queue NOT NULL, event NOT NULL, state TEXT NOT NULL, "
     "deliveries INTEGER NOT NULL, due_ms INTEGER NOT NULL, content_type NOT NULL, attributes NOT NULL, "
     "cloud_event INTEGER NOT NULL, \"group\" NOT NULL, holds_group INTEGER NOT NULL, priority INTEGER NOT NULL, "
     "enqueued_at_ms INTEGER NOT NULL, arrival INTEGER NOT NULL, arrived_at_ms INTEGER NOT NULL, "
     "expires_at_ms INTEGER NOT NULL, delivery INTEGER NOT NULL, reason NOT NULL, source_queue NOT NULL)",
     "nbbbnnbbnbnnnnnnnbb", "SELECT * FROM events ORDER BY id", 3},
    {"topics", "CREATE TABLE topics(topic NOT NULL, queue NOT NULL, filter NOT NULL)", "bbb",
     "SELECT topic,queue,filter FROM topics ORDER BY rowid", 3},
    {"sessions",
     "CREATE TABLE sessions(origin INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, highest INTEGER NOT NULL, "
     "last_used INTEGER NOT NULL, seen BLOB NOT NULL)",
     "nnnnb", "SELECT origin,epoch,highest,last_used,seen FROM sessions ORDER BY origin"},
    {"idempotency",
     "CREATE TABLE idempotency(scope NOT NULL, key NOT NULL, fingerprint BLOB NOT NULL, idx INTEGER NOT NULL, "
     "due_ms INTEGER NOT NULL, reply BLOB NOT NULL)",
     "bbbnnb", "SELECT scope,key,fingerprint,idx,due_ms,reply FROM idempotency ORDER BY rowid", 2},
};
static_assert(std::size(kTables) == kIdempotency + 1);
// An event's state as its table says it, by machine::EventState.
inline constexpr std::string_view kStateNames[] = {"ready", "delayed", "reserved", "backoff"};

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
  uint64_t queues = 0;  // as of version 3, as the next two
  uint64_t bindings = 0;
  uint64_t last_number = 0;
  uint64_t leases = 0;  // as of version 4, as the next one
  raft::Index store_since;
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

// Names and values as lines NAME=VALUE; neither has a line break, and no name an equals sign.
std::string to_lines(const std::vector<std::pair<std::string_view, std::string_view>>& pairs);
// Views into `lines`; nothing for what to_lines() did not write.
std::optional<std::vector<std::pair<std::string_view, std::string_view>>> from_lines(std::string_view lines);

}  // namespace wh::backup
