// A disk that is said to be an older copy of itself. A copy of a whole directory fits together, so nothing in it tells;
// but the leader knows how far its follower acknowledged in this term (HAZARDS C5), and a node that keeps a log shorter
// than its promises may elect a leader that lacks what was committed. So it stops, but not on one member's word: that
// could lie, or be anybody who says to be that member, and the operator would throw a sound disk away. The other voters
// are asked whom they follow:
// - As many name that leader, itself among them and this node not, as elect one: it is believed, and the node stops.
//   Once it acknowledged anything in this process life, which it remembers, it only waits as below: what an earlier
//   life acknowledged may reach the leader after that, and still nobody's word is to stop nodes that run.
// - As many deny it as are a quorum together with this node: it is not, and that member's word on this counts for
//   nothing any more. The node goes on, and is sent what it lacks.
// - Neither, as others are away: they are asked again, every election timeout. Until it is known, the node neither
//   votes nor campaigns, unless it holds again what it is said to have acknowledged, which its leader sends it, or an
//   entry of a later leader's, who was elected without it. What is committed may be with that leader alone, and this
//   node's vote would elect one that lacks it.
// Whoever names another leader denies it; whoever names nobody does so from the second time on, as it may just have
// started.
//
// One liar blocks no cluster of whole disks for ever: where the voters that are there and do not lie are a quorum, this
// node among them, they all deny it; where they are none, nobody could be elected anyway. The price is paid by a true
// leader that falls silent before it has sent what is missing, while others come back that never heard of it: nothing
// tells it from a liar. What else remains: a leader that a quorum follows can lie to a node that has just started, and
// an old disk whose node is restarted once more forgets what it was told.
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

  // The core: its leader says that this node acknowledged entries up to there, and the log ends before. `fresh`: this
  // process life acknowledged nothing before.
  void look_into(raft::Index acknowledged, bool fresh, Millis now);
  // Whether the answer was to a question of these.
  bool answered(uint64_t request, const Result<Answer>& answer, Millis now);
  // Once a turn.
  void pump(Millis now);
  [[nodiscard]] Millis next_deadline() const;

  // Too few answered to tell: this node votes for nobody.
  [[nodiscard]] bool doubted() const { return loss_ && loss_->again_at != 0; }
  // Others are asked, or will be.
  [[nodiscard]] bool looked_into() const { return loss_.has_value(); }
  // A member that said so in this process life, and that a quorum did not follow.
  [[nodiscard]] bool disbelieves(raft::NodeId id) const { return disbelieved_.contains(id); }

 private:
  struct Loss {  // an acknowledgement that the log does not hold, by a leader's word
    raft::NodeId leader;
    raft::Index acknowledged;
    raft::Index last;                        // of the log, when it was said
    bool fresh = false;                      // this process had acknowledged nothing before
    std::set<std::string> leader_addresses;  // where that leader is reached
    std::set<uint64_t> asked;                // voters, without an answer yet
    std::set<raft::NodeId> backing;          // of them, those that name it as their leader
    std::set<raft::NodeId> denying;          // and those that do not
    uint32_t rounds = 0;                     // of asking
    Millis again_at = 0;                     // the next, when none is under way
  };
  void ask_who_leads(Millis now);
  void denied(Millis now);
  void unknown(Millis now);
  [[nodiscard]] std::string leader_name() const;

  Context& ctx_;
  const Peers& peers_;
  std::optional<Loss> loss_;
  std::set<raft::NodeId> disbelieved_;  // members that said so in this process life, against a quorum
};

}  // namespace wh::node
