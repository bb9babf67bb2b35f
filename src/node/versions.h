// Follows the cluster's version (base/cluster_version.h). The leader raises it once every member answers and has said
// in its hello that it supports more. A request that needs a higher version is refused before it is proposed or
// forwarded (Writes asks for that). A message with an entry above this node's version is not handed to the core.
// Machine holds the version itself. Called by Node and Writes.
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

  // Leader, once a turn: proposes one entry that raises the version to the highest that every member supports.
  void watch(Millis now);
  // The core's answer to that proposal; false if the proposal was another part's.
  bool proposed(const raft::Proposed& result);
  void applied(const raft::Entry& entry);
  // This leader proposed a higher version that is not applied yet: requests that need it wait.
  [[nodiscard]] bool rising() const;
  // No entry of the current term is applied here yet, as after a restart: the cluster's version may be higher than this
  // node's state knows, so requests that need more wait.
  [[nodiscard]] bool behind() const;
  // What a node must support to become a member.
  [[nodiscard]] ClusterVersion demanded() const { return rising() ? raised_to_ : ctx_.machine.version(); }
  // Whether every member is known to support `needed`, so that the cluster's version is about to get there.
  [[nodiscard]] bool expected(ClusterVersion needed) const { return who_cannot(needed).empty(); }
  // One sentence to refuse a request that needs more than the cluster's version; it names the members to upgrade.
  [[nodiscard]] std::string unsupported_text(ClusterVersion needed) const;

  // Whether a member's message contains an entry above this node's version: then this closes its connection, and the
  // caller must drop the message.
  bool above_ours(raft::NodeId from, const PeerMessage& message, Millis now);
  // Once a turn: forgets the refused entry when it no longer counts.
  void watch_refused();
  // Why this node is not ready, if it refused such an entry; empty: it did not.
  [[nodiscard]] std::string above_ours_text() const;

 private:
  struct Refused {  // an entry above this node's version that a member sent
    raft::NodeId by;
    raft::Index index;
    ClusterVersion version;
  };
  [[nodiscard]] ClusterVersion common(Millis now) const;
  [[nodiscard]] std::string text_of(const Refused& refused) const;
  [[nodiscard]] std::string who_cannot(ClusterVersion needed) const;

  Context& ctx_;
  const Peers& peers_;
  uint64_t raising_ = 0;  // the number of the proposal, until the core answers it
  raft::Term raised_in_;  // the term of that proposal, and the version that it raises to:
  ClusterVersion raised_to_ = 0;
  std::optional<Refused> refused_;
  LogLimiter version_log_{60'000};
};

}  // namespace wh::node
