// The byte formats of the database's rows: checksums, the hash chain, the snapshot record; and the sentence about a
// damaged directory. No I/O.
//
// The chain: chain(0) = 0; chain(i) = mix64(chain(i-1), hash of entry i), over index, term, kind, time and payload. Two
// logs with the same chain at i are the same up to i.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "node/ports.h"

namespace wh::storage {

inline constexpr const char* kDatabaseFile = "wormhole.db";
inline constexpr const char* kDatabaseWal = "wormhole.db-wal";  // SQLite's name for it
inline constexpr const char* kLockFile = "wormhole.lock";
// Exists while a backup is being restored: the files beside it are incomplete.
inline constexpr const char* kRestoreMarker = "restore-unfinished";
// A backup being made, until it loses its name.
inline constexpr const char* kBackupTemporary = "backup-unfinished.tmp";
inline constexpr int32_t kApplicationId = 0x574f524d;  // "WORM"
// The format is the cluster's version (base/cluster_version.h): an older release refuses to open data it does not know.
// It is raised in the transaction that first holds such data.
inline constexpr int64_t kFirstFormat = kFirstVersion;

// The meta row.
struct Meta {
  node::ClusterId cluster = node::kNoCluster;
  raft::NodeId instance;
  std::string name;
  uint64_t epoch = 0;
  uint64_t revision = 0;  // grows with every change of this row
  raft::HardState hard_state;
  raft::NodeId granted_to;
  uint64_t granted_attempt = 0;
  std::string granted_address;
  raft::Index base_index;  // the index before the first row of the log
  raft::Term base_term;
  uint64_t base_chain = 0;
  bool saw_command = false;  // since the last beginning, even if the entry was truncated later
  bool saw_others = false;
};
uint32_t meta_crc(const Meta& meta);

uint64_t next_chain(uint64_t previous, const raft::Entry& entry);
uint32_t row_crc(const raft::Entry& entry, uint64_t chain);

std::string encode_snapshot_meta(const raft::SnapshotMeta& meta);
// Empty for bytes that encode_snapshot_meta did not write.
std::optional<raft::SnapshotMeta> decode_snapshot_meta(std::string_view bytes);
uint32_t snapshot_row_crc(std::string_view record, std::string_view file);

// The sentence about data that cannot be trusted: `what` names the file and the row or place; then come the commands
// that replace the node.
std::string damage(const std::string& directory, std::string_view what);

}  // namespace wh::storage
