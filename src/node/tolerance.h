// Knows how many voters may fail, and what to tell an operator about it: a cluster of two voters tolerates no failure
// and is more likely to stop than one of a single voter; a larger cluster tolerates none once enough of its voters are
// silent. The leader logs such a state once, after it has lasted for a while. Decides nothing and changes nothing.
// Called by Node; MembershipChanges asks for quorum_gone().
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "node/context.h"
#include "node/peers.h"

namespace wh::node {

class Tolerance {
 public:
  Tolerance(const Context& context, const Peers& peers) : ctx_(context), peers_(peers) {}

  // As Node::tolerates and Node::tolerance_warning.
  [[nodiscard]] std::optional<size_t> tolerates() const;
  [[nodiscard]] std::string warning() const;
  // Once a turn: the leader logs a change that has lasted.
  void watch(Millis now);
  // If there is no leader: whether too few voters were heard lately to elect one. Returns a sentence with the numbers
  // and what to do, or nothing.
  [[nodiscard]] std::string quorum_gone(Millis now) const;

 private:
  enum class State : uint8_t { fine, two_voters, voters_silent };
  [[nodiscard]] State state() const;

  const Context& ctx_;
  const Peers& peers_;
  State said_ = State::fine;  // what the leader logged last
  State seen_ = State::fine;  // the state seen last, and since when:
  Millis since_ = 0;
};

}  // namespace wh::node
