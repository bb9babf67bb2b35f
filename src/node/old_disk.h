// Judges the word of a leader that this node's disk is an older copy of itself. A copy of a whole directory is
// consistent, so nothing in it shows its age. But the leader knows how far its follower acknowledged in this term
// (HAZARDS C5: a directory restored from an old backup), and a node whose log is shorter than it promised may elect a
// leader that lacks committed entries. So the node must stop, but not on one member's word: that member may lie, or
// another node may pose as it, and the operator would throw a sound disk away. The node asks the other voters which
// leader they follow:
// - If the voters that name that leader are enough to elect one, counting that leader but not this node, it is believed
//   and the node stops. But once this node has acknowledged anything in this process life, which it remembers, it only
//   waits, as in the third case: acknowledgements of an earlier life may reach the leader late, and nobody's word may
//   stop running nodes.
// - If the voters that deny it form a quorum together with this node, it is not believed, and this member's word on
//   this counts for nothing from then on. The node goes on and receives the entries that it lacks.
// - Otherwise too few answered, and the node asks again every election timeout. Until it knows, it neither votes nor
//   campaigns, unless its log again holds the acknowledged entries, which its leader sends it, or an entry of a later
//   leader, which was elected without this node. Committed entries may exist on that leader alone, and this node's vote
//   would elect one that lacks them.
// A voter that names another leader denies it. One that names no leader denies it only from the second round on, as it
// may just have started.
//
// One liar cannot block a cluster of sound disks for ever: if the voters that answer and do not lie are a quorum, this
// node included, they all deny it; if they are no quorum, nobody could be elected anyway. The price: a true leader may
// fall silent before it has sent the missing entries, while voters come back that never heard of it; nothing tells it
// from a liar. Two weaknesses remain: a leader that a quorum follows can lie to a node that has just started, and a
// node with an old disk forgets what it was told when it restarts once more.
//
// The core says when to look (Output::acknowledged_lost, acknowledged_missing) and keeps the node from voting; this
// class only asks, and gives the core the verdict. Called by Node.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "node/context.h"
#include "node/peers.h"

namespace wh::node {

class OldDisk {
 public:
  OldDisk(Context& context, const Peers& peers) : ctx_(context), peers_(peers) {}

  // The core reports a leader's claim: this node acknowledged entries up to `acknowledged`, but its log ends before.
  // `fresh`: this process life had not acknowledged anything before.
  void look_into(raft::Index acknowledged, bool fresh, Millis now);
  // Whether the question was one of these.
  bool answered(uint64_t request, const Result<Answer>& answer, Millis now);
  // Once a turn.
  void pump(Millis now);
  [[nodiscard]] Millis next_deadline() const;

  // Too few voters answered to confirm or deny it: this node votes for nobody.
  [[nodiscard]] bool doubted() const { return loss_ && loss_->again_at != 0; }
  // The other voters are being asked, or will be.
  [[nodiscard]] bool looked_into() const { return loss_.has_value(); }
  // That member said so in this process life, and a quorum denied it.
  [[nodiscard]] bool disbelieves(raft::NodeId id) const { return disbelieved_.contains(id); }

 private:
  struct Loss {  // a leader says that this node acknowledged entries that its log lacks
    raft::NodeId leader;
    raft::Index acknowledged;
    raft::Index last;                        // the log's last index when the leader said so
    bool fresh = false;                      // this process life had not acknowledged anything before
    std::set<std::string> leader_addresses;  // the addresses of that leader
    std::set<uint64_t> asked;                // questions to voters that are not answered yet
    std::set<raft::NodeId> backing;          // voters that name it as their leader
    std::set<raft::NodeId> denying;          // voters that deny it
    uint32_t rounds = 0;                     // rounds of questions so far
    Millis again_at = 0;                     // when the next round begins, if none is in progress
  };
  void ask_who_leads(Millis now);
  void denied(Millis now);
  void unknown(Millis now);
  [[nodiscard]] std::string leader_name() const;

  Context& ctx_;
  const Peers& peers_;
  std::optional<Loss> loss_;
  std::set<raft::NodeId> disbelieved_;  // members that said so in this process life and that a quorum denied
};

}  // namespace wh::node
