// Makes a data directory from a backup: a new cluster of one node, whose log begins after a snapshot of that state. All
// or nothing: a marker in the directory keeps servers from starting while a restore runs; a failed restore removes what
// it made. Used by --restore; blocking.
#pragma once

#include <cstdint>
#include <string>

#include "backup/reader.h"
#include "base/result.h"
#include "node/messages.h"
#include "raft/types.h"
#include "storage/disk.h"

namespace wh::backup {

// Indexes, and so event ids, continue this far after the backup's: an id given out between the backup and the loss of
// the cluster must not name another event.
inline constexpr uint64_t kIndexGap = 1'000'000;

struct Founder {
  std::string name;           // node-id
  raft::NodeId instance;      // random, not 0
  node::ClusterId cluster{};  // random
  std::string raft_address;   // host:port; an empty host: the node determines it at its start
};

// Touches nothing unless `path` is missing or empty; otherwise the error names its contents. Returns the index
// from which the new cluster continues.
Result<raft::Index> restore_backup(Backup backup, const std::string& path, const Founder& founder,
                                   storage::DiskProbe* probe = nullptr);

}  // namespace wh::backup
