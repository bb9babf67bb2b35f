// The other nodes, as this one knows them: what members announce of themselves, who was heard and when, whose process
// is gone, and who is answered though no configuration here names it. Tells the transport whom to hold a connection to.
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

  // A message came from there.
  void heard(raft::NodeId from, Millis now);
  // What it sent is about to be handled: whoever it is, an answer must find a connection.
  void prepare_to_answer(raft::NodeId from);
  void connected(raft::NodeId id) { gone_.erase(id); }
  // Its process is gone, as far as is known.
  void lost(raft::NodeId id);
  // The identity that a connected peer announced.
  void announced(raft::NodeId id, const Identity& identity);
  // A member of this cluster answered a question, at an address where it may not have been before.
  void found(const Identity& identity);
  // A member sent what no correct member can: its connection is closed, which is counted and logged. `what`: a phrase.
  void violated(raft::NodeId from, const std::string& what, Millis now);
  // A member says that this node was removed. Believed of a member that this node knows.
  void told_removed(raft::NodeId by, raft::Position as_of, Millis now);

  // --- the configuration

  // The configuration in force, or what is committed of it, may have changed.
  void follow_configuration();
  void configuration_changed();
  // Another cluster, or another log: nothing of the configuration before is known.
  void forget_configuration() { configuration_seen_ = {}; }
  void forget_strangers() { strangers_.clear(); }
  // Names the configuration in force as of the last turn: it changes with it.
  [[nodiscard]] std::pair<raft::Index, raft::Term> configuration_seen() const { return configuration_seen_; }
  // The core says that this node was removed, or is a member again. True: it was removed just now.
  [[nodiscard]] bool watch_removal();

  // --- looking

  // What a member announced last, else what the configuration says.
  [[nodiscard]] raft::Member addresses_of(const raft::Member& member) const;
  [[nodiscard]] std::string name_of(raft::NodeId id) const;
  // What a member can do at most, as it said in its last hello; nothing when it said none to this process.
  [[nodiscard]] std::optional<ClusterVersion> version_of(raft::NodeId member) const;
  // On the leader: whether nothing was heard from a member for two election timeouts.
  [[nodiscard]] bool silent(raft::NodeId id, Millis now) const;
  // On any node: whether a message came from there within four.
  [[nodiscard]] bool heard_lately(raft::NodeId id, Millis now) const;
  // Names of the voters that do not answer, in the order of the configuration.
  [[nodiscard]] std::string names_of_silent(const raft::Configuration& configuration, Millis now) const;
  // The next leader: of the voters that answer and are not in `but`, the one with the longest log; or nobody.
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
  std::map<raft::NodeId, Peer> strangers_;  // of this cluster, in no configuration here (yet)
  std::map<raft::NodeId, Millis> heard_;    // when a message last came from there
  std::set<raft::NodeId> gone_;             // their processes
  std::string told_by_;                     // the name of the member that said this node is removed; empty: its own log
  LogLimiter violation_log_{10'000};
};

}  // namespace wh::node
