// Faults that are aimed at a moment: uniform faults are weak, as most moments do not matter (HAZARDS chapter 2). Each
// moment that matters is reported here as it comes, and each aim strikes there with its own probability.
#pragma once

#include <cstdint>

#include "node/messages.h"
#include "node/ports.h"

namespace wh::sim {

class World;
struct Host;

enum class Moment : uint8_t {
  vote_granted,      // the vote leaves the voter
  staged,            // a batch is on its way to the disk
  appended,          // by the leader; likewise the next two
  noop_appended,     // the first entry of its term
  change_appended,   // a configuration
  acked,             // the leader is about to hear that a follower has its last entry
  change_acked,      // likewise, where the log includes an uncommitted configuration
  completing,        // a follower sends the acknowledgement that completes a quorum
  committed,         // by the leader, and not yet answered
  change_committed,  // likewise, a configuration
  receiving,         // a follower wrote a part of a snapshot
  installing,        // a snapshot is on its way to the disk, in place of the log
  started,
};

class Aims {
 public:
  explicit Aims(World& world);

  void moment(Host& host, Moment moment);
  // Moments that messages show: before the node receives one, and when it leaves.
  void receives(Host& host, const node::PeerMessage& message);
  void sends(Host& host, raft::NodeId to, const node::PeerMessage& message);
  // A question is on its way to that host.
  void asks(Host& to, const node::Ask& question);

 private:
  [[nodiscard]] bool strikes(uint32_t chance_ppm) const;
  void crash(Host& host, const char* why);
  // Cuts the host off from everybody, for a few election timeouts.
  void cut_off(Host& host, const char* why);
  void split(const char* why);
  void snapshots_now();
  // Adds a spare while only that spare hears the leader.
  void change_at_once(Host& host);
  void hand_over_at_learner(Host& host);
  void administer_soon(Host& host, node::AdminRequest request);
  void told_to_campaign(Host& leader, Host* target);
  [[nodiscard]] bool completes(const Host& host, const Host& leader, raft::Index match) const;

  World& world_;
  bool any_ = false;   // whether any aim is set
  bool said_ = false;  // whether an aim that looks at messages is set
};

}  // namespace wh::sim
