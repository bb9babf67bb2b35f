// Replication: AppendEntries on both sides, conflict hints, pipelining within limits, commitment (section 5.3, 5.4.2;
// thesis 3.5, 10.2.1). Heartbeats are AppendEntries without entries: there is no second path (HAZARDS B12).
#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "base/log.h"
#include "base/mutant.h"
#include "raft/quorum.h"
#include "raft/raft.h"

namespace wh::raft {

// --- the follower

// In this order: verify, truncate, append, commit. Never touches anything at or below the commit index.
void Raft::on_append_entries(Millis now, NodeId from, AppendEntries& message) {
  if (role_ != Role::follower) note_overtaken(from, hard_state_.current_term, true);
  if (role_ != Role::follower || leader_ != from) become_follower(now, hard_state_.current_term, from);
  last_leader_contact_ = now;
  lost_leader_ = kNobody;
  newest_sent_at_ = message.sent_at;
  newest_received_at_ = now;
  reset_election_timer(now);
  // Cluster time advances while nothing is appended. Each leader continues from what it heard itself, so its time may
  // be behind what an earlier leader told: what was heard of another term does not count, or the deadlines that this
  // leader sets would be over too early under the next. A jump longer than kMaxTimeStep is not believed.
  if (heard_term_ != hard_state_.current_term && !WH_MUTANT(time_of_an_earlier_leader)) heard_time_ = 0;
  heard_term_ = hard_state_.current_term;
  if (message.time_ms > heard_time_ && message.time_ms - log_.last_time_ms() <= kMaxTimeStep)
    heard_time_ = message.time_ms;

  if (message.acknowledged > log_.last_index() && !WH_MUTANT(lost_acknowledgement_ignored)) {
    (acknowledged_ ? out_.acknowledged_missing : out_.acknowledged_lost) = message.acknowledged;
    owed_ = {hard_state_.current_term, message.acknowledged};
  }

  const Index prev = message.prev_log_index;
  // Entries at or below base_index are committed, so they are the same everywhere.
  const auto local = prev < log_.base_index() ? std::optional(message.prev_log_term) : log_.term_at(prev);
  if (!local || *local != message.prev_log_term) {
    AppendEntriesReply refusal{.term = hard_state_.current_term,
                               .rejected_index = prev,
                               .conflict_index = log_.last_index() + 1,
                               .read_round = message.read_round,
                               .sent_at = message.sent_at,
                               .no_room = disk_low_};
    if (local) {
      refusal.conflict_term = *local;
      refusal.conflict_index = log_.first_of_term_at(prev);
    }
    send(from, refusal);
    return;
  }
  bool appended = false;
  for (Entry& entry : message.entries) {
    if (entry.index <= log_.base_index()) continue;
    if (const auto mine = log_.term_at(entry.index)) {
      if (*mine == entry.term && !WH_MUTANT(truncate_unconditionally)) continue;
      // Only the first conflict truncates (HAZARDS B2). The dropped suffix is no longer durable (HAZARDS B6: a late
      // sync of it must not acknowledge its replacement).
      WH_ASSERT(entry.index > commit_index_, "a committed entry is never truncated");
      log_.truncate_from(entry.index);
      const Index kept = entry.index - 1;
      if (!WH_MUTANT(truncated_stays_durable)) durable_index_ = std::min(durable_index_, kept);
      if (!WH_MUTANT(late_sync_counts))
        for (Ticket& ticket : tickets_) ticket.last_index = std::min(ticket.last_index, kept);
      unstable_from_ = std::min(unstable_from_, entry.index);
    }
    log_.append(std::move(entry));
    appended = true;
  }
  // Not our own last index: only what this leader has shown to match (HAZARDS B3).
  const uint64_t count = message.entries.size();
  verified_index_ = std::max(verified_index_, prev + count);
  set_commit_index(
      std::min(message.leader_commit, WH_MUTANT(commit_to_own_last) ? log_.last_index() : verified_index_));

  // Appended entries are acknowledged once durable; a heartbeat and a read round are answered at once.
  const bool new_round = message.read_round > last_read_round_;
  last_read_round_ = message.read_round;
  if (!appended || new_round || now >= last_append_reply_ + options_.heartbeat_interval_ms / 2)
    acknowledgement_due_ = true;
}

void Raft::acknowledge_append(Millis now) {
  last_append_reply_ = now;
  acknowledged_ = true;
  pay_what_is_owed();
  send(leader_, AppendEntriesReply{
                    .term = hard_state_.current_term,
                    .success = true,
                    .match_index = std::min(WH_MUTANT(acknowledges_unverified) ? log_.last_index() : verified_index_,
                                            WH_MUTANT(acknowledge_before_sync) ? log_.last_index() : durable_index_),
                    .read_round = last_read_round_,
                    .sent_at = echo(now),
                    .no_room = disk_low_});
}

// The server holds again what it was counted for: all those entries, or an entry of a later leader's term. That leader
// won without this server's vote, so its log has everything committed.
void Raft::pay_what_is_owed() {
  if (!owed_) return;
  const Index held = std::min(verified_index_, durable_index_);
  if (held >= owed_->index || log_.term_at(held) > owed_->term) owed_.reset();
}

// The leader subtracts this from its clock to measure the round trip; it leaves out the time that the disk held the
// reply back.
Millis Raft::echo(Millis now) const { return newest_sent_at_ == 0 ? 0 : newest_sent_at_ + (now - newest_received_at_); }

// --- the leader

Progress* Raft::progress_of(NodeId id) {
  const auto it = progress_.find(id);
  return it == progress_.end() ? nullptr : &it->second;
}

void Raft::on_append_entries_reply(Millis now, NodeId from, const AppendEntriesReply& reply) {
  Progress* p = role_ == Role::leader ? progress_of(from) : nullptr;
  if (p == nullptr) return;
  p->last_contact = now;
  p->answered = std::max(p->answered, std::min(reply.sent_at, now));
  p->pace.answered(now, reply.sent_at, options_.election_timeout_ms / 4, options_.max_in_flight_bytes);
  p->no_room = reply.no_room;
  if (WH_MUTANT(read_confirmed_by_any_reply)) p->read_round = read_round_;
  if (reply.read_round > p->read_round && reply.read_round <= read_round_) {
    p->read_round = reply.read_round;
    confirm_reads();
  }
  if (!reply.success) {
    // The follower does not hold what it acknowledged (HAZARDS C5) and did not stop over it: its appendfsync may lose
    // entries. It no longer counts for them, and the leader sends them again.
    if (p->match_index.value > 0 && reply.rejected_index == p->match_index && reply.conflict_term.value == 0 &&
        reply.conflict_index <= p->match_index) {
      logf(LogLevel::warning, "node %016lx acknowledged entries up to %lu and now ends before %lu: sending them again",
           p->id.value, p->match_index.value, reply.conflict_index.value);
      p->match_index = {};
      p->become_probe();
      p->next_index = std::max(reply.conflict_index, Index{1});
      return;
    }
    // Late refusals say nothing new: in probe only the reply to the outstanding question counts, otherwise nothing at
    // or below match_index.
    if (p->state == ProgressState::snapshot || reply.rejected_index <= p->match_index) return;
    if (p->state == ProgressState::probe && reply.rejected_index != p->next_index - 1) return;
    if (reply.rejected_index >= p->next_index) return;
    // Skip whole terms: to our last entry whose term is not above the conflicting one, or to the follower's first of
    // that term (section 5.3). Each step goes back by at least one, never below what is known to match.
    Index next = std::min(reply.conflict_index, reply.rejected_index);
    if (reply.conflict_term.value != 0) {
      const Index ours = log_.last_not_after_term(reply.conflict_term, reply.rejected_index - 1);
      next = log_.term_at(ours) == reply.conflict_term ? ours + 1 : std::min(next, ours + 1);
    }
    if (WH_MUTANT(hint_is_match)) p->matched(next - 1, now);
    p->become_probe();
    p->next_index = std::max(WH_MUTANT(next_index_stays) ? reply.rejected_index + 1 : next, p->match_index + 1);
    return;
  }
  p->matched(reply.match_index, now);
  p->next_index = std::max(p->next_index, p->match_index + 1);
  if (!WH_MUTANT(window_never_refilled)) p->acknowledge(p->match_index);
  if (p->state == ProgressState::probe && p->probe_in_flight) {
    p->become_replicate(p->probe_last + 1);
  } else if (p->state == ProgressState::snapshot && p->match_index >= std::max(log_.base_index(), Index{1})) {
    end_snapshot(now, *p);
    p->become_replicate(p->match_index + 1);
  } else if (p->state == ProgressState::snapshot && p->match_index >= p->snapshot.index) {
    // Installed, but meanwhile the log after it was compacted: the next round sends a newer one (HAZARDS F7).
    end_snapshot(now, *p);
    p->become_probe();
  }
  advance_commit(now);
  p = role_ == Role::leader ? progress_of(from) : nullptr;  // advance_commit may have dropped it
  if (p != nullptr) tend_learner(now, *p);
}

Index Raft::quorum_index() const {
  const Configuration& counted =
      WH_MUTANT(commits_by_committed_members) && !log_.configuration_at(commit_index_).configuration.empty()
          ? log_.configuration_at(commit_index_).configuration
          : configuration();
  const auto match = [&](const Member& member) {
    if (member.id == options_.self) return WH_MUTANT(leader_counts_unsynced) ? log_.last_index() : durable_index_;
    const auto it = progress_.find(member.id);
    return it == progress_.end() ? Index{} : it->second.match_index;
  };
  const Index index = reached_by_quorum(counted, match);
  if (!WH_MUTANT(removed_leader_counts_itself) || is_voter()) return index;
  const size_t others = counted.quorum() - 1;
  return std::max(index, others == 0 ? durable_index_ : std::min(durable_index_, reached_by(counted, others, match)));
}

// Counting commits only entries of the leader's own term (section 5.4.2, Figure 8; HAZARDS B1), and counts only durable
// entries, the leader's own too (HAZARDS A20, commit before the own sync).
void Raft::advance_commit(Millis now) {
  const Index index = quorum_index();
  if (index <= commit_index_) return;
  if (log_.term_at(index) != hard_state_.current_term && !WH_MUTANT(commit_older_term_by_counting)) return;
  const bool configuration_committed =
      commit_index_ < log_.configuration_index() && index >= log_.configuration_index();
  set_commit_index(index);
  if (!configuration_committed) return;
  let_go_of_removed(now);
  if (is_voter()) return;
  // This last round tells the others, so they need not wait for silence: the voter with the longest matching log takes
  // over.
  broadcast(now);
  const Progress* heir = nullptr;
  for (const auto& [id, p] : progress_)
    if (configuration().is_voter(id) && now <= p.last_contact + options_.election_timeout_ms &&
        (heir == nullptr || p.match_index > heir->match_index))
      heir = &p;
  if (heir != nullptr) send(heir->id, TimeoutNow{.term = hard_state_.current_term});
  step_down(now, StepDownCause::removed, "this node is no longer a voter");
}

void Raft::broadcast(Millis now) {
  for (auto& [id, progress] : progress_) replicate_to(now, progress);
  want_chunks(now);
}

void Raft::replicate_to(Millis now, Progress& p) {
  const bool heartbeat_due = p.last_sent == 0 || now >= p.last_sent + options_.heartbeat_interval_ms;
  const bool round_news = read_round_ > p.round_sent;
  if (p.state == ProgressState::snapshot) {
    if (heartbeat_due || round_news) {
      // A heartbeat that cannot be refused: its prev is an index known to match, or 0.
      const Index prev = log_.term_at(p.match_index) ? p.match_index : Index{};
      send_append(now, p, prev, {});
    }
    return;
  }
  const Index prev = p.next_index - 1;
  if (!log_.term_at(prev)) {
    start_snapshot(now, p);
    if (heartbeat_due || round_news) send_append(now, p, log_.term_at(p.match_index) ? p.match_index : Index{}, {});
    return;
  }
  if (p.state == ProgressState::probe) {
    if (p.probe_in_flight && !heartbeat_due && !round_news) return;
    std::vector<Entry> entries;
    if (!p.probe_in_flight)
      entries = log_.slice(p.next_index, log_.last_index(), std::min(options_.max_append_bytes, p.pace.bytes()));
    p.probe_in_flight = true;
    p.probe_last = entries.empty() ? prev : entries.back().index;
    send_append(now, p, prev, std::move(entries));
    return;
  }
  bool sent = false;
  uint64_t bytes_sent = 0;
  while (p.next_index <= log_.last_index() && may_send(p)) {
    // Copying and encoding what a follower lacks takes time: the rest follows in the next Output.
    if (bytes_sent >= options_.max_append_bytes) {
      out_.more = true;
      break;
    }
    std::vector<Entry> entries =
        log_.slice(p.next_index, log_.last_index(), std::min(options_.max_append_bytes, p.pace.bytes()));
    if (entries.empty()) {
      p.waiting_for_load = true;
      break;
    }
    for (const Entry& entry : entries) bytes_sent += cost(entry);
    send_append(now, p, p.next_index - 1, std::move(entries));
    sent = true;
  }
  if (p.next_index <= log_.last_index() && p.in_flight_bytes >= p.pace.bytes()) p.pace.limited();
  const bool commit_news = p.commit_sent < std::min(commit_index_, p.match_index);
  if (!sent && (heartbeat_due || round_news || commit_news)) send_append(now, p, p.next_index - 1, {});
}

// Whether more entries may be in flight to this follower.
bool Raft::may_send(const Progress& p) const {
  return WH_MUTANT(unbounded_in_flight) || (p.in_flight.size() < options_.max_in_flight_messages &&
                                            p.in_flight_bytes < std::min(options_.max_in_flight_bytes, p.pace.bytes()));
}

void Raft::send_append(Millis now, Progress& p, Index prev, std::vector<Entry> entries) {
  AppendEntries message{.term = hard_state_.current_term,
                        .prev_log_index = prev,
                        .prev_log_term = log_.term_at(prev).value_or(Term{}),
                        .leader_commit = commit_index_,
                        .read_round = read_round_,
                        .sent_at = now,
                        .acknowledged = p.match_index,
                        .time_ms = stamp(now),
                        .entries = std::move(entries)};
  if (p.state == ProgressState::replicate && !message.entries.empty()) {
    uint64_t bytes = 0;
    for (const Entry& entry : message.entries) bytes += cost(entry);
    if (p.in_flight.empty()) p.moved_at = now;  // until now it lacked nothing
    p.in_flight.push_back({message.entries.back().index, bytes});
    p.in_flight_bytes += bytes;
    p.next_index = message.entries.back().index + 1;
  }
  if (WH_MUTANT(sending_is_contact)) p.last_contact = now;
  p.last_sent = now;
  p.round_sent = read_round_;
  p.commit_sent = commit_index_;
  send(p.id, std::move(message));
}

// On a new connection: messages sent on the old one may be lost, so the leader probes again (HAZARDS B11).
void Raft::on_peer_connected(Millis now, NodeId id) {
  Progress* p = role_ == Role::leader ? progress_of(id) : nullptr;
  if (p == nullptr) return;
  if (WH_MUTANT(reconnect_goes_on)) return;
  p->waiting_for_load = false;
  p->last_sent = 0;
  p->pace = Pace{};
  if (p->state == ProgressState::snapshot && p->snapshot.index >= log_.base_index()) {
    // It resumes the same snapshot; a newer one would begin anew.
    p->ask_offset();
    p->moved_at = now;
  } else {
    p->become_probe();
  }
}

// One load at a time; entries to apply go before entries to send, and the followers take turns.
void Raft::next_load() {
  if (loading_) return;
  if (!committed_held_ && emitted_index_ < commit_index_ && !log_.cached(emitted_index_ + 1)) {
    loading_ = LoadEntries{emitted_index_ + 1, commit_index_, true};
  } else {
    auto next = progress_.upper_bound(loaded_for_);
    for (size_t looked = 0; looked < progress_.size() && !loading_; ++looked, ++next) {
      if (next == progress_.end()) next = progress_.begin();
      const auto& [id, p] = *next;
      if (!p.waiting_for_load || p.state != ProgressState::replicate || p.next_index > log_.last_index()) continue;
      if (log_.cached(p.next_index) || !log_.term_at(p.next_index - 1)) continue;
      loading_ = LoadEntries{p.next_index, log_.last_index()};
      loaded_for_ = id;
    }
  }
  out_.load = loading_;
}

void Raft::on_entries_loaded(Millis now, EntriesLoaded& loaded) {
  loading_.reset();
  // The log may have changed during the load: only entries still in it count.
  while (!loaded.entries.empty() && (loaded.entries.back().index > durable_index_ ||
                                     log_.term_at(loaded.entries.back().index) != loaded.entries.back().term))
    loaded.entries.pop_back();
  if (!loaded.entries.empty() && loaded.entries.front().index == emitted_index_ + 1) {
    for (Entry& entry : loaded.entries) {
      if (entry.index > commit_index_) break;
      out_.committed.push_back(entry);
      ++emitted_index_;
    }
  }
  if (role_ != Role::leader) return;
  for (auto& [id, p] : progress_) {
    if (!p.waiting_for_load) continue;
    p.waiting_for_load = false;
    if (p.state == ProgressState::replicate) send_loaded(now, p, loaded.entries);
  }
}

void Raft::send_loaded(Millis now, Progress& p, const std::vector<Entry>& loaded) {
  auto it = std::find_if(loaded.begin(), loaded.end(), [&](const Entry& e) { return e.index == p.next_index; });
  const uint64_t most = std::min(options_.max_append_bytes, p.pace.bytes());
  while (it != loaded.end() && log_.term_at(p.next_index - 1) && may_send(p)) {
    std::vector<Entry> entries;
    uint64_t bytes = 0;
    for (; it != loaded.end() && (entries.empty() || bytes + cost(*it) <= most); ++it) {
      bytes += cost(*it);
      entries.push_back(*it);
    }
    send_append(now, p, p.next_index - 1, std::move(entries));
  }
}

}  // namespace wh::raft
