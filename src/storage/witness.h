// The second durable record, in a file of its own: what the database must hold at the least. SQLite drops the end of a
// damaged or missing WAL without a word, and would give back an older log, term and vote as if nothing had been
// promised after them (HAZARDS 1.1, 5.3); the witness tells.
//
// One rule makes it safe at every point of a crash: *the witness never claims more than the database durably holds*. It
// is lowered, and synced, before a commit that takes something back (a truncation, an installation, a new beginning),
// and raised after the commit it speaks of. To be behind is harmless.
//
// How it is raised was measured (ext4 on a virtual disk; a commit of one entry alone takes 100 us): synced after each
// commit 210 us, twice the time; written to the device just before the next commit, whose flush then covers it,
// 140 us. So the latter is done, lagging one batch: term, vote and other promises wait for a sync of their own, and an
// idle database syncs the last one. The write waits for the device (write_out): started only, it would cost nothing,
// and the flush might overtake it.
//
// The file: 4,096 bytes, two slots of 512 at 0 and 512, written in turn, so that a torn write leaves the other one.
// A slot: magic u64, sequence u64, instance u64, cluster id 16 bytes, term u64, vote u64, revision u64, index u64,
// chain u64, crc32c u32 over all before it. Little-endian.
//
// Used by the database lane only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "node/messages.h"
#include "raft/types.h"
#include "storage/disk.h"

namespace wh::storage {

inline constexpr const char* kWitnessFile = "witness";

// What the database is said to hold.
struct Claim {
  node::ClusterId cluster = node::kNoCluster;  // none: no claim about it
  raft::HardState hard_state;
  uint64_t revision = 0;  // of the meta row; grows with every promise other than entries
  raft::Index index;
  uint64_t chain = 0;  // at `index`
  friend bool operator==(const Claim&, const Claim&) = default;
};

class Witness {
 public:
  enum class Durability : uint8_t {
    with_next_sync,  // durable once any file has been synced
    now,
  };

  Witness(Disk& disk, std::string directory, raft::NodeId instance)
      : disk_(disk), directory_(std::move(directory)), instance_(instance) {}
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  // Makes the file, or takes a blank one, with both slots empty, durably. `directory_fd` is only used during the call.
  Status create(int directory_fd);
  // Opens the file and reads the newest valid slot. `blank`: both are still empty.
  struct Found {
    std::optional<Claim> claim;
    raft::NodeId instance;
    bool blank = false;
  };
  Result<Found> open(int directory_fd);
  void set_instance(raft::NodeId instance) { instance_ = instance; }

  // Writes a claim into the older slot. Between two writes a sync of some file must have succeeded.
  Status write(const Claim& claim, Durability durability);
  // Makes the last write durable, when it is not.
  Status sync();
  // Whether the last write() failed for want of room only; the slot before is then still the one that counts.
  [[nodiscard]] bool no_room() const { return no_room_; }
  // The claim written last, whether durable yet or not.
  [[nodiscard]] const Claim& claim() const { return claim_; }
  // Tells that a sync of another file succeeded after the last write.
  void synced() { durable_ = true; }

 private:
  Disk& disk_;
  std::string directory_;
  raft::NodeId instance_;
  int fd_ = -1;
  uint64_t sequence_ = 0;
  Claim claim_;
  bool durable_ = true;
  bool no_room_ = false;
};

}  // namespace wh::storage
