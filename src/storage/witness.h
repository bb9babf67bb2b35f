// The second durable record, in a file of its own: the minimum that the database must hold. SQLite silently drops the
// end of a damaged or missing WAL, and would return an older log, term and vote as if nothing had been promised after
// them (HAZARDS chapters 1.1 and 5.3); the witness detects that.
//
// One rule makes it safe at every point of a crash: *the witness never claims more than the database durably holds*. It
// is lowered, and synced, before a commit that takes something back (a truncation, an installation, a new beginning),
// and raised after the commit that it claims. A lagging witness is harmless.
//
// How to raise it was measured (ext4 on a virtual disk; a commit of one entry alone takes 100 us): syncing it after
// each commit takes 210 us, twice the time; writing it to the device just before the next commit, whose flush then
// covers it, takes 140 us. So we do the latter, and not for each: it lags by kWitnessLagMs and one commit, since each
// write is two calls on the device (a twentieth of the processor time of a durable write of 64 clients; of one
// client's, 80 us over three nodes). Term, vote and other promises wait for their own sync, and a database that
// rests syncs the last one; a leader, too, remembers what was acknowledged to it (HAZARDS C5). The write is begun
// before the commit and awaited just before its sync (arrive), so that the device takes it while SQLite works; without
// the wait the flush might overtake it.
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
// How much older than the last commit the claim of a log that grows may be. If a crash damages the WAL's end, the node
// itself does not notice the loss of entries that were committed in its last moment, of this length and one commit.
inline constexpr Millis kWitnessLagMs = 5;

// What the database must hold.
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
    with_next_sync,  // durable after arrive() and then the next sync of any file
    now,
  };

  Witness(Disk& disk, std::string directory, raft::NodeId instance)
      : disk_(disk), directory_(std::move(directory)), instance_(instance) {}
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  // Creates the file, or takes a blank one, durably with both slots empty. `directory_fd` is only used during the call.
  Status create(int directory_fd);
  // Opens the file and reads the newest valid slot. `blank`: both are still empty.
  struct Found {
    std::optional<Claim> claim;
    raft::NodeId instance;
    bool blank = false;
  };
  Result<Found> open(int directory_fd);
  void set_instance(raft::NodeId instance) { instance_ = instance; }

  // Writes a claim into the older slot. A sync of some file must succeed between two writes.
  Status write(const Claim& claim, Durability durability);
  // Waits until the device has what was written with_next_sync; nothing to do otherwise. Returns 0 or an errno.
  int arrive();
  // Whether that is still to be waited for.
  [[nodiscard]] bool under_way() const { return under_way_; }
  // Makes the last write durable, unless it is.
  Status sync();
  // Whether the last write() failed for lack of room only; the slot before it is then still valid.
  [[nodiscard]] bool no_room() const { return no_room_; }
  // The last claim written, durable or not.
  [[nodiscard]] const Claim& claim() const { return claim_; }
  // Reports that a sync of another file succeeded after the last write.
  void synced() { durable_ = true; }

 private:
  Disk& disk_;
  std::string directory_;
  raft::NodeId instance_;
  int fd_ = -1;
  uint64_t sequence_ = 0;
  Claim claim_;
  bool durable_ = true;
  bool under_way_ = false;
  bool no_room_ = false;
};

}  // namespace wh::storage
