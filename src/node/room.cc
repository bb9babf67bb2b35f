// What the node does about room (room.h): the leader refuses writes that would add data where there is none, before it
// proposes them and never when it applies; and it hands over to a voter whose disk has room.
#include "node/room.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "machine/command/command.h"
#include "node/node.h"
#include "raft/quorum.h"

namespace wh::node {

void Room::measured(const DiskSpace& space) {
  space_ = space;
  judge();
}

void Room::set_limits(uint64_t maxmemory_bytes, uint64_t min_free_bytes) {
  maxmemory_ = maxmemory_bytes;
  min_free_ = min_free_bytes;
  judge();
}

// An eighth between the two edges, so that it does not flap.
void Room::judge() {
  const uint64_t edge = low_ ? min_free_ + min_free_ / 8 : min_free_;
  low_ = space_.full || space_.free_bytes < edge;
}

void Node::set_room(uint64_t maxmemory_bytes, uint64_t min_free_bytes) {
  room_.set_limits(maxmemory_bytes, min_free_bytes);
  wants_turn_ = true;
}

// The disk was measured, or a limit was changed: tells the core and the log of a change, and hands over.
void Node::watch_room(Millis now) {
  if (room_.low() != raft_->disk_low()) {
    const DiskSpace& space = room_.space();
    if (room_.low()) {
      logf(LogLevel::warning,
           "the disk is %s: %lu bytes are free, min-free-disk is %lu; what adds data is refused with 507 unless a node "
           "with room leads: make room in the data directory's file system",
           space.full ? "full" : "low", space.free_bytes, room_.min_free());
    } else {
      logf(LogLevel::notice, "the disk has room again: %lu bytes are free", space.free_bytes);
      snapshot_not_before_ = 0;
    }
    raft_->step(now, raft::DiskLow{room_.low()});
    hand_over_at_ = now;
  }
  if (!room_.low() || ending_ || now < hand_over_at_ || !raft_->leads_for_certain() || raft_->transferring()) return;
  raft::PeerStatus best{};
  for (const raft::PeerStatus& peer : raft_->peers())
    // In `replicate` it answered in this term, and its log follows.
    if (raft_->configuration().is_voter(peer.id) && peer.state == raft::ProgressState::replicate && !peer.no_room &&
        !silent(peer.id, now) && (!best.id || peer.match_index > best.match_index))
      best = peer;
  if (!best.id) return;
  // One that cannot take it is asked again later: meanwhile this node leads, and refuses what adds data.
  hand_over_at_ = now + 10 * Millis{options_.election_timeout_ms};
  logf(LogLevel::notice, "handing leadership to %s, whose disk has room",
       raft_->configuration().find(best.id)->name.c_str());
  raft_->step(now, raft::TransferLeadership{next_number_++, best.id});
}

// Why this leader does not propose a command (in its envelope) that grows the data by `growth`; empty: it does.
std::string Node::lack_of_room(std::string_view command, uint64_t growth) const {
  if (!room_.fits(machine_.logical_bytes(), growth))
    return "the data is at maxmemory on the leader, " + options_.name + " (" +
           std::to_string(machine_.logical_bytes()) + " of " + std::to_string(room_.maxmemory()) +
           " bytes): remove keys or take events off the queue, or raise maxmemory there";
  const raft::Configuration& configuration = raft_->configuration();
  const std::vector<raft::PeerStatus> peers = raft_->peers();
  const bool majority_full = !raft::quorum_of(configuration, [&](const raft::Member& member) {
    return std::none_of(peers.begin(), peers.end(),
                        [&](const raft::PeerStatus& peer) { return peer.id == member.id && peer.no_room; });
  });
  if ((!room_.low() && !majority_full) || WH_MUTANT(full_disk_takes_writes) || !machine::adds_data(command)) return {};
  if (room_.low())
    return "the disk of the leader, " + options_.name + ", has too little room (" +
           std::to_string(room_.space().free_bytes) + " bytes free): make room on it, or see directive min-free-disk";
  return "the disks of too many nodes have too little room: make room on those whose INFO says disk_low:1";
}

}  // namespace wh::node
