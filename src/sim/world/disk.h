// A simulated disk: what survives a crash (DiskImage), and the node's Storage over it. Writes are staged, then made
// durable a group at a time after a random delay, as the real storage's worker does; a crash loses staged writes, and
// may or may not keep the group whose sync was running.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node/ports.h"

namespace wh::sim {

class World;
struct Host;

struct SnapshotImage {
  raft::SnapshotMeta meta;
  std::string bytes;
};

// What is wrong with a disk; a read finds it. The real storage verifies everything at each start.
enum class Damage : uint8_t { none, row, snapshot, older_file };

struct DiskImage {
  node::ClusterId cluster = node::kNoCluster;
  raft::NodeId instance;
  uint64_t epoch = 0;
  raft::HardState hard_state;
  raft::Index base_index;
  raft::Term base_term;
  std::deque<raft::Entry> log;  // from base_index + 1
  std::optional<SnapshotImage> snapshot;
  std::optional<SnapshotImage> previous;  // still readable, no longer recorded
  std::optional<SnapshotImage> incoming;  // the first part of one; its meta describes the whole
  bool saw_command = false;
  bool saw_others = false;
  raft::NodeId granted_to;
  uint64_t granted_attempt = 0;
  std::string granted_address;
  Damage damage = Damage::none;
  raft::Index damaged;                     // the damaged row's index, or the snapshot's
  bool old_copy = false;                   // an older copy replaced this disk, and has not caught up since
  bool was_old_copy = false;               // likewise, whether or not it has caught up
  ClusterVersion version = kFirstVersion;  // the format: a release that does not support it does not start here
  raft::Index acknowledged;                // up to where, before the older copy replaced it

  [[nodiscard]] raft::Index last_index() const { return base_index + log.size(); }
  [[nodiscard]] const raft::Entry* at(raft::Index index) const {
    return index > base_index && index <= last_index() ? &log[index - base_index - 1] : nullptr;
  }
};

// The damage that a start finds, or null.
const char* damage_found(DiskImage& disk);

// What opening the storage does: increments the epoch and returns at most `tail_bytes` of the log's end.
node::RecoveredNode recover(DiskImage& disk, const std::string& name, uint64_t tail_bytes);

class SimStorage final : public node::Storage {
 public:
  SimStorage(World& world, Host& host);

  void persist(node::Batch batch) override;
  void begin_anew(node::NewBeginning beginning) override;
  void save_grant(node::FoundingGrant grant) override;
  void load_entries(raft::Index first, raft::Index last, uint64_t max_bytes) override;
  void compact(raft::Index index) override;
  void begin_snapshot(const raft::SnapshotMeta& meta) override;
  void write_snapshot_slice(Bytes slice) override;
  void finish_snapshot() override;
  void write_incoming_chunk(const raft::SnapshotMeta& meta, uint64_t offset, Bytes data, bool done) override;
  void keep_snapshot(std::optional<raft::SnapshotMeta> meta) override;
  void read_snapshot(uint64_t request, const raft::SnapshotMeta& meta, uint64_t offset, uint64_t max_bytes) override;
  void acknowledged_lost(raft::Index acknowledged, raft::Index last) override;
  [[nodiscard]] Millis sync_age() const override;
  // Whether nothing is on its way to the disk.
  [[nodiscard]] bool idle() const { return staged_.empty() && syncing_.empty(); }

  // The process dies now.
  void die();
  // The disk is full for this long: the next sync waits, snapshots fail.
  void fill(uint64_t us);
  // The next sync takes this much longer.
  void stall(uint64_t us) { stall_us_ = us; }
  // The next write or sync fails and ends the process: nothing is tried twice.
  enum class Failure : uint8_t { none, write, sync };
  void fail_next(Failure failure) { failure_ = failure; }

 private:
  struct RecordSnapshot {
    SnapshotImage image;
  };
  struct Compact {
    raft::Index index;
  };
  using Write = std::variant<node::Batch, node::NewBeginning, node::FoundingGrant, RecordSnapshot, Compact>;

  void write(Write write);
  [[nodiscard]] bool under_way(raft::Index index) const;
  void begin_sync();
  void end_sync();
  void apply(const std::vector<Write>& group);
  void apply_batch(const node::Batch& batch);
  void install(const raft::InstallState& install);
  void record(SnapshotImage image);
  // Carries out jobs of the file lane in order, each after a delay.
  void file_job(std::function<void()> job);
  void snapshot_failed();
  void misread(std::string& part, uint64_t offset, raft::Index index);
  void fail_group(const std::vector<Write>& group);
  void done(node::StorageDone done);

  World& world_;
  Host& host_;
  std::vector<Write> staged_;
  std::vector<Write> syncing_;
  uint64_t sync_began_us_ = 0;
  uint64_t stall_us_ = 0;
  bool full_ = false;
  Failure failure_ = Failure::none;
  uint64_t file_lane_free_us_ = 0;
  raft::SnapshotMeta taking_;
  std::string taken_;
  std::optional<raft::SnapshotMeta> keep_;
  std::optional<SnapshotImage> kept_;           // older than the two in the disk image
  std::map<uint64_t, SnapshotImage> complete_;  // complete incoming ones, by index
  raft::Index misread_;                         // the last one of them that was read back damaged
};

}  // namespace wh::sim
