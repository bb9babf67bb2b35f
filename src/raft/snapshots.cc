// Snapshots and compaction: a follower whose next entry is compacted gets the state in chunks (section 7, Figure 13),
// resumes after a broken connection, and finds the log after the snapshot still there. The core decides which chunk
// counts, how large it is and when it leaves; the storage holds the bytes.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/log.h"
#include "base/mutant.h"
#include "raft/raft.h"

namespace wh::raft {
namespace {
// In election timeouts. kLostAfter: a chunk without a reply for so long is lost. kGettingOn: a follower without
// progress for so long is not waited for.
constexpr Millis kLostAfter = 10;
constexpr Millis kGettingOn = 60;
// Unused rate is saved up for at most this long.
constexpr uint64_t kBurstUs = 50'000;
constexpr uint64_t kLeastChunk = 4 << 10;
// A leader sends a chunk once the one before is stored, or long after. At most this many wait for a slow disk.
constexpr size_t kMaxChunksUnstored = 8;
}  // namespace

// --- the leader

// Whether a follower lately received part of a snapshot or of the log. While it loads a complete snapshot, it only has
// to answer.
bool Raft::is_getting_on(Millis now, const Progress& p) const {
  const Millis timeout = options_.election_timeout_ms;
  const bool answers = now <= p.last_contact + 2 * timeout;
  const bool moves = now <= p.moved_at + kGettingOn * timeout;
  if (p.state == ProgressState::snapshot) return moves || (answers && p.snapshot_offset >= p.snapshot.size);
  return moves && answers;
}

const SnapshotMeta* Raft::snapshot_in_transfer(Millis now) const {
  const SnapshotMeta* oldest = nullptr;
  for (const auto& [id, p] : progress_)
    if (p.state == ProgressState::snapshot && p.snapshot.index >= log_.base_index() && is_getting_on(now, p) &&
        (oldest == nullptr || p.snapshot.index < oldest->index))
      oldest = &p.snapshot;
  return oldest;
}

void Raft::start_snapshot(Millis now, Progress& p) {
  WH_ASSERT(snapshot_, "a log is compacted only behind a snapshot");
  // A snapshot that another follower is being sent will do.
  const SnapshotMeta* other = snapshot_in_transfer(now);
  p.become_snapshot(other != nullptr ? *other : *snapshot_, now);
  ++snapshot_counters_.begun;
  logf(LogLevel::notice, "sending %s the snapshot at index %lu, %lu bytes: its log ends at or before %lu",
       name_of(p.id).c_str(), p.snapshot.index.value, p.snapshot.size, p.next_index.value - 1);
}

void Raft::end_snapshot(Millis now, Progress& p) {
  ++snapshot_counters_.finished;
  logf(LogLevel::notice, "%s has the snapshot at index %lu: %lu bytes were sent in %lu ms for its %lu",
       name_of(p.id).c_str(), p.snapshot.index.value, p.snapshot_sent, now - p.snapshot_start, p.snapshot.size);
}

// The follower that waited longest goes first, so that followers share a rate.
void Raft::want_chunks(Millis now) {
  std::vector<Progress*> waiting;
  for (auto& [id, p] : progress_)
    if (p.state == ProgressState::snapshot) waiting.push_back(&p);
  std::stable_sort(waiting.begin(), waiting.end(),
                   [](const Progress* a, const Progress* b) { return a->chunk_sent < b->chunk_sent; });
  for (Progress* p : waiting) want_chunk(now, *p);
}

// One chunk at a time for each follower: no other message ever waits behind more than that.
void Raft::want_chunk(Millis now, Progress& p) {
  const bool silent = now >= p.chunk_sent + kLostAfter * options_.election_timeout_ms;
  if (p.offset_known && (p.chunk_in_flight || p.snapshot_offset >= p.snapshot.size)) {
    // The chunk is lost; or the follower has everything and never matched.
    if (!silent) return;
    p.ask_offset();
  }
  if (!p.offset_known) {
    if (!p.chunk_in_flight || silent) offer_snapshot(now, p);
    return;
  }
  const uint64_t rate = options_.snapshot_rate;
  if (rate != 0 && snapshot_free_at_us_ > now * 1'000) return;
  const uint64_t left = p.snapshot.size - p.snapshot_offset;
  uint64_t most = options_.max_chunk_bytes;
  if (rate != 0) most = std::min(most, std::max(rate / 10, kLeastChunk));
  if (p.pace.bytes() < std::min(most, left)) p.pace.limited();
  const uint64_t bytes = std::min({left, most, p.pace.bytes()});
  if (rate != 0) {
    const uint64_t saved_from = std::max(now * 1'000, kBurstUs) - kBurstUs;
    snapshot_free_at_us_ = std::max(snapshot_free_at_us_, saved_from) + bytes * 1'000'000 / rate;
  }
  p.chunk_in_flight = true;
  p.chunk_sent = now;
  out_.chunks_wanted.push_back({p.id, p.snapshot, p.snapshot_offset, bytes});
}

void Raft::offer_snapshot(Millis now, Progress& p) {
  p.chunk_in_flight = true;
  p.chunk_sent = now;
  send(p.id, InstallSnapshot{.term = hard_state_.current_term, .meta = p.snapshot, .data = {}});
}

void Raft::on_chunk_loaded(Millis now, ChunkLoaded& loaded) {
  Progress* p = role_ == Role::leader ? progress_of(loaded.to) : nullptr;
  if (p == nullptr || p->state != ProgressState::snapshot || p->snapshot.index != loaded.index) return;
  // This chunk was asked for before the follower wanted another one.
  if (!p->offset_known || p->snapshot_offset != loaded.offset) return;
  if (!loaded.ok) {
    logf(LogLevel::notice, "the snapshot at index %lu is gone: %s is sent the one at index %lu instead",
         loaded.index.value, name_of(p->id).c_str(), snapshot_->index.value);
    p->become_snapshot(*snapshot_, now);
    ++snapshot_counters_.restarted;
    return;
  }
  p->chunk_sent = now;
  p->snapshot_sent += loaded.data.size();
  snapshot_counters_.bytes += loaded.data.size();
  send(p->id, InstallSnapshot{.term = hard_state_.current_term,
                              .meta = p->snapshot,
                              .offset = loaded.offset,
                              .data = std::move(loaded.data),
                              .done = loaded.done});
}

void Raft::on_install_snapshot_reply(Millis now, NodeId from, const InstallSnapshotReply& reply) {
  Progress* p = role_ == Role::leader ? progress_of(from) : nullptr;
  if (p == nullptr) return;
  if (!WH_MUTANT(transfer_is_no_contact)) p->last_contact = now;  // a follower in a transfer is alive (HAZARDS F11)
  if (p->state != ProgressState::snapshot || p->snapshot.index != reply.index) return;
  if (reply.installed) {
    // Committed there but not yet on its disk: its next heartbeat replies will acknowledge it.
    if (reply.match_index < p->snapshot.index) return;
    p->matched(reply.match_index, now);
    end_snapshot(now, *p);
    p->become_probe();
    advance_commit(now);
    return;
  }
  const uint64_t next = reply.next_offset;
  // Known already: a duplicated reply must not cause a second chunk, whose reply causes a third, for ever.
  if (p->offset_known && next == p->snapshot_offset) return;
  if (!p->offset_known && next > 0 && next < p->snapshot.size) {
    ++snapshot_counters_.resumed;
    logf(LogLevel::notice, "going on with the snapshot at index %lu for %s at byte %lu of %lu", reply.index.value,
         name_of(p->id).c_str(), next, p->snapshot.size);
  } else if (next == 0 && p->snapshot_offset > 0) {
    // The follower lost its part, or refused the whole: then our copy may be corrupt, and would be refused for ever.
    ++snapshot_counters_.restarted;
    const bool newer = snapshot_->index > p->snapshot.index;
    logf(LogLevel::notice, "%s has nothing of the snapshot at index %lu any more: it is sent the one at index %lu",
         name_of(p->id).c_str(), reply.index.value, snapshot_->index.value);
    if (newer) return p->become_snapshot(*snapshot_, now);
  }
  if (next > p->snapshot_offset) p->moved_at = now;
  p->offset_known = true;
  p->chunk_in_flight = false;
  p->snapshot_offset = next;
}

// --- the follower

void Raft::on_install_snapshot(Millis now, NodeId from, InstallSnapshot& message) {
  if (role_ != Role::follower) note_overtaken(from, hard_state_.current_term, true);
  if (role_ != Role::follower || leader_ != from) become_follower(now, hard_state_.current_term, from);
  last_leader_contact_ = now;
  lost_leader_ = kNobody;
  reset_election_timer(now);
  InstallSnapshotReply reply{.term = hard_state_.current_term, .index = message.meta.index};
  if (message.meta.index <= commit_index_ && !WH_MUTANT(older_snapshot_installed)) {
    // Older than what is committed here (HAZARDS F3); committed entries are the same everywhere.
    reply.installed = true;
    reply.match_index = std::min(commit_index_, durable_index_);
    send(from, reply);
    return;
  }
  // No room: the replies for earlier chunks tell the sender when there is.
  if (chunks_unstored_ >= kMaxChunksUnstored) return;
  // The same bytes may come from another leader, in another term, or in another life of this process.
  const bool same = incoming_ && (incoming_->meta == message.meta || WH_MUTANT(chunks_of_two_mixed));
  const bool offer = message.data.empty() && !message.done;
  if (!same && message.offset == 0 && !offer) incoming_ = PartOfSnapshot{message.meta, 0};
  if (offer || (!same && message.offset != 0) ||
      (message.offset != incoming_->next_offset && !WH_MUTANT(chunk_order_ignored))) {
    // An offer, a chunk of another snapshot, or one out of order (HAZARDS F4): say what is wanted next.
    reply.next_offset = same ? incoming_->next_offset : 0;
    send(from, reply);
    return;
  }
  incoming_->next_offset += message.data.size();
  ++chunks_unstored_;
  out_.chunks_received.push_back({message.meta, message.offset, std::move(message.data), message.done});
}

void Raft::on_chunk_stored(const ChunkStored& stored) {
  // A chunk that could not be loaded is reported a second time.
  if (chunks_unstored_ > 0) --chunks_unstored_;
  if (!incoming_ || incoming_->meta != stored.meta) return;
  if (!stored.ok) incoming_.reset();
  if (stored.no_room) return;
  if (role_ != Role::follower || !leader_) return;
  send(leader_, InstallSnapshotReply{.term = hard_state_.current_term,
                                     .index = stored.meta.index,
                                     .next_offset = stored.ok ? stored.next_offset : 0});
}

void Raft::on_snapshot_received(Millis now, const SnapshotReceived& received) {
  const SnapshotMeta& meta = received.meta;
  if (incoming_ && incoming_->meta == meta) incoming_.reset();
  if ((meta.index <= commit_index_ && !WH_MUTANT(older_snapshot_installed)) || role_ == Role::leader || install_)
    return;
  // Figure 13, rule 6: later entries stay only when the log agrees at meta.index; else the whole log goes (HAZARDS F2).
  const auto mine = log_.term_at(meta.index);
  const bool keep_suffix = mine == meta.term || (WH_MUTANT(conflicting_log_kept) && mine);
  logf(LogLevel::notice, "installing the snapshot at index %lu, %s", meta.index.value,
       keep_suffix ? "keeping the log behind it" : "in place of the log");
  // Until the installation is on the disk, only what was committed before is certainly durable.
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
  out_.committed.clear();  // entries loaded in this turn: the snapshot contains them
  reset_election_timer(now);
}

// --- this node's own

void Raft::on_snapshot_taken(const SnapshotTaken& taken) {
  if (snapshot_ && taken.meta.index <= snapshot_->index) return;
  WH_ASSERT(taken.meta.index <= emitted_index_, "a snapshot holds what was applied");
  snapshot_ = taken.meta;
}

// Keeps entries below the snapshot for followers that lag a little, and more for a follower that lags further but makes
// progress, so that it still finds its next entry. A dead follower holds nothing back, nor does one that needs more
// than the bound (HAZARDS F7). The bound adds the snapshot's size: a follower that can catch up at all receives faster
// than the log grows, so while it receives a snapshot, the log grows by less than that.
void Raft::compact_log(Millis now) {
  if (!snapshot_) return;
  // The trail: this many entries, but no more bytes than may be held; none on a disk that has no room.
  const uint64_t trail = disk_low_ ? 0 : options_.trailing_entries;
  const Index by_count = snapshot_->index.value > trail ? snapshot_->index - trail : Index{};
  const Index by_bytes = std::min(snapshot_->index, log_.above_which(options_.held_log_bytes));
  const Index possible = std::min(std::max(by_count, by_bytes), durable_index_);
  if (possible <= log_.base_index()) return;
  Index target = possible;
  for (auto& [id, p] : progress_) {
    const bool sending = p.state == ProgressState::snapshot;
    const Index needed = sending ? p.snapshot.index : p.match_index;
    if (needed >= target || needed < log_.base_index() || !is_getting_on(now, p)) continue;
    const uint64_t most = options_.held_log_bytes + (sending ? p.snapshot.size : snapshot_->size);
    if (log_.bytes_above(needed) <= most && !WH_MUTANT(compacts_before_the_slow)) target = needed;
  }
  if (WH_MUTANT(compacts_beyond_snapshot)) target = std::min(emitted_index_, durable_index_);
  if (target <= log_.base_index()) return;
  for (auto& [id, p] : progress_) {
    const Index needed = p.state == ProgressState::snapshot ? p.snapshot.index : p.match_index;
    if (needed < log_.base_index() || needed >= target || !is_getting_on(now, p)) continue;
    logf(LogLevel::warning,
         "%s does not keep up: %lu bytes were written since index %lu, and it is sent a newer snapshot",
         name_of(id).c_str(), log_.bytes_above(needed), needed.value);
  }
  log_.compact(target);
  out_.compact = target;
}

}  // namespace wh::raft
