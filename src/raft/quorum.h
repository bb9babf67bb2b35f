// Counts the voters of a configuration: how many satisfy a predicate, whether they are a quorum, what a quorum has
// reached, and how many may fail. The only place that counts them; learners never count. Owns nothing, knows no
// protocol. The core uses it for votes, commit, reads and contact, the node for what it tells operators.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <vector>

#include "base/mutant.h"
#include "raft/configuration.h"

namespace wh::raft {

// The number of voters for which `does`, a predicate of a Member, is true.
template <typename Does>
[[nodiscard]] size_t count_voters(const Configuration& configuration, const Does& does) {
  size_t count = 0;
  for (const Member& member : configuration.members())
    if (member.suffrage == Suffrage::voter && does(member)) ++count;
  return count;
}

// Whether those are a quorum; never with no voters.
template <typename Does>
[[nodiscard]] bool quorum_of(const Configuration& configuration, const Does& does) {
  return count_voters(configuration, does) >= configuration.quorum();
}

// The highest value that `needed` voters, by default a quorum, have reached; `value` says how far a Member is. T{},
// which stands for "never reached", when there are fewer voters.
template <typename Value>
[[nodiscard]] auto reached_by(const Configuration& configuration, size_t needed, const Value& value) {
  using T = std::decay_t<decltype(value(configuration.members().front()))>;
  constexpr size_t kUsual = 16;  // clusters of a usual size need no allocation
  std::array<T, kUsual> few{};
  std::vector<T> many;
  if (configuration.members().size() > kUsual) many.resize(configuration.members().size());
  T* const values = many.empty() ? few.data() : many.data();
  size_t count = 0;
  for (const Member& member : configuration.members())
    if (member.suffrage == Suffrage::voter || WH_MUTANT(learner_counts)) values[count++] = value(member);
  if (needed == 0 || count < needed) return T{};
  std::nth_element(values, values + (needed - 1), values + count, std::greater<>());
  return values[needed - 1];
}
template <typename Value>
[[nodiscard]] auto reached_by_quorum(const Configuration& configuration, const Value& value) {
  return reached_by(configuration, configuration.quorum(), value);
}

// How many of `answering` voters may fail, one after the other, while the rest is still a quorum.
[[nodiscard]] inline size_t may_fail(const Configuration& configuration, size_t answering) {
  return answering > configuration.quorum() ? answering - configuration.quorum() : 0;
}

}  // namespace wh::raft
