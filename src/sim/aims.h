// Faults that are aimed at a moment: uniform ones are weak, as most moments do not matter (HAZARDS 2). Each moment that
// does is told here as it comes, and each aim strikes there by its own chance.
#pragma once

#include <cstdint>

#include "node/messages.h"
#include "node/ports.h"

namespace wh::sim {

class World;
struct Host;

enum class Moment : uint8_t {
  vote_granted,      // leaves the voter
  staged,            // a batch is on its way to the disk
  appended,          // by the leader
  noop_appended,     // likewise, the first entry of its term
  change_appended,   // likewise, a configuration
  acked,             // the leader is about to hear that a follower has its last entry
  change_acked,      // or a configuration that is not committed
  completing,        // a follower acknowledges what a quorum has by that
  committed,         // by the leader, and not answered yet
  change_committed,  // likewise, a configuration
  receiving,         // a follower wrote a part of a snapshot
  installing,        // a snapshot is on its way to the disk, in place of the log
  started,
};

class Aims {
 public:
  explicit Aims(World& world);

  void moment(Host& host, Moment moment);
  // Moments that are seen by what is said: before the node is given it, and as it leaves.
  void receives(Host& host, const node::PeerMessage& message);
  void sends(Host& host, raft::NodeId to, const node::PeerMessage& message);
  // A question is on its way to that host.
  void asks(Host& to, const node::Ask& question);

 private:
  [[nodiscard]] bool strikes(uint32_t chance_ppm) const;
  void crash(Host& host, const char* why);
  // Cut off from everybody, for a few election timeouts.
  void cut_off(Host& host, const char* why);
  void split(const char* why);
  void snapshots_now();
  // A spare is to be added while only it hears the leader.
  void change_at_once(Host& host);
  void hand_over_at_learner(Host& host);
  void administer_soon(Host& host, node::AdminRequest request);
  void told_to_campaign(Host& leader, Host* target);
  [[nodiscard]] bool completes(const Host& host, const Host& leader, raft::Index match) const;

  World& world_;
  bool any_ = false;   // of the aims is set
  bool said_ = false;  // of those that look at messages
};

}  // namespace wh::sim
