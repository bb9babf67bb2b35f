#include "sim/checks/watch.h"

#include <algorithm>

#include "base/overloaded.h"
#include "machine/command/command.h"
#include "sim/checks/checks.h"
#include "sim/clients/clients.h"
#include "sim/clients/queue_clients.h"
#include "sim/world/process.h"
#include "sim/world/world.h"

namespace wh::sim {
namespace {

constexpr std::array<Situation, raft::kElectionCauses> kBegun = {
    Situation::election_at_start,     Situation::election_silence,  Situation::election_leaderless,
    Situation::election_process_gone, Situation::election_transfer, Situation::election_alone};
constexpr std::array<Situation, raft::kStepDownCauses> kSteppedDown = {
    Situation::step_down_higher_term, Situation::step_down_no_quorum, Situation::step_down_disk,
    Situation::step_down_stood_still, Situation::step_down_removed};

}  // namespace

void Watch::started(const Host& host) {
  if (seen_.size() <= host.number) seen_.resize(world_.hosts.size());
  seen_[host.number] = Seen{};
  if (host.disk.snapshot) ++world_.seen[Situation::snapshot_loaded];
}

void Watch::host_died(const Host& host) {
  const Seen& seen = seen_[host.number];
  if (host.disk.incoming) ++world_.seen[Situation::crash_receiving];
  if (!seen.raft && host.disk.snapshot) ++world_.seen[Situation::crash_loading];
  const node::Node& node = host.process->node();
  if (node.snapshot_in_progress()) ++world_.seen[Situation::crash_taking];
  const bool leads = node.raft() != nullptr && node.raft()->role() == raft::Role::leader;
  if (leads && world_.queue_clients->waits_at(host)) ++world_.seen[Situation::leader_lost_in_wait];
}

// --- what the node receives

void Watch::receives(const Host& host, raft::NodeId from, const node::PeerMessage& message) {
  const raft::Raft* raft = host.process->node().raft();
  if (raft == nullptr) return;
  Seen& seen = seen_[host.number];
  if (const auto* reply = std::get_if<node::ForwardReply>(&message)) {
    if (reply->outcome == node::Outcome::not_leader) ++world_.seen[Situation::forward_refused];
    return;
  }
  if (std::holds_alternative<node::CancelReceive>(message)) ++world_.seen[Situation::receive_cancelled];
  receives_raft(host, seen, *raft, from, message);
}

void Watch::receives_raft(const Host& host, Seen& seen, const raft::Raft& raft, raft::NodeId from,
                          const node::PeerMessage& message) {
  const raft::Term term = raft.current_term();
  const raft::Log& log = raft.log();
  Situations& times = world_.seen;
  const auto old = [&](raft::Term theirs, Situation situation) {
    if (theirs < term) ++times[situation];
    return theirs < term;
  };
  std::visit(Overloaded{
                 [&](const raft::RequestVote& m) {
                   if (!m.pre_vote && old(m.term, Situation::old_vote_request)) return;
                   const bool fits = m.last_log_term != log.last_term() ? m.last_log_term > log.last_term()
                                                                        : m.last_log_index >= log.last_index();
                   const bool mine = m.term == term && raft.voted_for() == from;
                   if (mine && !m.pre_vote) ++times[Situation::vote_asked_again];
                   const bool given = m.term == term && raft.voted_for() && !mine;
                   std::erase_if(seen.asked, [&](const Asked& a) { return a.by == from && a.pre_vote == m.pre_vote; });
                   seen.asked.push_back({from, m.term, m.pre_vote, fits, m.term > term, given});
                 },
                 [&](const raft::RequestVoteReply& m) {
                   if (m.granted && !m.pre_vote) old(m.term, Situation::old_vote);
                 },
                 [&](const raft::AppendEntries& m) {
                   if (old(m.term, Situation::old_append) || m.term > term || m.entries.empty()) return;
                   if (m.prev_log_index > log.last_index()) ++times[Situation::append_too_far];
                   if (log.term_at(m.entries.front().index) != m.entries.front().term) return;
                   const bool all = log.term_at(m.entries.back().index) == m.entries.back().term;
                   ++times[all ? Situation::append_repeated : Situation::append_overlaps];
                 },
                 [&](const raft::AppendEntriesReply& m) {
                   if (old(m.term, Situation::old_append_reply) || m.term > term || raft.role() != raft::Role::leader)
                     return;
                   if (m.success) {
                     if (!seen.held_back && !raft.leads_for_certain()) held_back(host, seen, raft, m, from);
                     return;
                   }
                   const std::vector<raft::PeerStatus> peers = raft.peers();
                   const auto peer = std::find_if(peers.begin(), peers.end(),
                                                  [&](const raft::PeerStatus& p) { return p.id == from; });
                   if (peer == peers.end()) return;
                   if (m.rejected_index <= peer->match_index) {
                     ++times[Situation::late_refusal];
                     return;
                   }
                   ++times[m.conflict_term.value != 0 ? Situation::conflict_hint : Situation::log_short_hint];
                   if (m.conflict_index < m.rejected_index) ++times[Situation::fast_backoff];
                 },
                 [&](const raft::InstallSnapshot& m) {
                   if (old(m.term, Situation::old_install) || m.term > term || m.data.empty()) return;
                   const raft::PartOfSnapshot* part = raft.incoming_snapshot();
                   const uint64_t wanted = part != nullptr && part->meta == m.meta ? part->next_offset : 0;
                   if (m.meta.index > raft.commit_index() && m.offset != wanted) ++times[Situation::chunk_out_of_order];
                 },
                 [&](const raft::InstallSnapshotReply& m) { old(m.term, Situation::old_install_reply); },
                 [&](const raft::TimeoutNow& m) { old(m.term, Situation::old_timeout_now); },
                 [&](const raft::ReadIndexRequest& m) {
                   if (!old(m.term, Situation::old_read_request) && raft.role() == raft::Role::leader &&
                       !raft.leads_for_certain())
                     ++times[Situation::read_waited_noop];
                 },
                 [&](const raft::ReadIndexReply& m) {
                   if (old(m.term, Situation::old_read_reply)) return;
                   if (m.ok && m.index > host.process->node().machine().applied())
                     ++times[Situation::read_waited_apply];
                 },
                 [](const auto&) {},
             },
             message);
}

// Figure 8: by this answer a quorum holds an entry of an older term, which the leader may not count.
void Watch::held_back(const Host& host, Seen& seen, const raft::Raft& raft, const raft::AppendEntriesReply& reply,
                      raft::NodeId from) {
  std::vector<raft::Index> matches;
  const std::vector<raft::PeerStatus> peers = raft.peers();
  for (const raft::Member& member : raft.configuration().members()) {
    if (member.suffrage != raft::Suffrage::voter) continue;
    raft::Index match;
    if (member.id == host.disk.instance) match = raft.durable_index();
    for (const raft::PeerStatus& peer : peers)
      if (peer.id == member.id)
        match = peer.id == from ? std::max(peer.match_index, reply.match_index) : peer.match_index;
    matches.push_back(match);
  }
  if (matches.empty()) return;
  std::sort(matches.begin(), matches.end(), std::greater<>());
  const raft::Index held = matches[raft.configuration().quorum() - 1];
  if (held <= raft.commit_index()) return;
  const auto term = raft.log().term_at(held);
  if (!term || *term >= raft.current_term()) return;
  seen.held_back = true;
  ++world_.seen[Situation::old_term_held_back];
}

// --- what the node sends

void Watch::sends(const Host& host, raft::NodeId to, const node::PeerMessage& message) {
  Seen& seen = seen_[host.number];
  Situations& times = world_.seen;
  if (const auto* append = std::get_if<raft::AppendEntries>(&message)) {
    if (append->entries.empty()) return;
    const auto found =
        std::find_if(seen.sent.begin(), seen.sent.end(), [to](const SentTo& sent) { return sent.peer == to; });
    const raft::Index last = append->entries.back().index;
    if (found == seen.sent.end()) {
      seen.sent.push_back({to, last});
    } else {
      if (append->entries.front().index <= found->last) ++times[Situation::entries_resent];
      found->last = std::max(found->last, last);
    }
  } else if (const auto* vote = std::get_if<raft::RequestVoteReply>(&message)) {
    if (vote->granted) return;
    for (const Asked& asked : seen.asked) {
      if (asked.by != to || asked.pre_vote != vote->pre_vote) continue;
      if (asked.pre_vote) {
        if (!asked.fits) ++times[Situation::pre_vote_refused_log];
        if (asked.fits && asked.newer) ++times[Situation::pre_vote_refused_sticky];
      } else if (vote->term < asked.term) {
        ++times[Situation::vote_ignored_sticky];
      } else if (asked.given) {
        ++times[Situation::vote_refused_given];
      } else if (!asked.fits) {
        ++times[Situation::vote_refused_log];
      }
    }
    std::erase_if(seen.asked, [&](const Asked& asked) { return asked.by == to && asked.pre_vote == vote->pre_vote; });
  } else if (std::holds_alternative<raft::TimeoutNow>(message)) {
    seen.told_transfer = true;
  } else if (const auto* install = std::get_if<raft::InstallSnapshotReply>(&message)) {
    if (install->installed && host.process->node().raft()->commit_index() > install->index)
      ++times[Situation::snapshot_refused_old];
  } else if (const auto* read = std::get_if<raft::ReadIndexReply>(&message)) {
    if (!read->ok) ++times[Situation::read_refused];
  } else if (const auto* forward = std::get_if<node::Forward>(&message)) {
    ++times[Situation::forwarded];
    const auto id = machine::request_id_of(forward->command.view());
    if (!id) return;
    if (id->sequence <= seen.last_forward) ++times[Situation::forward_again];
    seen.last_forward = std::max(seen.last_forward, id->sequence);
  }
}

// --- the node after its events

void Watch::looked(const Host& host) {
  node::Node& node = host.process->node();
  const raft::Raft* raft = node.raft();
  Seen& seen = seen_[host.number];
  if (raft == nullptr) return;
  seen.raft = true;
  Situations& times = world_.seen;
  const raft::Term term = raft->current_term();
  if (term.value > seen.term.value + 1 && seen.term.value != 0) ++times[Situation::term_passed_over];
  const bool new_term = term > seen.term;
  if (seen.incoming && raft->leader_id() && seen.leader && raft->leader_id() != seen.leader)
    ++times[Situation::snapshot_leader_changed];
  seen.incoming = raft->incoming_snapshot() != nullptr;
  if (raft->role() != seen.role || new_term) role_changed(host, seen, *raft);
  const bool transferring = raft->transferring();
  if (seen.transferring && !transferring) {
    if (raft->role() == raft::Role::leader && !new_term) {
      ++times[Situation::transfer_deadline];
    } else if (new_term) {
      ++times[seen.told_transfer ? Situation::transfer_done : Situation::transfer_by_term];
    }
  }
  seen.transferring = transferring;
  seen.role = raft->role();
  if (raft->leader_id()) seen.leader = raft->leader_id();
  if (new_term) {
    seen.term = term;
    seen.told_transfer = seen.held_back = false;
    seen.sent.clear();
  }
  figures_changed(seen, raft->election_figures());
  if (seen.role == raft::Role::leader) {
    seen.certain = seen.certain || raft->leads_for_certain();
    const bool ahead = raft->commit_index() > raft->durable_index();
    if (ahead && !seen.ahead) ++times[Situation::committed_before_own_disk];
    seen.ahead = ahead;
    const bool outside = !raft->configuration().contains(host.disk.instance);
    if (outside && !seen.outside) ++times[Situation::leader_outside];
    seen.outside = outside;
  }
  if (raft->removed() && !seen.removed) ++times[Situation::knows_removed];
  seen.removed = raft->removed();
  if (node.doubts_its_disk() && !seen.in_doubt) ++times[Situation::old_copy_in_doubt];
  seen.in_doubt = node.doubts_its_disk();
}

void Watch::role_changed(const Host& host, Seen& seen, const raft::Raft& raft) {
  Situations& times = world_.seen;
  const raft::Term term = raft.current_term();
  const bool same = term == seen.term;
  const node::ClusterId& cluster = host.process->node().cluster();
  if (seen.role == raft::Role::candidate && raft.role() != raft::Role::leader) {
    if (same && raft.role() == raft::Role::pre_candidate) {
      ++times[Situation::candidate_timed_out];
      const auto rivals = candidates_.find({cluster, term.value});
      if (rivals != candidates_.end() && rivals->second > 1) ++times[Situation::split_vote];
    } else if (same) {
      ++times[Situation::candidate_met_leader];
    } else {
      ++times[Situation::candidate_overtaken];
    }
  }
  if (seen.role == raft::Role::leader && !seen.certain) ++times[Situation::led_in_vain];
  seen.certain = false;
  if (raft.role() == raft::Role::candidate && (!same || seen.role != raft::Role::candidate))
    ++candidates_[{cluster, term.value}];
  if (raft.role() != raft::Role::leader) return;
  if (raft.log().configuration_index().value > world_.checks->cluster(cluster).log.size() &&
      raft.log().configuration_index().value > 1)
    ++times[Situation::change_inherited];
  for (const Host& other : world_.hosts) {
    if (!other.process || other.number == host.number || other.disk.cluster != host.disk.cluster) continue;
    const raft::Raft* theirs = other.process->node().raft();
    if (theirs != nullptr && theirs->role() == raft::Role::leader && theirs->current_term() < term)
      ++times[Situation::two_leaders];
  }
}

void Watch::figures_changed(Seen& seen, const raft::ElectionFigures& now) {
  if (seen.begun != now.begun) {
    for (size_t i = 0; i < kBegun.size(); ++i)
      world_.seen[kBegun[i]] += now.begun[i] - std::min(now.begun[i], seen.begun[i]);
    seen.begun = now.begun;
  }
  if (seen.stepped_down != now.stepped_down) {
    for (size_t i = 0; i < kSteppedDown.size(); ++i)
      world_.seen[kSteppedDown[i]] += now.stepped_down[i] - std::min(now.stepped_down[i], seen.stepped_down[i]);
    seen.stepped_down = now.stepped_down;
  }
}

void Watch::completed(const Host& host, const node::Completion& completion) {
  if (completion.token == 0 || completion.token > world_.clients->count()) return;  // an administrator's
  const Op& op = world_.clients->op(completion.token);
  Situations& times = world_.seen;
  if (op.is_read()) {
    if (completion.outcome != node::Outcome::applied) {
      ++times[Situation::read_given_up];
      return;
    }
    const raft::Raft* raft = host.process->node().raft();
    const bool leads = raft != nullptr && raft->role() == raft::Role::leader;
    ++times[leads ? Situation::read_by_leader : Situation::read_by_follower];
    // Since the request, the cluster and this node have moved to a later term.
    if (raft != nullptr && world_.checks->led_since(host.process->node().cluster(), op.invoked, raft->current_term()))
      ++times[Situation::read_across_terms];
    return;
  }
  switch (completion.outcome) {
    case node::Outcome::overloaded:
      ++times[Situation::overloaded];
      break;
    case node::Outcome::no_room:
      ++times[Situation::write_no_room];
      break;
    case node::Outcome::unknown:
      ++times[Situation::write_unknown];
      break;
    case node::Outcome::dropped:
      ++times[Situation::write_dropped];
      break;
    default:
      break;
  }
}

void Watch::configuration_committed(const raft::Configuration& before, const raft::Configuration& now) {
  Situations& times = world_.seen;
  for (const raft::Member& member : now.members()) {
    const raft::Member* was = before.find(member.id);
    const bool voter = member.suffrage == raft::Suffrage::voter;
    if (was == nullptr && !voter) ++times[Situation::learner_added];
    if (was == nullptr && before.remembers(member.id)) ++times[Situation::added_again];
    if (was != nullptr && was->suffrage == raft::Suffrage::learner && voter) {
      ++times[Situation::promoted];
      if (Host* host = world_.host_of(member.id); host != nullptr && host->replacing) {
        host->replacing = false;
        ++times[Situation::replaced_is_back];
      }
    }
  }
  for (const raft::Member& member : before.members())
    if (!now.contains(member.id)) ++times[Situation::member_removed];
}

}  // namespace wh::sim
