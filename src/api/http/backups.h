// The backup under way: walks the state in slices, one at a time between the turns of the loop, has a worker write them
// into a file, and gives the file as the body of an answer. One at a time on a node, until its reader has taken it: a
// slow reader keeps one file open and no memory. Asked by routes_node.cc; Server calls turn().
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

namespace wh {

struct BackupCounters {
  uint64_t made = 0;
  uint64_t failed = 0;
};

class Backups {
 public:
  using Answer = std::function<void(http::Response)>;

  // All must outlive it.
  Backups(const Options& options, node::Node& node, storage::Worker& worker, std::string directory);
  ~Backups();
  Backups(const Backups&) = delete;
  Backups& operator=(const Backups&) = delete;

  // A backup of the state as it is now, to be called when a read was granted. `answer` is called once, now or later,
  // but not after stop(): with the file, 429 when one is under way, 507 without room, or 503.
  void begin(Answer answer);
  // The headers of the answer to GET, without making one.
  [[nodiscard]] http::Response head(raft::Index index) const;
  // Once a turn of the loop, behind the node's.
  void turn();
  // Gives up what is being made, with 503. What is being read goes on.
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

  const Options& options_;
  node::Node& node_;
  storage::Worker& worker_;
  const std::string directory_;
  std::weak_ptr<Slot> slot_;
  std::shared_ptr<Making> making_;
  BackupCounters counters_;
};

}  // namespace wh
