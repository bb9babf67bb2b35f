// Elections: the randomised timer, pre-vote, votes, stickiness to a live leader, the fast path when a leader's process
// is gone, and the quorum contact without which a leader must step down (thesis 3.4, 4.2.3, 6.2, 9.6).
#include <algorithm>
#include <string>

#include "base/hex.h"
#include "base/log.h"
#include "base/mutant.h"
#include "raft/quorum.h"
#include "raft/raft.h"

namespace wh::raft {
namespace {
constexpr uint64_t kFastPathSpreadMs = 50;
}

void Raft::reset_election_timer(Millis now) {
  election_deadline_ =
      now + (WH_MUTANT(same_timeout_everywhere)
                 ? options_.election_timeout_ms
                 : prng_.between(options_.election_timeout_ms, 2 * uint64_t{options_.election_timeout_ms} - 1));
  // Servers whose disks have room for data campaign first.
  if (disk_low_) election_deadline_ += options_.election_timeout_ms;
}

// A member's name for the log; the id of a server that is in no configuration here.
std::string Raft::name_of(NodeId id) const {
  if (const Member* member = configuration().find(id)) return member->name;
  return "node " + to_hex(id.value);
}

// Logs the line for an election's beginning, with its cause. Asking again is not another election.
void Raft::begin_election(ElectionCause cause, const std::string& why) {
  logf(LogLevel::notice, "an election begins, for term %lu: %s", next(hard_state_.current_term).value, why.c_str());
  ++election_figures_.begun[static_cast<size_t>(cause)];
  election_figures_.last_election = "term " + std::to_string(next(hard_state_.current_term).value) + ": " + why;
}

void Raft::note_step_down(StepDownCause cause, const std::string& why) {
  // Removal, transfer and shutdown were asked for; every other cause is trouble.
  const bool expected = cause == StepDownCause::removed || transfer_ || leaving_;
  logf(expected ? LogLevel::notice : LogLevel::warning, "stepping down in term %lu: %s", hard_state_.current_term.value,
       why.c_str());
  ++election_figures_.stepped_down[static_cast<size_t>(cause)];
  election_figures_.last_step_down = "term " + std::to_string(hard_state_.current_term.value) + ": " + why;
}

// A leader or candidate learns that it no longer is one.
void Raft::note_overtaken(NodeId by, Term term, bool by_leader) {
  if (role_ == Role::follower) return;
  const std::string who = name_of(by) + (by_leader ? " leads term " : " is in term ") + std::to_string(term.value);
  if (role_ == Role::leader) return note_step_down(StepDownCause::higher_term, who);
  if (role_ == Role::candidate) ++election_figures_.lost;
  logf(LogLevel::notice, "the election for term %lu is lost: %s",
       role_ == Role::candidate ? hard_state_.current_term.value : next(hard_state_.current_term).value, who.c_str());
}

// A server outside its own configuration may still campaign while that configuration is not committed: the cluster may
// need it to commit it (thesis 4.2.2; HAZARDS D8). A configuration above the commit index that names it suffices: after
// a restart the commit index lies below what was committed. A server that knows it was removed never campaigns.
bool Raft::may_campaign() const {
  if (disk_stalled_ || votes_unsent_ || (told_removed() && !WH_MUTANT(removed_campaigns))) return false;
  if (next(hard_state_.current_term).value >= kLimit) return false;  // every server would refuse the term
  if (owed_) return false;
  if (WH_MUTANT(outsider_never_campaigns)) return is_voter();
  return log_.names_voter_since(commit_index_, options_.self);
}

void Raft::on_election_timeout(Millis now) {
  if (!may_campaign()) {
    // A learner does not campaign, but it must not go on naming a leader that it no longer hears.
    if (role_ == Role::follower) leader_ = kNobody;
    reset_election_timer(now);
    return;
  }
  if (role_ == Role::candidate) {
    ++election_figures_.lost;
    logf(LogLevel::notice, "the election for term %lu is lost: %zu of %zu voted for this node in time",
         hard_state_.current_term.value, votes_.size(), configuration().voters());
  }
  if (WH_MUTANT(no_prevote) || (is_voter() && configuration().quorum() == 1)) {
    begin_election(ElectionCause::alone, "this node is the only voter");
    campaign(now, false);
  } else {
    ask_pre_votes(now);
  }
}

void Raft::ask_pre_votes(Millis now) {
  if (role_ == Role::follower) {
    if (lost_leader_) {
      begin_election(ElectionCause::process_gone, "the process of the leader, " + name_of(lost_leader_) + ", is gone");
    } else if (leader_ && last_leader_contact_ != 0) {
      begin_election(ElectionCause::silence, "nothing was heard from the leader, " + name_of(leader_) + ", for " +
                                                 std::to_string(now - last_leader_contact_) + " ms");
    } else if (heard_leader_) {
      begin_election(ElectionCause::leaderless,
                     "term " + std::to_string(hard_state_.current_term.value) + " has no leader");
    } else {
      begin_election(ElectionCause::start, "no leader made itself known since this node started");
    }
  } else {
    logf(LogLevel::verbose, "asking again for pre-votes for term %lu: %zu of %zu would vote for this node",
         next(hard_state_.current_term).value, votes_.size(), configuration().voters());
  }
  role_ = Role::pre_candidate;
  leader_ = kNobody;
  votes_.clear();
  if (is_voter()) votes_.insert(options_.self);
  // Others may not have noticed yet that the leader is gone: ask again soon. Later their silence timeouts decide.
  const bool soon = lost_leader_ && now < last_leader_contact_ + options_.election_timeout_ms;
  reset_election_timer(now);
  if (soon) election_deadline_ = now + kFastPathSpreadMs + prng_.below(kFastPathSpreadMs);
  ask_votes(true, false);
  count_votes(now);
}

void Raft::campaign(Millis now, bool transfer) {
  set_term(next(hard_state_.current_term));
  hard_state_.voted_for = options_.self;
  logf(LogLevel::notice, "candidate in term %lu%s", hard_state_.current_term.value,
       transfer ? ", without pre-votes" : "");
  ++elections_;
  role_ = Role::candidate;
  leader_ = kNobody;
  votes_.clear();
  votes_unsent_ = true;
  own_vote_ticket_ = 0;
  reset_election_timer(now);
  ask_votes(false, transfer);
  if (WH_MUTANT(own_vote_counts_unsynced)) {
    votes_unsent_ = false;
    if (is_voter()) votes_.insert(options_.self);
    count_votes(now);
  }
}

void Raft::ask_votes(bool pre_vote, bool transfer) {
  const RequestVote request{.term = pre_vote ? next(hard_state_.current_term) : hard_state_.current_term,
                            .last_log_index = log_.last_index(),
                            .last_log_term = log_.last_term(),
                            .pre_vote = pre_vote,
                            .transfer = transfer,
                            .lost_leader = lost_leader_};
  for (const Member& member : configuration().members())
    if (member.suffrage == Suffrage::voter && member.id != options_.self) send(member.id, request);
}

// Counts voters, not votes: a duplicated reply is one voter (HAZARDS A3).
void Raft::count_votes(Millis now) {
  const Configuration& voters =
      WH_MUTANT(elected_by_committed_members) && !log_.configuration_at(commit_index_).configuration.empty()
          ? log_.configuration_at(commit_index_).configuration
          : configuration();
  const size_t granted = count_voters(voters, [&](const Member& member) { return votes_.contains(member.id); });
  const size_t counted = WH_MUTANT(count_votes_not_voters) ? votes_.size() : granted;
  if (counted < (WH_MUTANT(half_elects) ? (voters.voters() + 1) / 2 : voters.quorum())) return;
  if (role_ == Role::pre_candidate) {
    campaign(now, false);
  } else if (role_ == Role::candidate && !votes_unsent_) {
    become_leader(now);
  }
}

// Section 5.4.1: compares the last terms first, the lengths only when those are equal.
bool Raft::log_is_up_to_date(const RequestVote& request) const {
  if (WH_MUTANT(longer_log_wins)) return request.last_log_index >= log_.last_index();
  if (WH_MUTANT(term_and_length_needed) && request.last_log_index < log_.last_index()) return false;
  if (request.last_log_term != log_.last_term()) return request.last_log_term > log_.last_term();
  return request.last_log_index >= log_.last_index();
}

bool Raft::sticks_to_leader(Millis now, const RequestVote& request) const {
  if (request.transfer) return false;
  if (role_ == Role::leader) return quorum_in_contact(now);
  if (!leader_ || last_leader_contact_ == 0) return false;
  // This server and the candidate both saw the leader's process die, so they need not wait for silence. Safe, as no
  // read relies on a lease.
  if (lost_leader_ == leader_ && request.lost_leader == leader_) return false;
  return WH_MUTANT(sticks_for_ever) || now < last_leader_contact_ + options_.election_timeout_ms;
}

void Raft::on_request_vote(Millis now, NodeId from, const RequestVote& request) {
  if (request.pre_vote) {
    const bool granted = request.term > hard_state_.current_term && !owed_ && log_is_up_to_date(request) &&
                         (WH_MUTANT(prevote_without_stickiness) || !sticks_to_leader(now, request));
    if (WH_MUTANT(prevote_refusal_unanswered) && !granted) return;
    // A refusal carries our own term, so that a candidate that is behind catches up rather than asks for ever (HAZARDS
    // A7, pre-vote deadlock).
    send(from, RequestVoteReply{
                   .term = granted ? request.term : hard_state_.current_term, .pre_vote = true, .granted = granted});
    return;
  }
  const bool free = !hard_state_.voted_for || hard_state_.voted_for == from;
  const bool granted = free && !leader_ && !owed_ && log_is_up_to_date(request);
  if (granted) {
    if (hard_state_.voted_for != from) {
      hard_state_.voted_for = from;
      hard_state_dirty_ = true;
    }
    if (role_ == Role::pre_candidate) role_ = Role::follower;
    reset_election_timer(now);
  }
  if (granted) {
    logf(LogLevel::verbose, "voting for %s in term %lu", name_of(from).c_str(), hard_state_.current_term.value);
  } else {
    const std::string why = !free     ? "it went to " + name_of(hard_state_.voted_for)
                            : leader_ ? name_of(leader_) + " leads"
                            : owed_   ? "what this node acknowledged is looked into"
                                      : "its log is behind";
    logf(LogLevel::verbose, "no vote for %s in term %lu: %s", name_of(from).c_str(), hard_state_.current_term.value,
         why.c_str());
  }
  send(from, RequestVoteReply{.term = hard_state_.current_term, .granted = granted});
}

void Raft::on_request_vote_reply(Millis now, NodeId from, const RequestVoteReply& reply) {
  if (reply.pre_vote) {
    if (role_ != Role::pre_candidate || !reply.granted || reply.term != next(hard_state_.current_term)) return;
  } else if (role_ != Role::candidate || !reply.granted) {
    return;
  }
  // Planted: a second reply of the same voter counts as another voter's.
  votes_.insert(WH_MUTANT(count_votes_not_voters) && votes_.contains(from) ? NodeId{from.value + votes_.size()} : from);
  count_votes(now);
}

void Raft::on_timeout_now(Millis now, NodeId from, const TimeoutNow&) {
  if (role_ != Role::follower || (from != leader_ && !WH_MUTANT(anyone_hands_over))) return;
  if ((!is_voter() || !may_campaign()) && !WH_MUTANT(learner_takes_over)) return;
  begin_election(ElectionCause::transfer, "the leader, " + name_of(from) + ", handed over");
  campaign(now, true);
}

void Raft::on_peer_lost(Millis now, NodeId id) {
  // The transfer's target is gone and will not campaign (thesis 3.10).
  if (transfer_ && transfer_->to == id) end_transfer(false);
  if (role_ != Role::follower || id != leader_ || !may_campaign()) return;
  lost_leader_ = id;
  election_deadline_ = std::min(election_deadline_, now + prng_.below(kFastPathSpreadMs + 1));
}

// Only answers of this term count as contact (HAZARDS A9): progress_ is made anew at each election.
bool Raft::quorum_in_contact(Millis now) const {
  return quorum_of(configuration(), [&](const Member& member) {
    if (member.id == options_.self) return true;
    const auto it = progress_.find(member.id);
    return it != progress_.end() && now <= it->second.last_contact + options_.election_timeout_ms;
  });
}

}  // namespace wh::raft
