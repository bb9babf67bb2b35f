// How many voters may fail, and what an operator is told about it: a cluster of two voters tolerates none, and is more
// likely to stand still than one; a larger one tolerates none once enough of its voters are silent. The leader says so,
// once for each such time, when it has lasted; nothing here decides anything.
#include <algorithm>
#include <string>

#include "base/log.h"
#include "node/node.h"
#include "raft/quorum.h"

namespace wh::node {
namespace {
// A cluster that grows passes through two voters, and a node that restarts is silent for a moment.
constexpr Millis kToleranceSettleMs = 3'000;
}  // namespace

std::optional<size_t> Node::tolerates() const {
  if (!raft_ || removed_) return 0;
  const raft::Configuration& configuration = raft_->configuration();
  if (raft::may_fail(configuration, configuration.voters()) == 0) return 0;
  if (raft_->role() != raft::Role::leader) return std::nullopt;
  return raft::may_fail(configuration, raft::count_voters(configuration, [&](const raft::Member& member) {
                          return member.id == instance_ || !silent(member.id);
                        }));
}

Node::Tolerance Node::tolerance() const {
  if (!raft_ || removed_ || raft_->configuration().voters() < 2) return Tolerance::fine;
  if (raft_->configuration().voters() == 2) return Tolerance::two_voters;
  return tolerates() == 0 ? Tolerance::voters_silent : Tolerance::fine;
}

// Names of the voters that do not answer, in the order of the configuration.
std::string Node::names_of_silent(const raft::Configuration& configuration, Millis now) const {
  std::string names;
  for (const raft::Member& member : configuration.members())
    if (member.suffrage == raft::Suffrage::voter && member.id != instance_ && silent(member.id, now))
      names += (names.empty() ? "" : ", ") + member.name;
  return names;
}

std::string Node::tolerance_warning() const {
  switch (tolerance()) {
    case Tolerance::fine:
      break;
    case Tolerance::two_voters:
      return "the cluster has two voters and tolerates no failure: when either is gone, the other cannot go on. Add a "
             "third";
    case Tolerance::voters_silent:
      return "the cluster tolerates no further failure: " + names_of_silent(raft_->configuration(), turn_at_) +
             " does not answer, and " + std::to_string(raft_->configuration().quorum()) + " of " +
             std::to_string(raft_->configuration().voters()) +
             " voters are needed. Bring it back, or remove it, or put another in its place";
  }
  return {};
}

void Node::watch_tolerance(Millis now) {
  if (!raft_->leads_for_certain() || ending_) {
    tolerance_said_ = tolerance_seen_ = Tolerance::fine;
    return;
  }
  if (const Tolerance is = tolerance(); is != tolerance_seen_) {
    tolerance_seen_ = is;
    tolerance_since_ = now;
  }
  if (tolerance_seen_ == tolerance_said_ || now < tolerance_since_ + kToleranceSettleMs) return;
  tolerance_said_ = tolerance_seen_;
  if (tolerance_said_ == Tolerance::fine) {
    logf(LogLevel::notice, "the cluster tolerates the failure of %zu of its %zu voters again", *tolerates(),
         raft_->configuration().voters());
  } else {
    logf(LogLevel::warning, "%s", tolerance_warning().c_str());
  }
}

// Without a leader: whether the voters that this node heard of lately are too few to have one. A sentence with the
// numbers and what to do, or nothing.
std::string Node::quorum_gone(Millis now) const {
  if (!raft_ || raft_->leader_id() || !raft_->configuration().is_voter(instance_)) return {};
  const raft::Configuration& configuration = raft_->configuration();
  std::string missing;
  const size_t heard = raft::count_voters(configuration, [&](const raft::Member& member) {
    const auto it = heard_.find(member.id);
    if (member.id == instance_ || (it != heard_.end() && now <= it->second + 4 * Millis{options_.election_timeout_ms}))
      return true;
    missing += (missing.empty() ? "" : ", ") + member.name;
    return false;
  });
  if (heard >= configuration.quorum()) return {};
  return "only " + std::to_string(heard) + " of " + std::to_string(configuration.voters()) +
         " voters can be reached and " + std::to_string(configuration.quorum()) +
         " are needed to change the members: bring back " + missing +
         ", or, if they are gone for good, stop this node and start it once with --recover";
}

}  // namespace wh::node
