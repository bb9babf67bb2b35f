// Snapshots and compaction: a follower whose next entry is gone gets the state in chunks (section 7, Figure 13). The
// core decides which chunk counts; bytes are the storage's.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "raft/raft.h"

namespace wh::raft {

// --- the leader

void Raft::start_snapshot(Millis now, Progress& p) {
  WH_ASSERT(snapshot_, "a log is compacted only behind a snapshot");
  logf(LogLevel::notice, "sending the snapshot at index %lu to node %016lx: its log ends at or before %lu",
       snapshot_->index.value, p.id.value, p.next_index.value - 1);
  p.become_snapshot(*snapshot_);
  want_chunk(now, p);
}

void Raft::want_chunk(Millis now, Progress& p) {
  // A chunk that got no answer for so long was lost; and a receiver that has everything but never matched is asked
  // again.
  const bool silent = now >= p.chunk_sent + 10 * Millis{options_.election_timeout_ms};
  if (p.chunk_in_flight ? !silent : p.snapshot_offset >= p.snapshot.size && p.snapshot_offset > 0 && !silent) return;
  if (silent && p.snapshot_offset >= p.snapshot.size) p.snapshot_offset = 0;
  p.chunk_in_flight = true;
  p.chunk_sent = now;
  out_.chunks_wanted.push_back({p.id, p.snapshot, p.snapshot_offset});
}

void Raft::on_chunk_loaded(Millis now, ChunkLoaded& loaded) {
  Progress* p = role_ == Role::leader ? progress_of(loaded.to) : nullptr;
  if (p == nullptr || p->state != ProgressState::snapshot || p->snapshot.index != loaded.index) return;
  if (!loaded.ok) {
    // A newer snapshot took its place: begin anew with that.
    p->become_snapshot(*snapshot_);
    want_chunk(now, *p);
    return;
  }
  p->chunk_sent = now;
  send(p->id, InstallSnapshot{.term = hard_state_.current_term,
                              .meta = p->snapshot,
                              .offset = loaded.offset,
                              .data = std::move(loaded.data),
                              .done = loaded.done});
}

void Raft::on_install_snapshot_reply(Millis now, NodeId from, const InstallSnapshotReply& reply) {
  Progress* p = role_ == Role::leader ? progress_of(from) : nullptr;
  if (p == nullptr) return;
  p->last_contact = now;  // a follower in a transfer is alive (HAZARDS F11)
  if (p->state != ProgressState::snapshot || p->snapshot.index != reply.index) return;
  if (reply.installed) {
    // Committed there but not yet on its disk: its next heartbeat answers say when it is.
    if (reply.match_index > log_.last_index() || reply.match_index < p->snapshot.index) return;
    p->match_index = std::max(p->match_index, reply.match_index);
    p->become_probe();
    advance_commit(now);
    return;
  }
  p->chunk_in_flight = false;
  p->snapshot_offset = std::min(reply.next_offset, p->snapshot.size);
}

// --- the follower

void Raft::on_install_snapshot(Millis now, NodeId from, InstallSnapshot& message) {
  WH_ASSERT(role_ != Role::leader, "two leaders in one term");
  if (role_ != Role::follower || leader_ != from) become_follower(now, hard_state_.current_term, from);
  last_leader_contact_ = now;
  lost_leader_ = kNobody;
  reset_election_timer(now);
  InstallSnapshotReply reply{.term = hard_state_.current_term, .index = message.meta.index};
  if (message.meta.index <= commit_index_) {
    // Older than what is committed here (HAZARDS F3); and what is committed is the same everywhere.
    reply.installed = true;
    reply.match_index = std::min(commit_index_, durable_index_);
    send(from, reply);
    return;
  }
  const bool same = incoming_ && incoming_->term == message.term && incoming_->meta == message.meta;
  if (!same && message.offset == 0) incoming_ = Incoming{message.meta, message.term, 0};
  if ((!same && message.offset != 0) || message.offset != incoming_->next_offset ||
      message.offset + message.data.size() > message.meta.size) {
    // A chunk of something else, or out of order (HAZARDS F4): say what is wanted next.
    reply.next_offset = same ? incoming_->next_offset : 0;
    send(from, reply);
    return;
  }
  incoming_->next_offset += message.data.size();
  out_.chunks_received.push_back({message.meta, message.offset, std::move(message.data), message.done});
}

void Raft::on_chunk_stored(const ChunkStored& stored) {
  if (!incoming_ || incoming_->meta != stored.meta || role_ != Role::follower || !leader_) return;
  if (!stored.ok) incoming_.reset();
  send(leader_, InstallSnapshotReply{.term = hard_state_.current_term,
                                     .index = stored.meta.index,
                                     .next_offset = stored.ok ? stored.next_offset : 0});
}

void Raft::on_snapshot_received(Millis now, const SnapshotReceived& received) {
  const SnapshotMeta& meta = received.meta;
  if (incoming_ && incoming_->meta == meta) incoming_.reset();
  if (meta.index <= commit_index_ || role_ == Role::leader || install_) return;
  // Figure 13, rule 6: entries behind it stay only when the log agrees at its index; else all of it goes (HAZARDS F2).
  const bool keep_suffix = log_.term_at(meta.index) == meta.term;
  logf(LogLevel::notice, "installing the snapshot at index %lu, %s", meta.index.value,
       keep_suffix ? "keeping the log behind it" : "in place of the log");
  // Until the installation is on the disk, only what was committed before is certain to be there.
  if (!keep_suffix) {
    durable_index_ = std::min(durable_index_, commit_index_);
    for (Ticket& ticket : tickets_) ticket.last_index = std::min(ticket.last_index, commit_index_);
    log_.reset(meta);
    verified_index_ = meta.index;
    unstable_from_ = log_.last_index() + 1;
  } else {
    log_.compact(meta.index);
    verified_index_ = std::max(verified_index_, meta.index);
    unstable_from_ = std::max(unstable_from_, meta.index + 1);
  }
  install_ = InstallState{meta, keep_suffix};
  snapshot_ = meta;
  commit_index_ = emitted_index_ = meta.index;
  out_.committed.clear();  // loaded in this very turn: the snapshot holds them already
  reset_election_timer(now);
}

// --- this node's own

void Raft::on_snapshot_taken(const SnapshotTaken& taken) {
  if (snapshot_ && taken.meta.index <= snapshot_->index) return;
  WH_ASSERT(taken.meta.index <= emitted_index_, "a snapshot holds what was applied");
  snapshot_ = taken.meta;
  compact_log();
}

// Keeps a trail behind the snapshot for followers that are only a little behind; a dead one does not hold it back (F7).
void Raft::compact_log() {
  if (snapshot_->index.value <= options_.trailing_entries) return;
  const Index target = std::min(snapshot_->index - options_.trailing_entries, durable_index_);
  if (target <= log_.base_index()) return;
  log_.compact(target);
  out_.compact = target;
}

}  // namespace wh::raft
