// Sees situations (situations.h): looks at a node before each message that it receives, at each that it sends, and
// after each of its events, and counts what is new. Judges nothing, which is checks.h's task, and changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "node/node.h"
#include "sim/situations.h"

namespace wh::sim {

class World;
struct Host;

class Watch {
 public:
  explicit Watch(World& world) : world_(world) {}

  void started(const Host& host);
  void host_died(const Host& host);
  // Called before the node receives it.
  void receives(const Host& host, raft::NodeId from, const node::PeerMessage& message);
  void sends(const Host& host, raft::NodeId to, const node::PeerMessage& message);
  // Called after each event of a node.
  void looked(const Host& host);
  void completed(const Host& host, const node::Completion& completion);
  // A configuration is committed; `before` is the one before it.
  void configuration_committed(const raft::Configuration& before, const raft::Configuration& now);

 private:
  // A requested vote: whether the log alone would have allowed it.
  struct Asked {
    raft::NodeId by;
    raft::Term term;
    bool pre_vote = false;
    bool fits = false;   // the log is new enough
    bool newer = false;  // the term was above the voter's
    bool given = false;  // the voter had given that term's vote to another
  };
  // The highest entry sent to a peer in this term.
  struct SentTo {
    raft::NodeId peer;
    raft::Index last;
  };
  // One process, as of its last event.
  struct Seen {
    raft::Role role = raft::Role::follower;
    raft::Term term;
    raft::NodeId leader;
    bool raft = false;
    bool certain = false;  // it leads for certain
    bool transferring = false;
    bool told_transfer = false;  // in this term
    bool removed = false;
    bool held_back = false;  // in this term
    bool ahead = false;      // it committed entries that its own disk lacks
    bool incoming = false;
    bool outside = false;
    bool in_doubt = false;  // about its disk
    std::array<uint64_t, raft::kElectionCauses> begun{};
    std::array<uint64_t, raft::kStepDownCauses> stepped_down{};
    std::vector<Asked> asked;
    std::vector<SentTo> sent;
    uint64_t last_forward = 0;  // the highest sequence it forwarded
  };
  void role_changed(const Host& host, Seen& seen, const raft::Raft& raft);
  void figures_changed(Seen& seen, const raft::ElectionFigures& now);
  void receives_raft(const Host& host, Seen& seen, const raft::Raft& raft, raft::NodeId from,
                     const node::PeerMessage& message);
  void held_back(const Host& host, Seen& seen, const raft::Raft& raft, const raft::AppendEntriesReply& reply,
                 raft::NodeId from);

  World& world_;
  std::vector<Seen> seen_;                                             // by host
  std::map<std::pair<node::ClusterId, uint64_t>, size_t> candidates_;  // by cluster and term
};

}  // namespace wh::sim
