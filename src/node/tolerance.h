// How many voters may fail, and what an operator is told about it: a cluster of two voters tolerates none, and is more
// likely to stand still than one; a larger one tolerates none once enough of its voters are silent. The leader says so,
// once for each such time, when it has lasted; nothing here decides anything.
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
  // Once a turn: the leader says what has changed.
  void watch(Millis now);
  // Without a leader: whether the voters that this node heard of lately are too few to have one. A sentence with the
  // numbers and what to do, or nothing.
  [[nodiscard]] std::string quorum_gone(Millis now) const;

 private:
  enum class State : uint8_t { fine, two_voters, voters_silent };
  [[nodiscard]] State state() const;

  const Context& ctx_;
  const Peers& peers_;
  State said_ = State::fine;  // by the leader, last
  State seen_ = State::fine;  // since:
  Millis since_ = 0;
};

}  // namespace wh::node
