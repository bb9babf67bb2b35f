// Makes a data directory of a backup: a new cluster of one node, whose log begins behind a snapshot of that state. All
// or nothing: while it is under way a marker lies in the directory, with which no server starts; one that fails takes
// away what it made. Used by --restore; blocking.
#pragma once

#include <cstdint>
#include <string>

#include "backup/reader.h"
#include "base/result.h"
#include "node/messages.h"
#include "raft/types.h"
#include "storage/disk.h"

namespace wh::backup {

// Indexes, and so the ids of events, go on this far behind the backup's: what was given out between the backup and the
// loss of the cluster must not name something else.
inline constexpr uint64_t kIndexGap = 1'000'000;

struct Founder {
  std::string name;           // node-id
  raft::NodeId instance;      // random, not 0
  node::ClusterId cluster{};  // random
  std::string raft_address;   // host:port; the host may be empty: the node then tells at its start
};

// Nothing is touched unless `directory` is missing or empty; else the error names what is in it. Returns the index from
// which the new cluster goes on.
Result<raft::Index> restore_backup(Backup backup, const std::string& directory, const Founder& founder,
                                   storage::DiskProbe* probe = nullptr);

}  // namespace wh::backup
