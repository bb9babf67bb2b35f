// Members whose addresses changed: the leader writes what they announce into the configuration; a node without a leader
// asks the addresses of `join` whether one of its members moved there.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "node/context.h"
#include "node/peers.h"

namespace wh::node {

class Addresses {
 public:
  Addresses(Context& context, Peers& peers) : ctx_(context), peers_(peers) {}

  // Once a turn.
  void refresh(Millis now);
  // The node at a member's address refused our hello; `theirs` says who it is.
  void peer_refused(raft::NodeId id, const WhoIAm& theirs);
  // Whether what was resolved, or answered, was asked for this.
  bool resolved(uint64_t request, const Result<std::vector<std::string>>& addresses);
  bool answered(uint64_t request, const Result<Answer>& answer);

 private:
  void write_down(Millis now);
  void ask_who_is_at(const std::string& address);

  Context& ctx_;
  Peers& peers_;
  std::set<uint64_t> looking_up_;  // names of `join`
  std::set<uint64_t> finding_;     // WhoAreYou to their addresses
  Millis refreshed_at_ = 0;
};

}  // namespace wh::node
