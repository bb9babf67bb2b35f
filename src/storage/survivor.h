// The last node of a cluster whose quorum is gone for good: looks at its directory without changing it, and turns what
// it holds into a cluster of its own. Used by --recover; blocking, before any server runs on that directory.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "node/ports.h"
#include "storage/database.h"
#include "storage/directory.h"
#include "storage/disk.h"

namespace wh::storage {

class Survivor {
 public:
  // Locks the directory and verifies it as a start does. `name`: the node-id it must have; empty: any.
  static Result<std::unique_ptr<Survivor>> examine(const std::string& directory, std::string name,
                                                   DiskProbe* probe = nullptr);
  ~Survivor();
  Survivor(const Survivor&) = delete;
  Survivor& operator=(const Survivor&) = delete;

  [[nodiscard]] const node::RecoveredNode& node() const { return node_; }
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }
  // The newest configuration in its log, and where it stands; an index of 0: it never had one.
  [[nodiscard]] raft::Log::ConfigurationAt configuration() const;
  // The term of the last entry. Of two logs the one with the higher (term, index) at its end holds more of what was
  // acknowledged (Raft 5.4.1).
  [[nodiscard]] raft::Term last_log_term() const;

  // Appends, in a term of its own, a configuration of this node alone, and makes the whole log that of the new cluster
  // `fresh`: one transaction. The old cluster's members are strangers from then on.
  Status take_over(const node::ClusterId& fresh);

 private:
  Survivor(Directory directory, std::string name, DiskProbe* probe);
  Directory directory_;
  Disk disk_;
  std::unique_ptr<Database> database_;
  bool had_wal_ = true;
  node::RecoveredNode node_;
};

}  // namespace wh::storage
