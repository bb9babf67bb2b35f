#include "node/tolerance.h"

#include "base/log.h"
#include "raft/quorum.h"

namespace wh::node {
namespace {
// A state counts after it has lasted this long: a growing cluster passes through two voters, and a restarting node is
// silent for a moment.
constexpr Millis kToleranceSettleMs = 3'000;
}  // namespace

std::optional<size_t> Tolerance::tolerates() const {
  if (!ctx_.raft || ctx_.removed) return 0;
  const raft::Configuration& configuration = ctx_.raft->configuration();
  if (raft::may_fail(configuration, configuration.voters()) == 0) return 0;
  if (ctx_.raft->role() != raft::Role::leader) return std::nullopt;
  return raft::may_fail(configuration, raft::count_voters(configuration, [&](const raft::Member& member) {
                          return member.id == ctx_.instance || !peers_.silent(member.id, ctx_.turn_at);
                        }));
}

Tolerance::State Tolerance::state() const {
  if (!ctx_.raft || ctx_.removed || ctx_.raft->configuration().voters() < 2) return State::fine;
  if (ctx_.raft->configuration().voters() == 2) return State::two_voters;
  return tolerates() == 0 ? State::voters_silent : State::fine;
}

std::string Tolerance::warning() const {
  switch (state()) {
    case State::fine:
      break;
    case State::two_voters:
      return "the cluster has two voters and tolerates no failure: when either is gone, the other cannot go on. Add a "
             "third";
    case State::voters_silent:
      return "the cluster tolerates no further failure: " +
             peers_.names_of_silent(ctx_.raft->configuration(), ctx_.turn_at) + " does not answer, and " +
             std::to_string(ctx_.raft->configuration().quorum()) + " of " +
             std::to_string(ctx_.raft->configuration().voters()) +
             " voters are needed. Bring it back, or remove it, or put another in its place";
  }
  return {};
}

void Tolerance::watch(Millis now) {
  if (!ctx_.raft->leads_for_certain() || ctx_.answer_by) {
    said_ = seen_ = State::fine;
    return;
  }
  if (const State is = state(); is != seen_) {
    seen_ = is;
    since_ = now;
  }
  if (seen_ == said_ || now < since_ + kToleranceSettleMs) return;
  said_ = seen_;
  if (said_ == State::fine) {
    logf(LogLevel::notice, "the cluster tolerates the failure of %zu of its %zu voters again", *tolerates(),
         ctx_.raft->configuration().voters());
  } else {
    logf(LogLevel::warning, "%s", warning().c_str());
  }
}

std::string Tolerance::quorum_gone(Millis now) const {
  if (!ctx_.raft || ctx_.raft->leader_id() || !ctx_.raft->configuration().is_voter(ctx_.instance)) return {};
  const raft::Configuration& configuration = ctx_.raft->configuration();
  std::string missing;
  const size_t heard = raft::count_voters(configuration, [&](const raft::Member& member) {
    if (member.id == ctx_.instance || peers_.heard_lately(member.id, now)) return true;
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
