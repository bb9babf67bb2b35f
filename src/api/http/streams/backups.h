// The backup under way: reads the state in slices, one between two turns of the loop, lets a worker write them into a
// file, and gives the file as the body of an answer. A node makes one at a time, until its reader has taken it: a slow
// reader keeps one file open and no memory. Called by routes/node.cc; Server calls turn().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/refusal.h"
#include "backup/writer.h"
#include "base/result.h"
#include "config/options.h"
#include "http/response.h"
#include "node/node.h"
#include "storage/sqlite_storage.h"

namespace wh::api {

struct BackupCounters {
  uint64_t made = 0;
  uint64_t failed = 0;
};

class Backups {
 public:
  using Answer = std::function<void(http::Response)>;

  // All arguments must outlive this object.
  Backups(const config::Options& options, node::Node& node, storage::Worker& worker, std::string directory);
  ~Backups();
  Backups(const Backups&) = delete;
  Backups& operator=(const Backups&) = delete;

  // Makes a backup of the state as it is now; called when a read was granted. Calls `answer` once, now or later, but
  // not after stop(): with the file, 429 when a backup is under way, 507 without room, or 503.
  void begin(Answer answer);
  // The headers of the answer to GET, without making one.
  [[nodiscard]] http::Response head(raft::Index index) const;
  // Called once a turn of the loop, after the node's.
  void turn();
  // Gives up the backup that is being made, with 503. One that is being read goes on.
  void stop();

  [[nodiscard]] bool busy() const { return !slot_.expired(); }
  [[nodiscard]] const BackupCounters& counters() const { return counters_; }

 private:
  // Alive as long as a job or a reader holds it.
  struct Slot {};
  struct Making;
  void run(std::function<Status()> work);
  void finish();
  void fail(RefusalKind kind, const std::string& why);
  [[nodiscard]] http::Response described(raft::Index index, const std::string& name) const;

  const config::Options& options_;
  node::Node& node_;
  storage::Worker& worker_;
  const std::string directory_;
  std::weak_ptr<Slot> slot_;
  std::shared_ptr<Making> making_;
  BackupCounters counters_;
};

}  // namespace wh::api
