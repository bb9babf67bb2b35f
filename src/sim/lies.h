// What a member says that does not keep to the rules, though it knows the cluster's secret: ill, or taken over. Raft
// believes its members, so a lie about its own vote, or about what it holds, can lose data, and a false leader's
// heartbeats can keep others from a true one: such are not drawn. Drawn is what must be survived: what no correct
// member can send, of which nothing may be done (raft/impossible.cc), and lies that cost no more than an election or a
// message.
#pragma once

#include <optional>

#include "base/prng.h"
#include "node/messages.h"
#include "raft/raft.h"

namespace wh::sim {

struct Lie {
  node::PeerMessage message;
  bool impossible = false;             // provably, to who hears it now
  std::optional<raft::Term> makes_up;  // a term that may be believed, in which nobody campaigned
};

// To leave its cluster for another, or to let one be founded: to be asked of a member with data, who refuses.
node::Ask draw_temptation(Prng& prng, raft::NodeId by, raft::NodeId to);

// One lie of that member's to this server, as that stands now; or nothing, when what was drawn fits none of its roles.
// `term_of_by`: on that member's disk.
std::optional<Lie> draw_lie(Prng& prng, raft::NodeId by, raft::Term term_of_by, const raft::Raft& to);

}  // namespace wh::sim
