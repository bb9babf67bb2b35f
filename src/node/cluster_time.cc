#include "node/cluster_time.h"

#include <algorithm>

#include "base/mutant.h"
#include "machine/command/command.h"
#include "raft/quorum.h"

namespace wh::node {
namespace {

constexpr Millis kBehindMs = 1'000;  // cluster time may be this far behind the clocks
constexpr Millis kSayTimeMs = 1'000;
constexpr Millis kLookMs = 250;

}  // namespace

void ClusterTime::set_clock(Millis wall_ms, Millis now) {
  if (first_clock_.wall_ms == 0) first_clock_ = {wall_ms, now};
  clock_ = {wall_ms, now};
}

// A follower's clock counts until the follower is silent.
void ClusterTime::note(raft::NodeId from, const PeerMessage& message, Millis now) {
  const auto* reply = std::get_if<raft::AppendEntriesReply>(&message);
  if (reply != nullptr && reply->clock_ms != 0 && ctx_.raft && ctx_.raft->configuration().is_voter(from))
    clocks_[from] = {reply->clock_ms, now};
}

// The highest time that a quorum of all voters' clocks have reached; 0 if too few clocks are known. A lone voter has
// only its own clock, and uses it as it was at the start: setting it wrong later has no effect.
Millis ClusterTime::clock_of_majority(Millis now) {
  const raft::Configuration& configuration = ctx_.raft->configuration();
  std::erase_if(clocks_, [&](const auto& item) { return !configuration.is_voter(item.first); });
  const bool lone = configuration.voters() == 1;
  return raft::reached_by_quorum(configuration, [&](const raft::Member& member) {
    if (member.id == ctx_.instance) return (lone ? first_clock_ : clock_).at(now);
    // Judged by the age of the reply and not by peers_.silent(): this node's own clock may have jumped since, as on a
    // suspended machine.
    const auto said = clocks_.find(member.id);
    const bool fresh =
        said != clocks_.end() && now - said->second.as_of <= 2 * Millis{ctx_.options.election_timeout_ms};
    return fresh ? said->second.at(now) : Millis{0};
  });
}

// The leader uses the stamp that an entry would get now, a follower that of the last entry that it applied; both add
// the jumps of cluster time.
Millis ClusterTime::now_ms(Millis now) const {
  return (ctx_.leads() ? std::max(ctx_.raft->stamp(now), ctx_.machine.time_ms()) : ctx_.machine.time_ms()) +
         ctx_.machine.jumped_ms();
}

bool ClusterTime::keeps_time() const {
  return ctx_.machine.version() > kFirstVersion && ctx_.raft && ctx_.raft->leads_for_certain() &&
         !ctx_.raft->transferring();
}

// Runs before the writes, so that the first write of a new cluster gets the right stamp. While this node may still be
// absorbed into another cluster, it proposes no command of its own without a client's write.
void ClusterTime::watch(bool writes_wait, Millis now) {
  if (own_ && own_->index != raft::Index{} && own_->term != ctx_.raft->current_term()) own_.reset();
  if (!keeps_time() || own_ || now < propose_at_) return;
  const Millis stamp = ctx_.raft->stamp(now);
  const bool first_write = writes_wait && ctx_.standing() == Standing::absorbable;
  if ((now >= look_at_clocks_at_ && ctx_.standing() == Standing::member) || first_write) {
    look_at_clocks_at_ = now + kLookMs;
    const Millis clock = WH_MUTANT(one_clock_counts) ? clock_.at(now) : clock_of_majority(now);
    if (clock > stamp + ctx_.machine.jumped_ms() + kBehindMs && clock < raft::kLimit)
      return propose(machine::AdvanceTime{clock}, now);
  }
  const Millis due = ctx_.machine.next_deadline();
  if (due == kNever || WH_MUTANT(nothing_falls_due)) return;
  if (due <= stamp || stamp >= ctx_.raft->log().last_time_ms() + kSayTimeMs) propose(machine::Due{}, now);
}

void ClusterTime::propose(const machine::Body& body, Millis now) {
  own_ = {.number = ctx_.next_number++};
  ctx_.saw_command = true;
  ctx_.wants_turn = true;
  ctx_.raft->step(now, raft::Propose{own_->number, Bytes(machine::encode_command(body))});
}

// True: it was this leader's own proposal.
bool ClusterTime::proposed(const raft::Proposed& result, Millis now) {
  if (!own_ || own_->number != result.token) return false;
  if (result.refusal == raft::Refusal::none) {
    own_->index = result.index;
    own_->term = result.term;
  } else {
    own_.reset();
    propose_at_ = now + kLookMs;
  }
  return true;
}

// The next command may be proposed once this one is applied, or can no longer be.
void ClusterTime::applied(raft::Index index) {
  if (own_ && own_->index != raft::Index{} && index >= own_->index) own_.reset();
}

Millis ClusterTime::next_deadline(Millis now) const {
  if (!keeps_time() || own_) return kNever;
  if (now < propose_at_) return propose_at_;
  Millis next = ctx_.standing() == Standing::member ? std::max(look_at_clocks_at_, now + 1) : kNever;
  const Millis due = ctx_.machine.next_deadline();
  if (due == kNever) return next;
  const Millis stamp = ctx_.raft->stamp(now);
  const Millis say_at = ctx_.raft->log().last_time_ms() + kSayTimeMs;
  return std::min(next, now + std::max<Millis>(1, std::min(due, say_at) - std::min({due, say_at, stamp})));
}

}  // namespace wh::node
