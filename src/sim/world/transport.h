// A process's transport in the simulation: dials every peer over the simulated network, greets it as net/peers does,
// and sends with the real codec. Faults may send a message again, elsewhere, or in a term far ahead.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "node/ports.h"

namespace wh::sim {

class World;
struct Connection;
struct Host;

class SimTransport final : public node::Transport {
 public:
  SimTransport(World& world, Host& host) : world_(world), host_(host) {}

  void set_peers(std::vector<node::Peer> peers) override;
  void set_membership(node::Membership membership) override;
  void set_identity(const node::Identity& identity, node::Standing standing) override;
  bool send(raft::NodeId to, node::PeerMessage message) override;
  void cut_off(raft::NodeId from) override;
  void ask(uint64_t request, const std::string& address, node::Ask question) override;
  void resolve(uint64_t request, const std::string& address) override;
  void answer(uint64_t question_id, node::Answer answer) override;

  void die();
  // Its node just received a message that no correct member sent; and one that no correct member can send.
  void heard_odd(raft::NodeId from) { odd_.insert(from); }
  void heard_impossible(raft::NodeId from) { impossible_.insert(from); }
  // The node has acted on all messages that it received.
  void turned();
  // The connection is gone; the next dial shows whether the process is.
  void connection_lost(const Connection& connection);
  // What hellos say, as of the last set_identity.
  [[nodiscard]] const node::Identity& identity() const { return identity_; }
  [[nodiscard]] node::Standing standing() const { return standing_; }
  // Whether, to the host's knowledge, this node was removed and, to the node's knowledge, not added again.
  [[nodiscard]] bool refuses(raft::NodeId id, raft::Position member_as_of) const;
  [[nodiscard]] const node::Membership& membership() const { return membership_; }

 private:
  struct Out {
    node::Peer peer;
    std::shared_ptr<Connection> connection;
    bool died = false;
    uint64_t backoff_ms = 50;
    uint64_t attempt = 0;  // of dialling; answers to older attempts are void
    uint64_t connected_us = 0;
  };
  Out* find(raft::NodeId id);
  void disconnect(Out& out);
  void dial(raft::NodeId id, uint64_t delay_us);
  void dial_later(raft::NodeId id);
  void arrive(raft::NodeId id, uint64_t attempt);
  void greeted(raft::NodeId id, uint64_t attempt, Host& target);

  World& world_;
  Host& host_;
  node::Identity identity_;
  node::Standing standing_ = node::Standing::seeking;
  std::map<raft::NodeId, Out> peers_;
  node::Membership membership_;
  uint64_t next_attempt_ = 1;
  std::set<raft::NodeId> odd_, impossible_;  // the senders of such messages since the last turn
};

}  // namespace wh::sim
