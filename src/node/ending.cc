// A node that is being stopped: leadership goes to whoever can take it best, and to the next one if that fails; then
// the node stays a moment for those who still take it for the leader. What is in progress is answered within a bound.
#include <algorithm>

#include "base/log.h"
#include "base/mutant.h"
#include "node/node.h"

namespace wh::node {
namespace {
// Requests that are in progress when the stop begins, and those that come after, are answered within this time.
constexpr Millis kAnswerMs = 3'000;
}  // namespace

void Node::begin_shutdown(Millis now) {
  if (ending_) return;
  ending_ = Ending{.answer_by = now + kAnswerMs, .to = {}, .tried = {}, .gave_back = {}};
  if (raft_) raft_->set_leaving();
  wants_turn_ = true;
  waits_.stop();
  bring_deadlines_forward(ending_->answer_by);
}

raft::NodeId Node::best_successor(const std::set<raft::NodeId>& but, Millis now) const {
  raft::PeerStatus best{};
  for (const raft::PeerStatus& peer : raft_->peers()) {
    if (but.contains(peer.id) || gone_.contains(peer.id)) continue;
    if (!raft_->configuration().is_voter(peer.id) || silent(peer.id, now)) continue;
    // One whose disk has room before one that could take no data.
    const bool better = best.no_room != peer.no_room ? best.no_room : peer.match_index > best.match_index;
    if (!best.id || better) best = peer;
  }
  return best.id;
}

void Node::pump_handover(Millis now) {
  if (!ending_ || WH_MUTANT(leaves_without_handing_over)) return;
  Ending& ending = *ending_;
  if (raft_->role() != raft::Role::leader) {
    if (ending.led && ending.linger_until == 0 && (raft_->leader_id() || !ending.handed))
      ending.linger_until = now + 2 * Millis{options_.heartbeat_interval_ms};
    return;
  }
  ending.linger_until = 0;
  if (raft_->transferring()) {
    ending.led = true;
    return;
  }
  if (now < ending.retry_at) return;
  std::set<raft::NodeId> but = ending.tried;
  but.insert(ending.gave_back.begin(), ending.gave_back.end());
  raft::NodeId to = best_successor(but, now);
  if (!to && !ending.tried.empty()) {
    ending.tried.clear();
    to = best_successor(ending.gave_back, now);
  }
  ending.nobody = !to;
  ending.led = !ending.nobody;
  // Not more often than this, whatever comes of it.
  ending.retry_at = now + options_.heartbeat_interval_ms;
  if (!to || raft_->change_pending()) return;
  // A second try only where it can end in time.
  if (ending.number != 0 && now + options_.election_timeout_ms > ending.answer_by) return;
  ending.to = to;
  ending.number = next_number_++;
  logf(LogLevel::notice, "handing leadership over to %s", raft_->configuration().find(to)->name.c_str());
  raft_->step(now, raft::TransferLeadership{ending.number, to});
}

void Node::handover_done(const raft::TransferDone& transfer) {
  if (!ending_ || ending_->number != transfer.token) return;
  wants_turn_ = true;
  ending_->handed = transfer.ok;
  if (transfer.ok) {
    ending_->gave_back.insert(ending_->to);
    return;
  }
  ending_->tried.insert(ending_->to);
  const raft::Member* member = raft_->configuration().find(ending_->to);
  if (member == nullptr) return;
  // Where all are stopped together nobody is left to lead, as is to be expected.
  if (gone_.contains(ending_->to))
    logf(LogLevel::notice, "%s is stopped, too: it takes no leadership over", member->name.c_str());
  else if (raft_->role() != raft::Role::leader)
    logf(LogLevel::notice, "leadership was not handed over: too few voters answer");
  else
    logf(LogLevel::warning, "%s did not take leadership over within an election timeout", member->name.c_str());
}

bool Node::handed_over() const {
  if (!ending_ || !raft_ || turn_at_ >= ending_->answer_by) return true;
  if (raft_->role() == raft::Role::leader) return ending_->nobody;
  return !ending_->led || (ending_->linger_until != 0 && turn_at_ >= ending_->linger_until);
}

Millis Node::handover_deadline() const {
  if (!ending_ || handed_over()) return kNever;
  Millis deadline = ending_->answer_by;
  if (ending_->linger_until != 0) deadline = std::min(deadline, ending_->linger_until);
  if (raft_->role() == raft::Role::leader && !raft_->transferring())
    deadline = std::min(deadline, std::max(ending_->retry_at, turn_at_ + 1));
  return deadline;
}

bool Node::quiet() const {
  return pending() == 0 && waits_.size() == 0 && held_.empty() && !(raft_ && raft_->transferring()) &&
         !grant_question_ && !beginning_ && handed_over();
}

}  // namespace wh::node
