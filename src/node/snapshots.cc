// Snapshots at the node: taking one of its own in slices while requests go on, keeping the one that is being sent,
// storing one that the leader sends, and loading one beside the state in use, which it replaces in one step.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/log.h"
#include "base/mutant.h"
#include "node/node.h"

namespace wh::node {
namespace {
constexpr size_t kFeedBytes = 16 << 10;
// After a snapshot that found no room: until the next try, doubled each time.
constexpr Millis kSnapshotWaitMs = 5'000;
constexpr Millis kMaxSnapshotWaitMs = 300'000;

// A snapshot writes the whole state, so it waits until the log behind the last one is worth it: this share of the
// state. At the latest it is due at so many times what the directives say, so that a restart and a follower that
// catches up have a bound; and a small state is written as often as they say.
constexpr uint64_t kShareOfState = 2;
constexpr uint64_t kLongestLog = 8;
constexpr uint64_t kSmallState = 16 << 20;
}  // namespace

// --- taking one

bool Node::snapshot_due(raft::Index applied) const {
  const uint64_t entries = applied - last_snapshot_index_;
  if (entries < options_.snapshot_entries && bytes_since_snapshot_ < options_.snapshot_bytes) return false;
  const uint64_t state = machine_.logical_bytes();
  return state <= kSmallState || bytes_since_snapshot_ >= state / kShareOfState ||
         entries / kLongestLog >= options_.snapshot_entries ||
         bytes_since_snapshot_ / kLongestLog >= options_.snapshot_bytes;
}

void Node::maybe_take_snapshot(Millis now) {
  const raft::Index applied = raft_->applied_index();
  if (taking_ || loading_ || applied <= last_snapshot_index_ || now < snapshot_not_before_) return;
  if (!snapshot_due(applied)) return;
  // A snapshot must hold no entry that the disk could still lose: it waits until the log is on the disk up to here.
  if ((applied > raft_->durable_index() && !WH_MUTANT(snapshot_of_unsynced)) || machine_.applied() != applied) return;
  const raft::Log::ConfigurationAt& configuration =
      raft_->log().configuration_at(WH_MUTANT(snapshot_with_newest_members) ? raft_->log().last_index() : applied);
  const raft::Index index = WH_MUTANT(snapshot_of_unapplied) ? raft_->log().last_index() : applied;
  const raft::SnapshotMeta meta{.index = index,
                                .term = *raft_->log().term_at(index),
                                .configuration_index = configuration.index,
                                .configuration = WH_MUTANT(snapshot_forgets_removed)
                                                     ? raft::Configuration(configuration.configuration.members())
                                                     : configuration.configuration,
                                .time_ms = machine_.time_ms()};
  taking_.emplace(Taking{});
  taking_->index_before = last_snapshot_index_;
  taking_->bytes_before = bytes_since_snapshot_;
  bytes_since_snapshot_ = 0;
  last_snapshot_index_ = applied;
  machine_.begin_snapshot();
  storage_.begin_snapshot(meta);
}

void Node::write_slice() {
  if (!taking_ || taking_->slice_in_flight || taking_->finishing) return;
  std::string slice;
  const bool more = machine_.next_slice(options_.snapshot_slice_bytes, slice);
  if (!slice.empty()) {
    taking_->slice_in_flight = true;
    storage_.write_snapshot_slice(Bytes(std::move(slice)));
  }
  if (!more) {
    taking_->finishing = true;
    storage_.finish_snapshot();
  }
}

void Node::snapshot_saved(const raft::SnapshotMeta& meta, Millis now) {
  const bool abandoned = !taking_ || taking_->abandoned;
  taking_.reset();
  if (abandoned) return;
  ++counters_.snapshots_taken;
  snapshot_wait_ms_ = 0;
  logf(LogLevel::notice, "took a snapshot at index %lu: %lu bytes", meta.index.value, meta.size);
  if (raft_) raft_->step(now, raft::SnapshotTaken{meta});
}

// No room for it: the node goes on, and tries again later and later (HAZARDS F10).
void Node::snapshot_failed(const SnapshotFailed& failure, Millis now) {
  if (!taking_) return;
  const Taking failed = *std::exchange(taking_, std::nullopt);
  if (machine_.snapshot_running()) machine_.abandon_snapshot();
  snapshot_wait_ms_ = std::min(std::max(2 * snapshot_wait_ms_, kSnapshotWaitMs), kMaxSnapshotWaitMs);
  snapshot_not_before_ = now + snapshot_wait_ms_;
  if (failure.exhausted)
    logf(LogLevel::warning, "out of file descriptors or memory for a snapshot: trying again in %lu s",
         snapshot_wait_ms_ / 1000);
  else
    logf(LogLevel::warning, "no room on the disk for a snapshot: trying again in %lu s", snapshot_wait_ms_ / 1000);
  if (failed.abandoned) return;
  last_snapshot_index_ = failed.index_before;
  bytes_since_snapshot_ += failed.bytes_before;
}

// Another state takes the place of the one that is being written. What was not finished, the storage throws away when
// the next one begins.
void Node::abandon_taking() {
  if (!taking_) return;
  if (machine_.snapshot_running()) machine_.abandon_snapshot();
  if (taking_->finishing) {
    taking_->abandoned = true;
  } else {
    taking_.reset();
  }
}

// --- sending one

// A transfer of minutes outlasts the next snapshots, and must not begin anew with each of them.
void Node::keep_sent_snapshot(Millis now) {
  const raft::SnapshotMeta* meta = raft_->snapshot_in_transfer(now);
  const raft::Index index = meta != nullptr ? meta->index : raft::Index{};
  if (index == kept_snapshot_) return;
  kept_snapshot_ = index;
  storage_.keep_snapshot(meta != nullptr ? std::optional(*meta) : std::nullopt);
}

// --- a backup of it

std::optional<Node::BackupPoint> Node::begin_backup() {
  if (!raft_ || backing_up_ || machine_.applied().value == 0) return std::nullopt;
  backing_up_ = true;
  machine_.begin_snapshot(machine::Walk::backup);
  const raft::Index index = machine_.applied();
  return BackupPoint{index, raft_->log().term_at(index).value_or(raft::Term{}), machine_.time_ms(), machine_.version()};
}

Node::BackupSlice Node::next_backup_slice(std::string& out) {
  WH_ASSERT(backing_up_, "no backup was begun");
  if (!machine_.snapshot_running(machine::Walk::backup)) return BackupSlice::lost;
  if (machine_.next_slice(options_.snapshot_slice_bytes, out, machine::Walk::backup)) return BackupSlice::more;
  backing_up_ = false;
  return BackupSlice::done;
}

void Node::end_backup() {
  if (!std::exchange(backing_up_, false)) return;
  if (machine_.snapshot_running(machine::Walk::backup)) machine_.abandon_snapshot(machine::Walk::backup);
}

// --- receiving one

void Node::chunk_written(const IncomingChunkWritten& written, Millis now) {
  if (!raft_) return;
  if (written.no_room && !WH_MUTANT(no_room_is_damage)) {
    // Without an answer the leader waits for a while, then begins anew (HAZARDS F10).
    if (written.exhausted)
      logf(LogLevel::warning,
           "out of file descriptors or memory for the leader's snapshot at index %lu (%lu bytes): it was thrown away",
           written.meta.index.value, written.meta.size);
    else
      logf(LogLevel::warning,
           "no room on the disk for the leader's snapshot at index %lu (%lu bytes): it was thrown away",
           written.meta.index.value, written.meta.size);
    raft_->step(now, raft::ChunkStored{written.meta, 0, false, true});
    return;
  }
  if (!written.ok) logf(LogLevel::warning, "a snapshot from the leader did not verify and was thrown away");
  raft_->step(now, raft::ChunkStored{written.meta, written.next_offset, written.ok});
  if (written.ok && written.complete) begin_loading(written.meta, false);
}

// --- loading one

void Node::begin_loading(const raft::SnapshotMeta& meta, bool at_start) {
  loaded_state_.reset();
  loading_.emplace(meta, at_start, options_.version);
}

// Reads large pieces, feeds small ones: decoding a piece must not hold up the loop.
void Node::load_more(Millis now) {
  if (!loading_ || loading_->request != 0) return;
  if (loading_->fed < loading_->piece.size()) {
    const std::string_view part = loading_->piece.view().substr(loading_->fed, kFeedBytes);
    loading_->fed += part.size();
    if (const Status fed = loading_->loader.feed(part); !fed) return give_up_loading(fed.error(), now);
    wants_turn_ = true;
    if (loading_->fed == loading_->piece.size() && loading_->last_piece) finish_loading(now);
    return;
  }
  if (loading_->last_piece) return finish_loading(now);  // it was empty
  loading_->request = next_number_++;
  storage_.read_snapshot(loading_->request, loading_->meta, loading_->offset, options_.snapshot_chunk_bytes);
}

void Node::chunk_read(SnapshotChunkRead& read, Millis now) {
  if (const auto it = chunk_requests_.find(read.request); it != chunk_requests_.end()) {
    const raft::NodeId to = it->second;
    chunk_requests_.erase(it);
    if (raft_)
      raft_->step(now, raft::ChunkLoaded{to, read.index, read.offset, std::move(read.data), read.done, read.ok});
    return;
  }
  if (!loading_ || loading_->request != read.request) return;
  loading_->request = 0;
  const bool nothing = read.data.size() == 0 && !read.done;
  if (!read.ok || nothing) return give_up_loading("it is no longer there", now);
  loading_->offset += read.data.size();
  loading_->piece = std::move(read.data);
  loading_->fed = 0;
  loading_->last_piece = read.done;
}

void Node::give_up_loading(const std::string& why, Millis now) {
  WH_ASSERT(!loading_->at_start, "a snapshot that was verified at the start can be loaded");
  logf(LogLevel::warning, "could not load the snapshot at index %lu: %s", loading_->meta.index.value, why.c_str());
  const raft::SnapshotMeta meta = std::move(loading_->meta);
  discarded_ = loading_->loader.discard();
  loading_.reset();
  // The leader is told to send it anew.
  wants_turn_ = true;
  if (raft_) raft_->step(now, raft::ChunkStored{meta, 0, false});
}

void Node::finish_loading(Millis now) {
  Result<machine::State> state = loading_->loader.finish();
  if (!state) return give_up_loading(state.error(), now);
  if (state->applied != loading_->meta.index) return give_up_loading("it was taken at another index than it says", now);
  const raft::SnapshotMeta meta = std::move(loading_->meta);
  const bool at_start = loading_->at_start;
  loading_.reset();
  if (at_start) {
    discarded_ = machine_.replace(std::move(*state));
    start_raft(std::move(*std::exchange(recovered_, std::nullopt)), now);
  } else if (raft_) {
    loaded_state_ = std::move(*state);
    loaded_meta_ = meta;
    raft_->step(now, raft::SnapshotReceived{meta});
    // At once, before another snapshot can take the place of this one.
    run_raft(now);
    if (loaded_state_) discarded_.emplace(std::move(*std::exchange(loaded_state_, std::nullopt)));
  }
}

// The core has put the snapshot in the place of its log: from here on the state is the snapshot's.
void Node::install_loaded(const raft::InstallState& install) {
  WH_ASSERT(loaded_state_ && loaded_meta_ && loaded_meta_->index == install.meta.index,
            "a snapshot is installed only when it is loaded");
  abandon_taking();
  discarded_ = machine_.replace(std::move(*loaded_state_));
  loaded_state_.reset();
  loaded_meta_.reset();
  saw_command_ = true;
  last_snapshot_index_ = install.meta.index;
  bytes_since_snapshot_ = 0;
  ++counters_.snapshots_installed;
  fail_waiters_up_to(install.meta.index);
  room_.applied(install.meta.index);
}

}  // namespace wh::node
