// Follows members whose addresses change: the leader writes the addresses that they announce into the configuration; a
// node without a leader asks at the addresses of `join` whether a member of its cluster moved there. Peers holds what
// members announced. Called by Node.
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
  // The node at a member's address refused this node's hello; `theirs` says which node it is.
  void peer_refused(raft::NodeId id, const WhoIAm& theirs);
  // Whether the lookup, or the question, was one of these.
  bool resolved(uint64_t request, const Result<std::vector<std::string>>& addresses);
  bool answered(uint64_t request, const Result<Answer>& answer);

 private:
  void write_down(Millis now);
  void ask_who_is_at(const std::string& address);

  Context& ctx_;
  Peers& peers_;
  std::set<uint64_t> looking_up_;  // lookups of the names of `join` in progress
  std::set<uint64_t> finding_;     // WhoAreYou in progress, at their addresses
  Millis refreshed_at_ = 0;
};

}  // namespace wh::node
