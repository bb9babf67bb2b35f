// The last node of a cluster that lost its quorum for good: examines its directory without changing it, and turns its
// contents into a new cluster. Used by --recover; blocking, before any server runs on that directory.
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
  static Result<std::unique_ptr<Survivor>> examine(const std::string& path, std::string name,
                                                   DiskProbe* probe = nullptr);
  ~Survivor();
  Survivor(const Survivor&) = delete;
  Survivor& operator=(const Survivor&) = delete;

  [[nodiscard]] const node::RecoveredNode& node() const { return node_; }
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }
  // The newest configuration in its log, and its index; index 0: it never had one.
  [[nodiscard]] raft::Log::ConfigurationAt configuration() const;
  // The term of the last entry. The log with the higher (term, index) at its end holds more of what was acknowledged
  // (Raft 5.4.1).
  [[nodiscard]] raft::Term last_log_term() const;

  // Appends, in a new term, a configuration of this node alone, and makes the whole log the new cluster `fresh`'s: one
  // transaction. Afterwards it no longer accepts the old cluster's members.
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
