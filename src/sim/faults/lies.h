// Messages of a member that breaks the rules although it knows the cluster's secret: it is faulty, or taken over. Raft
// trusts its members, so a lie about its own vote, or about the entries it holds, can lose data, and a false leader's
// heartbeats can keep others from the true leader: such lies are not drawn. Drawn are lies that must be survived:
// messages that no correct member can send, which must have no effect (raft/impossible.cc), and lies that cost at most
// an election or a message.
#pragma once

#include <optional>

#include "base/prng.h"
#include "node/messages.h"
#include "raft/raft.h"

namespace wh::sim {

struct Lie {
  node::PeerMessage message;
  bool impossible = false;             // the receiver can prove it
  std::optional<raft::Term> makes_up;  // a term that may be believed, in which nobody campaigned
};

// Asks a member with data to leave its cluster for another, or to let one be founded; it must refuse.
node::Ask draw_temptation(Prng& prng, raft::NodeId by, raft::NodeId to);

// One lie of that member to this server in its current state; nothing when the drawn lie fits none of its roles.
// `term_of_by`: the term on that member's disk.
std::optional<Lie> draw_lie(Prng& prng, raft::NodeId by, raft::Term term_of_by, const raft::Raft& to);

}  // namespace wh::sim
