// Membership changes of one server at a time (thesis 4.1), how a removed server learns of its removal (4.2.2), learners
// and their promotion (4.2.1), and leadership transfer (3.10). A configuration is in force from the moment it is
// appended; a truncation restores the one before it.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "raft/raft.h"

namespace wh::raft {

void Raft::on_propose_configuration(Millis now, ProposeConfiguration& proposal) {
  Proposed result{.token = proposal.token};
  if (role_ != Role::leader) {
    result.refusal = Refusal::not_leader;
  } else if (transfer_ || (!leads_for_certain() && !WH_MUTANT(change_before_noop)) ||
             (change_pending() && !WH_MUTANT(second_change_at_once))) {
    result.refusal = Refusal::change_pending;
  } else if (std::string encoded = proposal.configuration.encode();
             (proposal.configuration.voters() == 0 && !WH_MUTANT(last_voter_removed)) ||
             Configuration::decode(encoded) != proposal.configuration ||
             (!Configuration::adjacent(configuration(), proposal.configuration) && !WH_MUTANT(two_changed_at_once))) {
    result.refusal = Refusal::bad_change;
  } else {
    append_as_leader(now, EntryKind::configuration, Bytes(std::move(encoded)));
    sync_progress(now);
    result.term = hard_state_.current_term;
    result.index = log_.last_index();
    if (WH_MUTANT(removed_leader_leaves_early) && !is_voter()) step_down(now, StepDownCause::removed, "removed");
  }
  out_.proposals.push_back(result);
}

void Raft::sync_progress(Millis now) {
  // A member that is being removed stays until the removal is committed, so that it hears of it.
  for (const Member& member : configuration().members()) {
    if (member.id == options_.self || progress_.contains(member.id)) continue;
    Progress p;
    p.id = member.id;
    p.next_index = log_.last_index() + 1;
    p.last_contact = now;  // a new leader or member has an election timeout to be heard
    p.moved_at = now;
    progress_.emplace(member.id, std::move(p));
  }
}

// A removal is committed. The leader tells the removed server, after everything sent to it before, and then forgets it.
void Raft::let_go_of_removed(Millis now) {
  for (auto& [id, p] : progress_) {
    if (configuration().contains(id)) continue;
    const Index sent = p.state == ProgressState::probe && p.probe_in_flight ? p.probe_last : p.next_index - 1;
    if (log_.term_at(sent)) send_append(now, p, sent, {});
  }
  std::erase_if(progress_, [&](const auto& item) { return !configuration().contains(item.first); });
}

// --- the removed server

Position Raft::position_of(Index index) const { return {log_.term_at(index).value_or(Term{}), index}; }

Position Raft::committed_position() const { return position_of(commit_index_); }

Position Raft::member_as_of() const {
  if (!configuration().contains(options_.self)) return {};
  return std::max(committed_position(), position_of(log_.configuration_index()));
}

// The position that this server was told is committed. Its own log may contradict it: a configuration that names this
// server at a later position came from a leader that knew of the removal, so this server was added again. A
// configuration at an earlier position is outdated, or was never committed and never will be (HAZARDS A16, D9).
bool Raft::told_removed() const {
  return told_removed_ != Position{} && std::max(committed_position(), member_as_of()) < told_removed_;
}

// An uncommitted configuration without this server does not count: it may be truncated (HAZARDS D5, D8).
bool Raft::removed() const {
  if (told_removed()) return true;
  return !configuration().contains(options_.self) && !log_.names_voter_since(commit_index_, options_.self) &&
         log_.configuration_at(commit_index_).configuration.remembers(options_.self);
}

void Raft::on_told_removed(Millis now, const ToldRemoved& told) {
  if (told.as_of <= told_removed_ || told.as_of.term.value >= kLimit || told.as_of.index.value >= kLimit) return;
  // A leader talks to members only, so its heartbeats outweigh one member's word. A true removal will be told again.
  const bool heard = role_ == Role::leader ? quorum_in_contact(now)
                                           : leader_ && last_leader_contact_ != 0 &&
                                                 now < last_leader_contact_ + options_.election_timeout_ms;
  if (told.by && told.by != leader_ && heard) return;
  told_removed_ = told.as_of;
  if (!told_removed() || role_ == Role::follower) return;
  if (role_ == Role::leader) return step_down(now, StepDownCause::removed, "a member says that this node was removed");
  become_follower(now, hard_state_.current_term, kNobody);
}

// --- learners

// A learner is promoted when it catches up with a round's target, the log's end at the round's beginning, within an
// election timeout: it then lags by less than that (thesis 4.2.1).
void Raft::tend_learner(Millis now, Progress& p) {
  if (!configuration().is_learner(p.id) || p.caught_up) return;
  if (p.round_target.value != 0 && p.match_index < p.round_target) return;
  if (p.round_target.value != 0 && now - p.round_start <= options_.election_timeout_ms &&
      p.match_index >= commit_index_) {
    p.caught_up = true;
    return;
  }
  p.round_target = log_.last_index();
  p.round_start = now;
  // The learner lacks nothing: the round ends as it begins.
  p.caught_up = p.match_index >= p.round_target || WH_MUTANT(promoted_while_behind);
}

void Raft::promote_ready_learner(Millis now) {
  if (change_pending() || !leads_for_certain() || transfer_) return;
  for (auto& [id, p] : progress_) {
    if (!p.caught_up || !configuration().is_learner(id)) continue;
    // The finished round no longer proves anything: the learner fell silent, or waited for another change.
    if (now > p.last_contact + options_.election_timeout_ms ||
        now > p.round_start + 2 * Millis{options_.election_timeout_ms}) {
      p.caught_up = false;
      p.round_target = {};
      continue;
    }
    Member member = *configuration().find(id);
    member.suffrage = Suffrage::voter;
    logf(LogLevel::notice, "promoting learner %s to voter: it has caught up", member.name.c_str());
    append_as_leader(now, EntryKind::configuration, Bytes(configuration().with(std::move(member)).encode()));
    return;
  }
}

void Raft::on_transfer(Millis now, const TransferLeadership& request) {
  const Progress* p = role_ == Role::leader ? progress_of(request.to) : nullptr;
  const bool possible = p != nullptr && configuration().is_voter(request.to) && !transfer_ && !change_pending() &&
                        now <= p->last_contact + options_.election_timeout_ms;
  if (!possible) {
    out_.transfers.push_back({request.token, false, false});
    return;
  }
  transfer_ = Transfer{request.token, request.to, now + options_.election_timeout_ms, false};
}

// No proposal is taken during a transfer, so the target's log catches up with ours; then it is told, once. The transfer
// ends with the term or at its deadline (HAZARDS A17, A18).
void Raft::advance_transfer(Millis now) {
  if (transfer_ && now >= transfer_->deadline && !WH_MUTANT(transfer_never_ends)) end_transfer(false);
  if (!transfer_ || transfer_->sent) return;
  const Progress* p = progress_of(transfer_->to);
  if (p == nullptr || !configuration().is_voter(transfer_->to)) {
    end_transfer(false);
  } else if (p->match_index == log_.last_index() || WH_MUTANT(hands_over_to_one_behind)) {
    transfer_->sent = true;
    send(transfer_->to, TimeoutNow{.term = hard_state_.current_term});
  }
}

void Raft::end_transfer(bool ok) {
  out_.transfers.push_back({transfer_->token, ok, transfer_->sent});
  transfer_.reset();
}

}  // namespace wh::raft
