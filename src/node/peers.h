// What this node knows of the other nodes: what members announced of themselves, when each was last heard, whose
// process is gone, and which nodes outside the configuration are answered. Tells the transport which peers to connect
// to. Does not change the membership (membership.h). Called by Node and by the parts that hold a reference to it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "node/context.h"

namespace wh::node {

class Peers {
 public:
  explicit Peers(Context& context) : ctx_(context) {}

  // --- what arrives

  // A message came from that node.
  void heard(raft::NodeId from, Millis now);
  // That node's message is about to be handled: makes sure that an answer finds a connection, even if the configuration
  // does not contain it.
  void prepare_to_answer(raft::NodeId from);
  void connected(raft::NodeId id) { gone_.erase(id); }
  // The process of that node seems to be gone.
  void lost(raft::NodeId id);
  // A connected peer announced its identity.
  void announced(raft::NodeId id, const Identity& identity);
  // A member of this cluster answered a question, perhaps at a new address.
  void found(const Identity& identity);
  // A member sent what no correct member can send: closes its connection, counts and logs it. `what`: a phrase.
  void violated(raft::NodeId from, const std::string& what, Millis now);
  // A member says that this node was removed. Believed only from a member that this node knows.
  void told_removed(raft::NodeId by, raft::Position as_of, Millis now);

  // --- the configuration

  // The configuration in force or its committed part may have changed.
  void follow_configuration();
  void configuration_changed();
  // This node got another cluster: it knows none of that one's nodes yet.
  void forget_strangers() { strangers_.clear(); }
  // Identifies the configuration in force as of the last turn: differs whenever the configuration differs.
  [[nodiscard]] std::pair<raft::Index, raft::Term> configuration_seen() const { return configuration_seen_; }
  // Follows what the core says: this node was removed, or is a member again. True: it was removed just now.
  [[nodiscard]] bool watch_removal();

  // --- looking

  // The addresses that a member announced last; if it announced none, those in the configuration.
  [[nodiscard]] raft::Member addresses_of(const raft::Member& member) const;
  [[nodiscard]] std::string name_of(raft::NodeId id) const;
  // The highest version that a member supports, from its last hello; nothing if it sent none to this process.
  [[nodiscard]] std::optional<ClusterVersion> version_of(raft::NodeId member) const;
  // On the leader: whether a member has been silent for two election timeouts.
  [[nodiscard]] bool silent(raft::NodeId id, Millis now) const;
  // On any node: whether a message came from that node within four election timeouts.
  [[nodiscard]] bool heard_lately(raft::NodeId id, Millis now) const;
  // Names of the voters that do not answer, in the order of the configuration.
  [[nodiscard]] std::string names_of_silent(const raft::Configuration& configuration, Millis now) const;
  // The best next leader: of the voters that answer and are not in `but`, one whose disk has room, and among these the
  // one with the longest log; or nobody.
  [[nodiscard]] raft::NodeId best_successor(const std::set<raft::NodeId>& but, Millis now) const;
  [[nodiscard]] bool gone(raft::NodeId id) const { return gone_.contains(id); }

 private:
  void remember_stranger(Peer peer);
  [[nodiscard]] std::pair<raft::Index, raft::Term> configuration_now() const;
  [[nodiscard]] std::vector<raft::NodeId> removed_for_certain() const;

  Context& ctx_;
  std::pair<raft::Index, raft::Term> configuration_seen_;
  raft::Index committed_configuration_seen_;
  std::map<raft::NodeId, Identity> announced_;
  std::map<raft::NodeId, Peer> strangers_;  // of this cluster, but not (yet) in the configuration here
  std::map<raft::NodeId, Millis> heard_;    // when a message last came from each
  std::set<raft::NodeId> gone_;             // their processes are gone
  std::string told_by_;                     // the member that said this node is removed; empty: its own log said so
  LogLimiter violation_log_{10'000};
};

}  // namespace wh::node
