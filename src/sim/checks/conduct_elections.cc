// One node's part of an election: when it campaigns, for whom it votes, whether it may lead.
#include <algorithm>
#include <iterator>

#include "sim/checks/conduct.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {
// So many elections after silence are needed to judge their times; and so many percent of them may begin as early as
// possible.
constexpr uint64_t kFewSilences = 8;
constexpr uint64_t kMostAtOnce = 60;
}  // namespace

// --- votes

void Conduct::asked_for_vote(const Host& host, Record& record, raft::NodeId from, const raft::RequestVote& request) {
  // No server is in such a term, so nobody answers (HAZARDS A14).
  if (request.term.value > newest_term(record.cluster).value + 1) return;
  record.questions.push_back({from, request.pre_vote, right_answer(host, record, from, request)});
}

// The rules of section 5.4.1 and of thesis 4.2.3.
std::optional<bool> Conduct::right_answer(const Host& host, const Record& record, raft::NodeId from,
                                          const raft::RequestVote& request) const {
  const raft::Raft& raft = *host.process->node().raft();
  const raft::Term term = raft.current_term();
  const raft::Log& log = raft.log();
  const bool fits = request.last_log_term != log.last_term() ? request.last_log_term > log.last_term()
                                                             : request.last_log_index >= log.last_index();
  if (request.term < term || (request.term == term && request.pre_vote)) return false;
  if (raft.looks_into_loss()) return false;  // HAZARDS C5: its disk may be an older copy
  if (request.term == term) return fits && !raft.leader_id() && (!raft.voted_for() || raft.voted_for() == from);
  if (!fits) return false;
  if (request.transfer) return true;
  // Its own contact with a quorum decides; or it and the candidate both saw the leader's process die.
  if (raft.role() == raft::Role::leader) return std::nullopt;
  if (!raft.leader_id() || record.heard_in != term) return true;
  if (request.lost_leader == raft.leader_id()) return std::nullopt;
  return world_.now(host) >= record.heard_at + world_.options.election_timeout_ms;
}

void Conduct::answers_vote(const Host& host, Record& record, raft::NodeId to, const raft::RequestVoteReply& reply) {
  if (reply.granted && !reply.pre_vote) record.quiet_since = world_.now(host);
  const auto question = std::find_if(record.questions.begin(), record.questions.end(),
                                     [&](const Question& q) { return q.by == to && q.pre_vote == reply.pre_vote; });
  if (question == record.questions.end()) return;
  if (question->answer && *question->answer != reply.granted)
    fail(host, std::string(reply.granted ? "grants" : "refuses") + (reply.pre_vote ? " a pre-vote" : " a vote") +
                   ", against the rules");
  record.questions.erase(question);
}

// --- campaigns

raft::Term Conduct::newest_term(const node::ClusterId& cluster) const {
  const auto behind = campaigned_.upper_bound({cluster, UINT64_MAX});
  const bool any = behind != campaigned_.begin() && std::prev(behind)->first == cluster;
  return any ? raft::Term{std::prev(behind)->second} : raft::Term{1};  // the founder's term
}

void Conduct::look_at_election(const Host& host, Record& record) {
  const raft::Raft& raft = *host.process->node().raft();
  const raft::Term term = raft.current_term();
  const raft::Configuration& configuration = raft.configuration();
  const raft::NodeId self = host.disk.instance;
  const bool pre_candidate = raft.role() == raft::Role::pre_candidate && record.role != raft::Role::pre_candidate;
  if (raft.elections() > record.elections || pre_candidate) {
    record.quiet_since = world_.now(host);
    // Not checked if a snapshot replaced that log within the same turn.
    if (raft.log().base_index() == record.base && !raft.log().names_voter_since(raft.commit_index(), self))
      return fail(host, "campaigns, though nothing that its log may hold in force names it a voter");
  }
  if (raft.elections() > record.elections) {
    record.elections = raft.elections();
    if (record.disk_hung && configuration.quorum() > 1) return fail(host, "campaigns, though its disk hangs");
    campaigned_.emplace(record.cluster, term.value);
    // Thesis 9.6, 3.10: it needs a quorum of pre-votes, or the leader's TimeoutNow.
    const bool told = raft::next(record.told_in) == term;
    size_t votes = configuration.is_voter(self) ? 1 : 0;
    if (raft::next(record.term) == term && record.pre_votes_for == term)
      votes += counted(configuration, record.pre_votes);
    if (!told && votes < configuration.quorum())
      return fail(host, "campaigns for term " + std::to_string(term.value) + " with " + std::to_string(votes) +
                            " pre-votes of " + std::to_string(configuration.voters()));
  }
  if (term > record.term) {
    if (!campaigned_.contains({record.cluster, term.value}))
      return fail(host, "believes in term " + std::to_string(term.value) + ", in which nobody campaigned");
    record.term = term;
    record.quiet_since = world_.now(host);
    record.leads_since = 0;
    record.followers.clear();
    record.rounds.clear();
    record.reads.clear();
    record.lost.reset();
  }
  if (raft.role() != raft::Role::leader || record.leads_since != 0) return;
  record.leads_since = world_.step();
  // It needs a quorum of the newest configuration in its log; its own vote counts once it is on its disk (HAZARDS A1,
  // A3, A6).
  const raft::HardState& durable = host.disk.hard_state;
  size_t votes = record.votes_in == term ? counted(configuration, record.votes) : 0;
  if (configuration.is_voter(self) && durable.current_term == term && durable.voted_for == self) ++votes;
  if (votes < configuration.quorum())
    fail(host, "leads term " + std::to_string(term.value) + " by " + std::to_string(votes) + " votes of " +
                   std::to_string(configuration.voters()));
}

void Conduct::look_at_causes(const Host& host, Record& record) {
  const raft::Raft& raft = *host.process->node().raft();
  const raft::ElectionFigures& figures = raft.election_figures();
  const Millis now = world_.now(host);
  const Millis timeout = world_.options.election_timeout_ms;
  const auto news = [](const auto& before, const auto& after, auto cause) {
    return after[static_cast<size_t>(cause)] > before[static_cast<size_t>(cause)];
  };
  if (figures.begun != record.begun) {
    using raft::ElectionCause;
    const bool silence = news(record.begun, figures.begun, ElectionCause::silence);
    // The waiting messages may include the leader's heartbeats (HAZARDS A12).
    if (record.catching_up && (silence || news(record.begun, figures.begun, ElectionCause::leaderless) ||
                               news(record.begun, figures.begun, ElectionCause::start)))
      fail(host, "begins an election before it heard all that had come");
    if (silence) {
      ++silences_;
      silences_at_once_ += now <= record.heard_at + timeout + 2 ? 1 : 0;
    }
    record.begun = figures.begun;
  }
  if (figures.stepped_down == record.stepped_down) return;
  using raft::StepDownCause;
  const raft::Configuration& configuration = raft.configuration();
  if (news(record.stepped_down, figures.stepped_down, StepDownCause::no_quorum)) {
    size_t heard = configuration.is_voter(host.disk.instance) ? 1 : 0;
    for (const auto& [id, follower] : record.followers)
      heard += follower.heard && now <= *follower.heard + timeout && configuration.is_voter(id) ? 1 : 0;
    if (heard >= configuration.quorum())
      fail(host, "steps down for want of a quorum, which it heard in time (HAZARDS F11)");
  }
  // Thesis 4.2.2: it must lead until its removal is committed.
  if (news(record.stepped_down, figures.stepped_down, StepDownCause::removed) && !raft.removed() &&
      raft.commit_index() < raft.log().configuration_index())
    fail(host, "leaves before its removal is committed");
  record.stepped_down = figures.stepped_down;
}

// A node that may campaign does so when there is no leader for long (thesis 4.2.2).
void Conduct::look_at_silence(const Host& host, Record& record) {
  const raft::Raft& raft = *host.process->node().raft();
  const Millis timeout = world_.options.election_timeout_ms;
  const Millis now = world_.now(host);
  if (now <= record.quiet_since + 4 * timeout) return record.overdue_since_us.reset();
  const bool may = raft.role() == raft::Role::follower && !raft.removed() &&
                   raft.log().names_voter_since(raft.commit_index(), host.disk.instance) &&
                   host.process->storage().sync_age() <= timeout && !raft.looks_into_loss();
  if (!may) {
    record.quiet_since = now;
    return record.overdue_since_us.reset();
  }
  // Its clock may have jumped, or its disk may only seem to hang: wait as long again by the world's clock.
  if (!record.overdue_since_us) record.overdue_since_us = world_.now_us();
  const uint64_t more_us = 4'000 * timeout * world_.options.drift_percent / 100;
  if (world_.now_us() > *record.overdue_since_us + more_us) fail(host, "stays still, though nobody leads");
}

void Conduct::catches_up(const Host& host, bool all) {
  Record& record = records_[host.number];
  record.catching_up = !all;
  record.overdue_since_us.reset();
}

// Timeouts are random, so few elections begin at the earliest possible time (HAZARDS A13).
void Conduct::judge() {
  if (silences_ >= kFewSilences && silences_at_once_ * 100 > silences_ * kMostAtOnce)
    world_.fail(std::to_string(silences_at_once_) + " of " + std::to_string(silences_) +
                " elections began exactly one election timeout after the leader was heard");
}

}  // namespace wh::sim
