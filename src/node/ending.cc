#include "node/ending.h"

#include <algorithm>

#include "base/log.h"
#include "base/mutant.h"

namespace wh::node {
namespace {
// Requests in progress when the stop begins, and requests that come later, are answered within this time.
constexpr Millis kAnswerMs = 3'000;
}  // namespace

void Ending::begin(Millis now) {
  if (ctx_.answer_by) return;
  ctx_.answer_by = now + kAnswerMs;
  if (ctx_.raft) ctx_.raft->set_leaving();
  ctx_.wants_turn = true;
}

void Ending::pump(Millis now) {
  if (!ctx_.answer_by || WH_MUTANT(leaves_without_handing_over)) return;
  if (ctx_.raft->role() != raft::Role::leader) {
    if (led_ && linger_until_ == 0 && (ctx_.raft->leader_id() || !handed_))
      linger_until_ = now + 2 * Millis{ctx_.options.heartbeat_interval_ms};
    return;
  }
  linger_until_ = 0;
  if (ctx_.raft->transferring()) {
    led_ = true;
    return;
  }
  if (now < retry_at_) return;
  std::set<raft::NodeId> but = tried_;
  but.insert(gave_back_.begin(), gave_back_.end());
  raft::NodeId to = peers_.best_successor(but, now);
  if (!to && !tried_.empty()) {
    tried_.clear();
    to = peers_.best_successor(gave_back_, now);
  }
  nobody_ = !to;
  led_ = !nobody_;
  // At most one attempt in a heartbeat interval, whatever its result.
  retry_at_ = now + ctx_.options.heartbeat_interval_ms;
  if (!to || ctx_.raft->change_pending()) return;
  // A second attempt only if it can end in time.
  if (number_ != 0 && now + ctx_.options.election_timeout_ms > *ctx_.answer_by) return;
  to_ = to;
  number_ = ctx_.next_number++;
  logf(LogLevel::notice, "handing leadership over to %s", ctx_.raft->configuration().find(to)->name.c_str());
  ctx_.raft->step(now, raft::TransferLeadership{number_, to});
}

void Ending::transferred(const raft::TransferDone& transfer) {
  if (!ctx_.answer_by || number_ != transfer.token) return;
  ctx_.wants_turn = true;
  handed_ = transfer.ok;
  if (transfer.ok) {
    gave_back_.insert(to_);
    return;
  }
  tried_.insert(to_);
  const raft::Member* member = ctx_.raft->configuration().find(to_);
  if (member == nullptr) return;
  // If all nodes are stopped together, no node is left to lead: that is expected.
  if (peers_.gone(to_))
    logf(LogLevel::notice, "%s is stopped, too: it takes no leadership over", member->name.c_str());
  else if (ctx_.raft->role() != raft::Role::leader)
    logf(LogLevel::notice, "leadership was not handed over: too few voters answer");
  else
    logf(LogLevel::warning, "%s did not take leadership over within an election timeout", member->name.c_str());
}

bool Ending::handed_over() const {
  if (!ctx_.answer_by || !ctx_.raft || ctx_.turn_at >= *ctx_.answer_by) return true;
  if (ctx_.raft->role() == raft::Role::leader) return nobody_;
  return !led_ || (linger_until_ != 0 && ctx_.turn_at >= linger_until_);
}

Millis Ending::next_deadline() const {
  if (!ctx_.answer_by || handed_over()) return kNever;
  Millis deadline = *ctx_.answer_by;
  if (linger_until_ != 0) deadline = std::min(deadline, linger_until_);
  if (ctx_.raft->role() == raft::Role::leader && !ctx_.raft->transferring())
    deadline = std::min(deadline, std::max(retry_at_, ctx_.turn_at + 1));
  return deadline;
}

}  // namespace wh::node
