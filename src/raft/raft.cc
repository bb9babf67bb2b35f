// Inputs, roles and outputs of the core: every input enters by step() and leaves its effects in one Output. The rules
// of elections, replication, membership, reads and snapshots are in the files of those names.
#include "raft/raft.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/overloaded.h"
#include "raft/quorum.h"

namespace wh::raft {
namespace {

// A term more than kFarTerm above ours is believed at most once in kFarTermEvery ms: a server that was away for long
// needs one such jump, and a liar needs years to use up the numbers.
constexpr uint64_t kFarTerm = uint64_t{1} << 16;
constexpr Millis kFarTermEvery = 1'000;

Term term_of(const MessageBody& body) {
  return std::visit([](const auto& message) { return message.term; }, body);
}

// A pre-vote request or grant speaks of a term that nobody is in yet (thesis 9.6).
bool speaks_of_future_term(const MessageBody& body) {
  if (const auto* request = std::get_if<RequestVote>(&body)) return request->pre_vote;
  if (const auto* reply = std::get_if<RequestVoteReply>(&body)) return reply->pre_vote && reply->granted;
  return false;
}

}  // namespace

Raft::Raft(Options options, Recovered recovered, uint64_t seed, Millis now)
    : options_(options),
      prng_(seed),
      hard_state_(recovered.hard_state),
      log_(std::move(recovered.log)),
      snapshot_(std::move(recovered.snapshot)),
      commit_index_(snapshot_ ? snapshot_->index : Index{}),
      emitted_index_(WH_MUTANT(applied_again_after_restart) ? log_.base_index() : commit_index_),
      durable_index_(log_.last_index()),
      unstable_from_(log_.last_index() + 1),
      incoming_(std::move(recovered.incoming)),
      last_step_(now) {
  WH_ASSERT(options_.self, "a server needs an id");
  WH_ASSERT(log_.base_index() <= commit_index_, "the log begins behind the snapshot");
  reset_election_timer(now);
  // The only voter has no leader to wait for.
  if (is_voter() && configuration().quorum() == 1) election_deadline_ = now;
}

void Raft::step(Millis now, Input input) {
  now = std::max(now, last_step_);
  // A leader that stood still for an election timeout must not act on what it believed before (HAZARDS C10).
  if (role_ == Role::leader && now - last_step_ > options_.election_timeout_ms && configuration().quorum() > 1 &&
      !WH_MUTANT(stands_still_unnoticed)) {
    step_down(now, StepDownCause::stood_still,
              "this process stood still for " + std::to_string(now - last_step_) + " ms");
  }
  last_step_ = now;
  if (WH_MUTANT(timer_before_messages)) on_tick(now);
  std::visit(Overloaded{
                 [&](Tick&) { on_tick(now); },
                 [&](Receive& in) { on_receive(now, in.from, in.body); },
                 [&](Propose& in) {
                   Proposed result{.token = in.token};
                   if (role_ != Role::leader || transfer_) {
                     result.refusal = Refusal::not_leader;
                   } else if ((uncommitted_bytes_ + in.payload.size() > options_.max_uncommitted_bytes &&
                               uncommitted_bytes_ > 0) ||
                              appended_bytes_ - synced_bytes_ > options_.max_uncommitted_bytes) {
                     // Followers may commit faster than this disk syncs: its backlog has a limit too.
                     result.refusal = Refusal::overloaded;
                   } else {
                     append_as_leader(now, in.kind, std::move(in.payload));
                     result.term = hard_state_.current_term;
                     result.index = log_.last_index();
                   }
                   out_.proposals.push_back(result);
                 },
                 [&](ProposeConfiguration& in) { on_propose_configuration(now, in); },
                 [&](ReadIndex& in) { on_read_index(options_.self, in.token); },
                 [&](Persisted& in) { on_persisted(now, in.ticket); },
                 [&](DiskStalled& in) { on_disk_stalled(now, in.stalled); },
                 [&](DiskLow& in) { disk_low_ = in.low; },
                 [&](SnapshotTaken& in) { on_snapshot_taken(in); },
                 [&](SnapshotReceived& in) { on_snapshot_received(now, in); },
                 [&](ChunkStored& in) { on_chunk_stored(in); },
                 [&](EntriesLoaded& in) { on_entries_loaded(now, in); },
                 [&](ChunkLoaded& in) { on_chunk_loaded(now, in); },
                 [&](PeerConnected& in) { on_peer_connected(now, in.id); },
                 [&](PeerLost& in) { on_peer_lost(now, in.id); },
                 [&](TransferLeadership& in) { on_transfer(now, in); },
                 [&](ToldRemoved& in) { on_told_removed(now, in); },
                 [&](LossJudged&) { owed_.reset(); },
             },
             input);
}

void Raft::on_tick(Millis now) {
  if (role_ != Role::leader && now >= election_deadline_) on_election_timeout(now);
  if (WH_MUTANT(idle_leader_appends) && role_ == Role::leader) append_as_leader(now, EntryKind::noop, {});
}

// The one entry point of every message; it checks the term before anything else (HAZARDS A4, B12).
void Raft::on_receive(Millis now, NodeId from, MessageBody& body) {
  if (from == options_.self || !from) return;
  if (WH_MUTANT(heartbeat_skips_the_term))
    if (auto* beat = std::get_if<AppendEntries>(&body); beat && beat->entries.empty())
      return on_append_entries(now, from, *beat);
  const Term term = term_of(body);
  const Term current = hard_state_.current_term;
  if (std::string why = impossible(from, body); !why.empty()) return report_violation(from, std::move(why));
  if (term > current && !speaks_of_future_term(body)) {
    if (const auto* request = std::get_if<RequestVote>(&body); request != nullptr && sticks_to_leader(now, *request)) {
      // Grants no vote and keeps the term: a candidate does not disturb a server that hears from a leader (thesis
      // 4.2.3).
      send(from, RequestVoteReply{.term = current});
      return;
    }
    if (term.value > current.value + kFarTerm) {
      if (far_term_at_ != 0 && now < far_term_at_ + kFarTermEvery) return;
      far_term_at_ = now;
    }
    const bool from_leader =
        std::holds_alternative<AppendEntries>(body) || std::holds_alternative<InstallSnapshot>(body);
    note_overtaken(from, term, from_leader);
    become_follower(now, term, from_leader ? from : kNobody);
  } else if (term < current && !(WH_MUTANT(older_reply_counts) && std::holds_alternative<AppendEntriesReply>(body)) &&
             !(WH_MUTANT(older_vote_counts) && std::holds_alternative<RequestVoteReply>(body))) {
    // A sender in an older term learns the newer one; replies of older terms are ignored.
    if (const auto* request = std::get_if<RequestVote>(&body)) {
      if (!WH_MUTANT(older_candidate_unanswered))
        send(from, RequestVoteReply{.term = current, .pre_vote = request->pre_vote});
    } else if (std::holds_alternative<AppendEntries>(body)) {
      send(from, AppendEntriesReply{.term = current});
    } else if (std::holds_alternative<InstallSnapshot>(body)) {
      send(from, InstallSnapshotReply{.term = current});
    } else if (const auto* read = std::get_if<ReadIndexRequest>(&body)) {
      send(from, ReadIndexReply{.term = current, .token = read->token});
    }
    return;
  }
  std::visit(Overloaded{
                 [&](RequestVote& message) { on_request_vote(now, from, message); },
                 [&](RequestVoteReply& message) { on_request_vote_reply(now, from, message); },
                 [&](AppendEntries& message) { on_append_entries(now, from, message); },
                 [&](AppendEntriesReply& message) { on_append_entries_reply(now, from, message); },
                 [&](InstallSnapshot& message) { on_install_snapshot(now, from, message); },
                 [&](InstallSnapshotReply& message) { on_install_snapshot_reply(now, from, message); },
                 [&](TimeoutNow& message) { on_timeout_now(now, from, message); },
                 [&](ReadIndexRequest& message) { on_read_index(from, message.token); },
                 [&](ReadIndexReply& message) { on_read_index_reply(message); },
             },
             body);
}

void Raft::set_term(Term term) {
  WH_ASSERT(term > hard_state_.current_term, "terms only grow");
  hard_state_ = {term, kNobody};
  hard_state_dirty_ = true;
  last_leader_contact_ = 0;
  term_leader_ = kNobody;
}

void Raft::become_follower(Millis now, Term term, NodeId leader) {
  if (role_ == Role::leader) {
    heard_time_ = stamp(now);
    heard_term_ = hard_state_.current_term;
    fail_reads();
    if (transfer_ && !WH_MUTANT(transfer_outlives_term))
      end_transfer(transfer_->sent && term > hard_state_.current_term);
    progress_.clear();
    uncommitted_bytes_ = 0;
  }
  const bool new_term = term > hard_state_.current_term;
  if (new_term) set_term(term);
  if (new_term || leader != leader_) {
    verified_index_ = commit_index_;
    last_read_round_ = 0;  // each leader numbers rounds anew (HAZARDS E3)
    newest_sent_at_ = 0;
  }
  role_ = Role::follower;
  leader_ = leader;
  if (leader) {
    heard_leader_ = true;
    term_leader_ = leader;
  }
  lost_leader_ = kNobody;
  votes_.clear();
  votes_unsent_ = false;
  own_vote_ticket_ = 0;
  reset_election_timer(now);
}

void Raft::step_down(Millis now, StepDownCause cause, const std::string& why) {
  note_step_down(cause, why);
  become_follower(now, hard_state_.current_term, kNobody);
}

void Raft::on_disk_stalled(Millis now, bool stalled) {
  disk_stalled_ = stalled;
  // A pre-candidate would campaign once its pre-votes arrive. Nobody would hear of that until the disk recovers, and
  // the campaign would then depose whoever leads.
  if (disk_stalled_ && role_ == Role::pre_candidate) {
    logf(LogLevel::notice, "the election for term %lu is given up: the disk does not finish a sync",
         next(hard_state_.current_term).value);
    become_follower(now, hard_state_.current_term, kNobody);
  }
  if (disk_stalled_ && role_ == Role::leader && configuration().quorum() > 1)
    step_down(now, StepDownCause::disk_stalled,
              "the disk has not finished a sync for " + std::to_string(options_.election_timeout_ms) + " ms");
}

void Raft::become_leader(Millis now) {
  WH_ASSERT(role_ == Role::candidate, "only a candidate becomes leader");
  logf(LogLevel::notice, "elected leader of term %lu with %zu of %zu votes", hard_state_.current_term.value,
       votes_.size(), configuration().voters());
  ++election_figures_.won;
  role_ = Role::leader;
  leader_ = term_leader_ = options_.self;
  heard_leader_ = true;
  votes_.clear();
  leader_since_ = now;
  // What the log or a snapshot holds of a later term than was heard may be stamped by an earlier time.
  const bool heard =
      (heard_term_ >= log_.last_term() || WH_MUTANT(time_of_an_earlier_leader)) && !WH_MUTANT(idle_time_lost);
  stamp_base_ = std::max(log_.last_time_ms(), heard ? heard_time_ : 0);
  uncommitted_bytes_ = 0;
  read_round_ = 0;
  progress_.clear();
  sync_progress(now);
  term_start_index_ = log_.last_index() + 1;
  if (!WH_MUTANT(no_noop)) append_as_leader(now, EntryKind::noop, {});
}

// Stamps go on from the log's last stamp by this server's monotonic clock. They stay below kLimit, as all numbers sent
// do: there, time stands still.
Millis Raft::stamp(Millis now) const {
  now = std::max(now, leader_since_);
  return std::min(std::max(log_.last_time_ms(), stamp_base_ + (now - leader_since_)), kLimit - 1);
}

void Raft::append_as_leader(Millis now, EntryKind kind, Bytes payload) {
  Entry entry{.index = log_.last_index() + 1,
              .term = hard_state_.current_term,
              .kind = kind,
              .time_ms = stamp(now),
              .payload = std::move(payload)};
  uncommitted_bytes_ += cost(entry);
  appended_bytes_ += cost(entry);
  log_.append(std::move(entry));
}

void Raft::set_commit_index(Index index) {
  if (index <= commit_index_ && !WH_MUTANT(commit_goes_back)) return;
  WH_ASSERT(index <= log_.last_index(), "only entries that are there are committed");
  if (role_ == Role::leader) {
    for (Index i = std::max(commit_index_ + 1, term_start_index_); i <= index; ++i)
      uncommitted_bytes_ -= cost(log_.at(i));
  }
  commit_index_ = index;
}

void Raft::on_persisted(Millis now, uint64_t ticket) {
  Index durable = durable_index_;
  while (!tickets_.empty() && tickets_.front().number <= ticket) {
    durable = std::max(durable, tickets_.front().last_index);
    synced_bytes_ = tickets_.front().appended_bytes;
    tickets_.pop_front();
  }
  const bool moved = durable > durable_index_;
  durable_index_ = durable;
  if (votes_unsent_ && own_vote_ticket_ != 0 && own_vote_ticket_ <= ticket) {
    // The vote for itself is a promise like any other: it counts once it is on the disk (HAZARDS A1, A20).
    votes_unsent_ = false;
    if (is_voter()) votes_.insert(options_.self);
    reset_election_timer(now);
    count_votes(now);
  }
  if (!moved) return;
  if (role_ == Role::leader) {
    advance_commit(now);
  } else if (leader_) {
    acknowledgement_due_ = true;
  }
}

void Raft::send(NodeId to, MessageBody body) { out_.send_now.push_back({to, std::move(body)}); }

Output Raft::take_output(Millis now, bool all_read) {
  now = std::max(now, last_step_);
  if (role_ == Role::leader && all_read && !quorum_in_contact(now) && !WH_MUTANT(rules_without_quorum)) {
    step_down(now, StepDownCause::no_quorum,
              "no quorum of voters answered for " + std::to_string(options_.election_timeout_ms) + " ms");
  }
  if (role_ == Role::leader && disk_stalled_ && configuration().quorum() > 1)
    step_down(now, StepDownCause::disk_stalled, "elected while the disk did not finish a sync");
  if (role_ == Role::leader) {
    promote_ready_learner(now);
    advance_transfer(now);
    open_read_round();
    broadcast(now);
  } else if (acknowledgement_due_ && leader_) {
    acknowledge_append(now);
  }
  acknowledgement_due_ = false;
  compact_log(now);
  Output output = std::exchange(out_, Output{});
  persist_and_release(output);
  emit_committed(output);
  next_load();
  output.load = std::exchange(out_.load, std::nullopt);
  trim_cache(now);
  output.next_deadline = next_deadline();
  check_state();
  return output;
}

// Gathers everything to persist under one ticket, and holds back every message that depends on a term or vote not yet
// on the disk. Acknowledgements of entries are not held back: they carry the durable index.
void Raft::persist_and_release(Output& output) {
  const bool appended = unstable_from_ <= log_.last_index();
  if (hard_state_dirty_ || appended || install_) {
    output.persist_ticket = next_ticket_++;
    if (hard_state_dirty_) output.hard_state = hard_state_;
    if (WH_MUTANT(vote_not_persisted) && output.hard_state) output.hard_state->voted_for = kNobody;
    output.install = std::exchange(install_, std::nullopt);
    if (appended) output.append = log_.slice(unstable_from_, log_.last_index(), UINT64_MAX);
    tickets_.push_back({output.persist_ticket, log_.last_index(), hard_state_dirty_, appended_bytes_});
    if (votes_unsent_ && own_vote_ticket_ == 0) own_vote_ticket_ = output.persist_ticket;
    unstable_from_ = log_.last_index() + 1;
    hard_state_dirty_ = false;
  }
  const auto held = std::find_if(tickets_.rbegin(), tickets_.rend(), [](const Ticket& t) { return t.hard_state; });
  if (held == tickets_.rend() || WH_MUTANT(vote_sent_before_sync)) return;
  for (Outbound& outbound : output.send_now) output.send_after_persist.push_back({held->number, std::move(outbound)});
  output.send_now.clear();
}

// What a follower lacks is mostly the newest: what lies there for long only takes memory.
void Raft::trim_cache(Millis now) {
  constexpr uint64_t kMostToApply = 4;  // times log_cache_bytes of entries that are not handed out yet
  constexpr uint64_t kAtOnce = 1'000;   // old entries freed by one Output
  // What is to be applied is read from the cache; what comes behind entries that must be loaded is loaded too.
  const bool loads = !log_.cached(emitted_index_ + 1);
  const Index done = std::min(loads ? commit_index_ : emitted_index_, durable_index_);
  log_.trim_cache(options_.log_cache_bytes, done);
  // Whose owner applies more slowly than it receives loads the rest later.
  log_.trim_cache(kMostToApply * options_.log_cache_bytes, std::min(commit_index_, durable_index_));
  if (options_.log_cache_ms == 0) return;
  if (now >= cache_looked_at_ + options_.log_cache_ms) {
    cache_old_ = std::exchange(cache_new_, log_.last_index());
    cache_looked_at_ = now;
  }
  const Index old = std::min(done, cache_old_);
  log_.trim_cache(0, std::min(old, log_.cached_from() + kAtOnce));
  if (log_.cached_bytes() == 0)
    cache_trim_at_ = kNever;
  else
    cache_trim_at_ = log_.cached_from() <= old ? now : cache_looked_at_ + options_.log_cache_ms;
}

void Raft::emit_committed(Output& output) {
  if (committed_held_) return;
  uint64_t bytes = 0;
  while (emitted_index_ < commit_index_ && log_.cached(emitted_index_ + 1)) {
    const Entry& entry = log_.at(emitted_index_ + 1);
    if (bytes > 0 && bytes + cost(entry) > options_.max_apply_bytes) {
      output.more = true;
      return;
    }
    bytes += cost(entry);
    output.committed.push_back(entry);
    ++emitted_index_;
  }
}

Millis Raft::next_deadline() const {
  if (role_ != Role::leader) return votes_unsent_ ? kNever : election_deadline_;
  Millis deadline = transfer_ ? transfer_->deadline : kNever;
  for (const auto& [id, progress] : progress_) {
    deadline = std::min(deadline, progress.last_sent + options_.heartbeat_interval_ms);
    // The rate is used up, and the next chunk waits for it.
    if (progress.state == ProgressState::snapshot && progress.offset_known && !progress.chunk_in_flight &&
        progress.snapshot_offset < progress.snapshot.size)
      deadline = std::min(deadline, (snapshot_free_at_us_ / 10'000 + 1) * 10);
  }
  return deadline;
}

std::vector<PeerStatus> Raft::peers() const {
  std::vector<PeerStatus> result;
  for (const auto& [id, p] : progress_) {
    result.push_back({.id = id,
                      .match_index = p.match_index,
                      .last_contact = p.last_contact,
                      .state = p.state,
                      .no_room = p.no_room});
    if (p.state != ProgressState::snapshot) continue;
    result.back().snapshot_index = p.snapshot.index;
    result.back().snapshot_offset = p.snapshot_offset;
    result.back().snapshot_size = p.snapshot.size;
  }
  return result;
}

std::optional<Millis> Raft::last_contact(NodeId id) const {
  const auto found = progress_.find(id);
  return found == progress_.end() ? std::nullopt : std::optional(found->second.last_contact);
}

std::optional<Millis> Raft::followed_at(Millis now) const {
  if (role_ != Role::leader || configuration().voters() == 0) return std::nullopt;
  const Millis at = reached_by_quorum(configuration(), [&](const Member& member) {
    if (member.id == options_.self) return now;
    const auto it = progress_.find(member.id);
    return it == progress_.end() ? Millis{0} : it->second.answered;
  });
  return at == 0 ? std::nullopt : std::optional(at);
}

bool Raft::leads_for_certain() const { return role_ == Role::leader && commit_index_ >= term_start_index_; }

void Raft::check_state() const {
  WH_ASSERT(emitted_index_ <= commit_index_, "nothing is applied before it is committed");
  WH_ASSERT(commit_index_ <= log_.last_index(), "nothing is committed that is not there");
  WH_ASSERT(log_.base_index() <= commit_index_, "only committed entries are compacted");
  WH_ASSERT(durable_index_ <= log_.last_index(), "nothing is durable that is not there");
  WH_ASSERT(!snapshot_ || snapshot_->index <= commit_index_, "a snapshot holds committed entries only");
  WH_ASSERT((role_ == Role::leader) == (leader_ == options_.self), "a leader knows that it leads");
  for (const auto& [id, p] : progress_) {
    WH_ASSERT(p.next_index > p.match_index, "next_index is above match_index");
    WH_ASSERT(p.match_index <= log_.last_index(), "a follower holds no more than the leader");
  }
}

}  // namespace wh::raft
