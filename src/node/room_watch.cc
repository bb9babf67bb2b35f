#include "node/room_watch.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/mutant.h"
#include "machine/command/command.h"
#include "raft/quorum.h"

namespace wh::node {

// Reacts to a new measurement of the disk or a changed limit.
bool RoomWatch::watch(Millis now) {
  bool again = false;
  if (room_.low() != ctx_.raft->disk_low()) {
    const DiskSpace& space = room_.space();
    if (room_.low()) {
      logf(LogLevel::warning,
           "the disk is %s: %lu bytes are free, min-free-disk is %lu; what adds data is refused with 507 unless a node "
           "with room leads: make room in the data directory's file system",
           space.full ? "full" : "low", space.free_bytes, room_.min_free());
    } else {
      logf(LogLevel::notice, "the disk has room again: %lu bytes are free", space.free_bytes);
      again = true;
    }
    ctx_.raft->step(now, raft::DiskLow{room_.low()});
    hand_over_at_ = now;
  }
  if (!room_.low() || ctx_.answer_by || now < hand_over_at_ || !ctx_.raft->leads_for_certain() ||
      ctx_.raft->transferring())
    return again;
  raft::PeerStatus best{};
  for (const raft::PeerStatus& peer : ctx_.raft->peers())
    // A voter in `replicate` has answered in this term, and its log follows.
    if (ctx_.raft->configuration().is_voter(peer.id) && peer.state == raft::ProgressState::replicate && !peer.no_room &&
        !peers_.silent(peer.id, now) && (!best.id || peer.match_index > best.match_index))
      best = peer;
  if (!best.id) return again;
  // If the voter does not take over, the next attempt comes later: meanwhile this node leads, and refuses writes that
  // add data.
  hand_over_at_ = now + 10 * Millis{ctx_.options.election_timeout_ms};
  logf(LogLevel::notice, "handing leadership to %s, whose disk has room",
       ctx_.raft->configuration().find(best.id)->name.c_str());
  ctx_.raft->step(now, raft::TransferLeadership{ctx_.next_number++, best.id});
  return again;
}

Status RoomWatch::check(std::string_view command, uint64_t growth) const {
  if (!room_.fits(ctx_.machine.logical_bytes(), growth))
    return Error{"the data is at maxmemory on the leader, " + ctx_.options.name + " (" +
                 std::to_string(ctx_.machine.logical_bytes()) + " of " + std::to_string(room_.maxmemory()) +
                 " bytes): remove keys or take events off the queue, or raise maxmemory there"};
  const raft::Configuration& configuration = ctx_.raft->configuration();
  const std::vector<raft::PeerStatus> peers = ctx_.raft->peers();
  const bool majority_full = !raft::quorum_of(configuration, [&](const raft::Member& member) {
    return std::none_of(peers.begin(), peers.end(),
                        [&](const raft::PeerStatus& peer) { return peer.id == member.id && peer.no_room; });
  });
  if ((!room_.low() && !majority_full) || WH_MUTANT(full_disk_takes_writes) || !machine::adds_data(command))
    return ok_status();
  if (room_.low())
    return Error{"the disk of the leader, " + ctx_.options.name + ", has too little room (" +
                 std::to_string(room_.space().free_bytes) +
                 " bytes free): make room on it, or see directive min-free-disk"};
  return Error{"the disks of too many nodes have too little room: make room on those whose INFO says disk_low:1"};
}

}  // namespace wh::node
