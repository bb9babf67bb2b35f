// Cluster time at a node (CONTRACT, Promises). The log's stamps go on by the leaders' monotonic clocks; what they lack,
// as nobody led or a clock ran slow, a command of the leader's own brings back: up to what a majority of the voters'
// wall clocks have reached, so that one wrong clock does nothing. When something falls due by the stamps the leader
// proposes one Due; an idle one says the time each second while anything is held, so that little of it is lost when all
// nodes stop. What is due is decided where the entry is applied, on every node alike.
#include <algorithm>

#include "base/mutant.h"
#include "machine/command/command.h"
#include "node/node.h"
#include "raft/quorum.h"

namespace wh::node {
namespace {

constexpr Millis kBehindMs = 1'000;  // so far cluster time may be behind the clocks
constexpr Millis kSayTimeMs = 1'000;
constexpr Millis kLookMs = 250;

}  // namespace

void Node::set_clock(Millis wall_ms, Millis now) {
  if (first_clock_.wall_ms == 0) first_clock_ = {wall_ms, now};
  clock_ = {wall_ms, now};
}

// What a follower's answer says of its clock counts for as long as it is not silent.
void Node::note_clock(raft::NodeId from, const PeerMessage& message, Millis now) {
  const auto* reply = std::get_if<raft::AppendEntriesReply>(&message);
  if (reply != nullptr && reply->clock_ms != 0 && raft_ && raft_->configuration().is_voter(from))
    clocks_[from] = {reply->clock_ms, now};
}

// The highest time that a quorum of all voters' clocks have reached; 0 when too few are known. A lone voter has only
// its own, and believes that as of its start: set wrong later, it does nothing.
Millis Node::clock_of_majority(Millis now) {
  const raft::Configuration& configuration = raft_->configuration();
  std::erase_if(clocks_, [&](const auto& item) { return !configuration.is_voter(item.first); });
  const bool lone = configuration.voters() == 1;
  return raft::reached_by_quorum(configuration, [&](const raft::Member& member) {
    if (member.id == instance_) return (lone ? first_clock_ : clock_).at(now);
    // By its age and not by silent(): this node's own clock may have leapt since, as that of a suspended machine.
    const auto said = clocks_.find(member.id);
    const bool fresh = said != clocks_.end() && now - said->second.as_of <= 2 * Millis{options_.election_timeout_ms};
    return fresh ? said->second.at(now) : Millis{0};
  });
}

// The stamp that an entry would get now, and the cluster's time; of a follower as of the last entry that it applied.
Millis Node::cluster_time_ms(Millis now) const {
  const bool leads = raft_ && raft_->role() == raft::Role::leader;
  return (leads ? std::max(raft_->stamp(now), machine_.time_ms()) : machine_.time_ms()) + machine_.jumped_ms();
}

bool Node::keeps_time() const {
  return machine_.version() > kFirstVersion && raft_ && raft_->leads_for_certain() && !raft_->transferring();
}

// Before the writes, so that the first write of a new cluster is stamped right. While a node may still be absorbed into
// another cluster nothing of its own stands in its log.
void Node::watch_time(Millis now) {
  if (own_command_ && own_command_->index != raft::Index{} && own_command_->term != raft_->current_term())
    own_command_.reset();
  if (!keeps_time() || own_command_ || now < own_command_at_) return;
  const Millis stamp = raft_->stamp(now);
  const bool first_write = !writes_.empty() && standing() == Standing::absorbable;
  if ((now >= look_at_clocks_at_ && standing() == Standing::member) || first_write) {
    look_at_clocks_at_ = now + kLookMs;
    const Millis clock = WH_MUTANT(one_clock_counts) ? clock_.at(now) : clock_of_majority(now);
    if (clock > stamp + machine_.jumped_ms() + kBehindMs && clock < raft::kLimit)
      return propose_own(machine::AdvanceTime{clock}, now);
  }
  const Millis due = machine_.next_deadline();
  if (due == kNever || WH_MUTANT(nothing_falls_due)) return;
  if (due <= stamp || stamp >= raft_->log().last_time_ms() + kSayTimeMs) propose_own(machine::Due{}, now);
}

void Node::propose_own(const machine::Body& body, Millis now) {
  own_command_ = {.number = next_number_++};
  saw_command_ = true;
  wants_turn_ = true;
  raft_->step(now, raft::Propose{own_command_->number, Bytes(machine::encode_command(body))});
}

// True: it was one of this leader's own.
bool Node::own_proposed(const raft::Proposed& result, Millis now) {
  if (!own_command_ || own_command_->number != result.token) return false;
  if (result.refusal == raft::Refusal::none) {
    own_command_->index = result.index;
    own_command_->term = result.term;
  } else {
    own_command_.reset();
    own_command_at_ = now + kLookMs;
  }
  return true;
}

// Another may follow once it is applied, or can never be.
void Node::own_applied(raft::Index index) {
  if (own_command_ && own_command_->index != raft::Index{} && index >= own_command_->index) own_command_.reset();
}

Millis Node::time_deadline(Millis now) const {
  if (!keeps_time() || own_command_) return kNever;
  if (now < own_command_at_) return own_command_at_;
  Millis next = standing() == Standing::member ? std::max(look_at_clocks_at_, now + 1) : kNever;
  const Millis due = machine_.next_deadline();
  if (due == kNever) return next;
  const Millis stamp = raft_->stamp(now);
  const Millis say_at = raft_->log().last_time_ms() + kSayTimeMs;
  return std::min(next, now + std::max<Millis>(1, std::min(due, say_at) - std::min({due, say_at, stamp})));
}

}  // namespace wh::node
