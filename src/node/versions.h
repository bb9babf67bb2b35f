// The cluster's version at a node (base/cluster_version.h): the leader raises it once every member says, in its hello,
// that it can do more, and answers now; a request that needs more is refused before it is proposed or forwarded; an
// entry or a snapshot above what this node can do is not taken.
#pragma once

#include <optional>
#include <string>

#include "base/log.h"
#include "node/context.h"
#include "node/peers.h"

namespace wh::node {

class Versions {
 public:
  Versions(Context& context, const Peers& peers) : ctx_(context), peers_(peers) {}

  // Leader, once a turn: proposes one entry that raises the version as far as every member can.
  void watch(Millis now);
  // The core's answer to that proposal; false when it is another's.
  bool proposed(const raft::Proposed& result);
  void applied(const raft::Entry& entry);
  // The leader proposed a higher version, which is not committed yet: what needs it waits.
  [[nodiscard]] bool rising() const;
  // One sentence for a request that needs more than the cluster's version: it names the members to upgrade.
  [[nodiscard]] std::string unsupported_text(ClusterVersion needed) const;

  // Whether a member's message brings an entry that this node cannot do: then its connection is closed, and the message
  // must not be taken.
  bool above_ours(raft::NodeId from, const PeerMessage& message, Millis now);
  // Once a turn: whether that still holds.
  void watch_refused();
  // Why this node is not ready, as it took no such entry; empty: it met none.
  [[nodiscard]] std::string above_ours_text() const;

 private:
  [[nodiscard]] ClusterVersion common(Millis now) const;

  Context& ctx_;
  const Peers& peers_;
  uint64_t raising_ = 0;  // the proposal of a higher version, until the core says where it stands
  raft::Term raised_in_;  // it was appended in this term, and raises it to:
  ClusterVersion raised_to_ = 0;
  struct Refused {  // an entry that a leader sent and this node cannot do
    raft::NodeId by;
    raft::Index index;
    ClusterVersion version;
  };
  std::optional<Refused> refused_;
  LogLimiter version_log_{60'000};
};

}  // namespace wh::node
