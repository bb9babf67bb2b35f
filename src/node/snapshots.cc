#include "node/snapshots.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "base/mutant.h"

namespace wh::node {
namespace {
// Bytes of a snapshot decoded in one turn, at most, and between two looks at the clock: while the node serves, and
// while it starts and nobody waits for a turn. With the first ones a start takes a tenth longer.
struct Feed {
  size_t bytes;
  size_t piece;
};
constexpr Feed kFeedServing{.bytes = 16 << 10, .piece = 2 << 10};
constexpr Feed kFeedStarting{.bytes = SIZE_MAX, .piece = 32 << 10};
// A slice takes some 0.5 ms of the loop.
constexpr Millis kSliceMs = 3;
// A snapshot that keeps more old values in memory than this and than this share of the state, or falls so far behind
// the log that grows meanwhile, does not wait between its slices. With the share, and files written out every 1 MiB,
// the p99 of writes beside a snapshot of 10^6 keys is a third to a half lower than by kMostKept alone.
constexpr uint64_t kMostKept = 4 << 20;
constexpr uint64_t kMostKeptShare = 16;
constexpr uint64_t kMostBehind = 16 << 20;
// The wait after a snapshot that found no room, doubled each time.
constexpr Millis kSnapshotWaitMs = 5'000;
constexpr Millis kMaxSnapshotWaitMs = 300'000;

// A snapshot writes the whole state, so it waits until the log since the last one has reached this share of the state's
// size. At the latest it is due at kLongestLog times the limits of the directives, which bounds the work of a restart
// and of a follower that catches up. A small state is written as often as the directives say.
constexpr uint64_t kShareOfState = 2;
constexpr uint64_t kLongestLog = 8;
constexpr uint64_t kSmallState = 16 << 20;
}  // namespace

// --- taking one

void Snapshots::begin_behind(const std::optional<raft::SnapshotMeta>& snapshot) {
  last_index_ = snapshot ? snapshot->index : raft::Index{};
}

bool Snapshots::due(raft::Index applied) const {
  const uint64_t entries = applied - last_index_;
  if (entries < ctx_.options.snapshot_entries && bytes_since_ < ctx_.options.snapshot_bytes) return false;
  const uint64_t state = ctx_.machine.logical_bytes();
  return state <= kSmallState || bytes_since_ >= state / kShareOfState ||
         entries / kLongestLog >= ctx_.options.snapshot_entries ||
         bytes_since_ / kLongestLog >= ctx_.options.snapshot_bytes;
}

void Snapshots::maybe_take(Millis now) {
  const raft::Index applied = ctx_.machine.applied();
  if (taking_ || loading_ || applied <= last_index_ || now < not_before_) return;
  if (!due(applied)) return;
  // A snapshot must not contain entries that the disk could still lose: it waits until the log is durable up to here.
  if (applied > ctx_.raft->durable_index() && !WH_MUTANT(snapshot_of_unsynced)) return;
  const raft::Log::ConfigurationAt& configuration = ctx_.raft->log().configuration_at(
      WH_MUTANT(snapshot_with_newest_members) ? ctx_.raft->log().last_index() : applied);
  const raft::Index index = WH_MUTANT(snapshot_of_unapplied) ? ctx_.raft->log().last_index() : applied;
  const raft::SnapshotMeta meta{.index = index,
                                .term = *ctx_.raft->log().term_at(index),
                                .configuration_index = configuration.index,
                                .configuration = WH_MUTANT(snapshot_forgets_removed)
                                                     ? raft::Configuration(configuration.configuration.members())
                                                     : configuration.configuration,
                                .time_ms = ctx_.machine.time_ms()};
  taking_.emplace(Taking{});
  taking_->index_before = last_index_;
  taking_->bytes_before = bytes_since_;
  bytes_since_ = 0;
  last_index_ = applied;
  ctx_.machine.begin_snapshot();
  ctx_.storage.begin_snapshot(meta);
}

// Whether more is written meanwhile than the slices write: the kept values and the log would grow without end.
bool Snapshots::falls_behind() const {
  return ctx_.machine.snapshot_kept_bytes() > std::max(kMostKept, ctx_.machine.logical_bytes() / kMostKeptShare) ||
         bytes_since_ > taking_->bytes + kMostBehind;
}

// While the node serves, a slice waits for its time: made as fast as the disk takes them, slices would take most of the
// loop's time, and of the disk's, from those who wait for answers.
void Snapshots::write_slice(Millis now) {
  slice_due_ = kNever;
  if (!taking_ || taking_->slice_in_flight || taking_->finishing) return;
  const uint64_t served = ctx_.counters.entries_applied + ctx_.counters.reads;
  if (served != taking_->served && now < taking_->slice_at + kSliceMs && !falls_behind()) {
    slice_due_ = taking_->slice_at + kSliceMs;
    return;
  }
  taking_->served = served;
  taking_->slice_at = now;
  std::string slice;
  const bool more = ctx_.machine.next_slice(ctx_.options.snapshot_slice_bytes, slice);
  taking_->bytes += slice.size();
  if (slice.empty()) {
    // All that it came to has changed since: no result of the disk will wake this node for the next one.
    if (more) slice_due_ = now + kSliceMs;
  } else {
    taking_->slice_in_flight = true;
    ctx_.storage.write_snapshot_slice(Bytes(std::move(slice)));
  }
  if (!more) {
    taking_->finishing = true;
    ctx_.storage.finish_snapshot();
  }
}

void Snapshots::slice_written() {
  if (taking_) taking_->slice_in_flight = false;
}

void Snapshots::saved(const raft::SnapshotMeta& meta, Millis now) {
  const bool abandoned = !taking_ || taking_->abandoned;
  taking_.reset();
  if (abandoned) return;
  ++ctx_.counters.snapshots_taken;
  wait_ms_ = 0;
  logf(LogLevel::notice, "took a snapshot at index %lu: %lu bytes", meta.index.value, meta.size);
  if (ctx_.raft) ctx_.raft->step(now, raft::SnapshotTaken{meta});
}

// The snapshot found no room: the node goes on, and tries again after ever longer waits (HAZARDS F10: a snapshot larger
// than the disk).
void Snapshots::failed(const SnapshotFailed& failure, Millis now) {
  if (!taking_) return;
  const Taking before = *std::exchange(taking_, std::nullopt);
  if (ctx_.machine.snapshot_running()) ctx_.machine.abandon_snapshot();
  wait_ms_ = std::min(std::max(2 * wait_ms_, kSnapshotWaitMs), kMaxSnapshotWaitMs);
  not_before_ = now + wait_ms_;
  if (failure.exhausted)
    logf(LogLevel::warning, "out of file descriptors or memory for a snapshot: trying again in %lu s", wait_ms_ / 1000);
  else
    logf(LogLevel::warning, "no room on the disk for a snapshot: trying again in %lu s", wait_ms_ / 1000);
  if (before.abandoned) return;
  last_index_ = before.index_before;
  bytes_since_ += before.bytes_before;
}

// When the next snapshot begins, the storage throws away one that was not finished.
void Snapshots::abandon() {
  if (!taking_) return;
  if (ctx_.machine.snapshot_running()) ctx_.machine.abandon_snapshot();
  if (taking_->finishing) {
    taking_->abandoned = true;
  } else {
    taking_.reset();
  }
}

// --- sending one

// A transfer may take minutes while this node takes new snapshots, and must not start again with each of them.
void Snapshots::keep_sent(Millis now) {
  const raft::SnapshotMeta* meta = ctx_.raft->snapshot_in_transfer(now);
  const raft::Index index = meta != nullptr ? meta->index : raft::Index{};
  if (index == kept_) return;
  kept_ = index;
  ctx_.storage.keep_snapshot(meta != nullptr ? std::optional(*meta) : std::nullopt);
}

void Snapshots::send_chunk(const raft::ChunkWanted& wanted) {
  chunk_requests_[ctx_.next_number] = wanted.to;
  ctx_.storage.read_snapshot(ctx_.next_number++, wanted.meta, wanted.offset, wanted.max_bytes);
}

// --- a backup of it

std::optional<BackupPoint> Snapshots::begin_backup() {
  if (!ctx_.raft || backing_up_ || ctx_.machine.applied().value == 0) return std::nullopt;
  backing_up_ = true;
  ctx_.machine.begin_snapshot(machine::Walk::backup);
  const raft::Index index = ctx_.machine.applied();
  return BackupPoint{index, ctx_.raft->log().term_at(index).value_or(raft::Term{}), ctx_.machine.time_ms(),
                     ctx_.machine.version()};
}

BackupSlice Snapshots::next_backup_slice(std::string& out) {
  WH_ASSERT(backing_up_, "no backup was begun");
  if (!ctx_.machine.snapshot_running(machine::Walk::backup)) return BackupSlice::lost;
  if (ctx_.machine.next_slice(ctx_.options.snapshot_slice_bytes, out, machine::Walk::backup)) return BackupSlice::more;
  backing_up_ = false;
  return BackupSlice::done;
}

void Snapshots::end_backup() {
  if (!std::exchange(backing_up_, false)) return;
  if (ctx_.machine.snapshot_running(machine::Walk::backup)) ctx_.machine.abandon_snapshot(machine::Walk::backup);
}

// --- receiving one

void Snapshots::chunk_written(const IncomingChunkWritten& written, Millis now) {
  if (!ctx_.raft) return;
  if (written.no_room && !WH_MUTANT(no_room_is_damage)) {
    // The leader gets no answer, waits for a while, then begins again (HAZARDS F10: a snapshot larger than the disk).
    if (written.exhausted)
      logf(LogLevel::warning,
           "out of file descriptors or memory for the leader's snapshot at index %lu (%lu bytes): it was thrown away",
           written.meta.index.value, written.meta.size);
    else
      logf(LogLevel::warning,
           "no room on the disk for the leader's snapshot at index %lu (%lu bytes): it was thrown away",
           written.meta.index.value, written.meta.size);
    ctx_.raft->step(now, raft::ChunkStored{written.meta, 0, false, true});
    return;
  }
  if (!written.ok) logf(LogLevel::warning, "a snapshot from the leader did not verify and was thrown away");
  ctx_.raft->step(now, raft::ChunkStored{written.meta, written.next_offset, written.ok});
  if (written.ok && written.complete) begin_loading(written.meta, false);
}

// --- loading one

void Snapshots::begin_loading(const raft::SnapshotMeta& meta, bool at_start) {
  loaded_state_.reset();
  loading_.emplace(meta, at_start, ctx_.options.version);
}

// Reads large pieces but decodes small ones: decoding must not hold up the loop.
Snapshots::Loaded Snapshots::load_more(Millis now) {
  if (!loading_ || loading_->request != 0) return Loaded::no;
  if (loading_->fed < loading_->piece.size()) {
    const Feed& feed = loading_->at_start ? kFeedStarting : kFeedServing;
    const size_t end = loading_->fed + std::min(loading_->piece.size() - loading_->fed, feed.bytes);
    do {
      const std::string_view part =
          loading_->piece.view().substr(loading_->fed, std::min(feed.piece, end - loading_->fed));
      loading_->fed += part.size();
      if (const Status fed = loading_->loader.feed(part); !fed) {
        give_up_loading(fed.error(), now);
        return Loaded::no;
      }
    } while (loading_->fed < end && !ctx_.budget.spent());
    ctx_.wants_turn = true;
    return loading_->fed == loading_->piece.size() && loading_->last_piece ? finish_loading(now) : Loaded::no;
  }
  if (loading_->last_piece) return finish_loading(now);  // the last piece was empty
  loading_->request = ctx_.next_number++;
  ctx_.storage.read_snapshot(loading_->request, loading_->meta, loading_->offset, ctx_.options.snapshot_chunk_bytes);
  return Loaded::no;
}

void Snapshots::chunk_read(SnapshotChunkRead& read, Millis now) {
  if (const auto it = chunk_requests_.find(read.request); it != chunk_requests_.end()) {
    const raft::NodeId to = it->second;
    chunk_requests_.erase(it);
    if (ctx_.raft)
      ctx_.raft->step(now, raft::ChunkLoaded{to, read.index, read.offset, std::move(read.data), read.done, read.ok});
    return;
  }
  if (!loading_ || loading_->request != read.request) return;
  loading_->request = 0;
  const bool nothing = read.data.empty() && !read.done;
  if (!read.ok || nothing) return give_up_loading("it is no longer there", now);
  loading_->offset += read.data.size();
  loading_->piece = std::move(read.data);
  loading_->fed = 0;
  loading_->last_piece = read.done;
}

void Snapshots::give_up_loading(const std::string& why, Millis now) {
  WH_ASSERT(!loading_->at_start, "a snapshot that was verified at the start can be loaded");
  logf(LogLevel::warning, "could not load the snapshot at index %lu: %s", loading_->meta.index.value, why.c_str());
  const raft::SnapshotMeta meta = std::move(loading_->meta);
  ctx_.discarded.push_back(loading_->loader.discard());
  loading_.reset();
  // The core tells the leader to send it again.
  ctx_.wants_turn = true;
  if (ctx_.raft) ctx_.raft->step(now, raft::ChunkStored{meta, 0, false});
}

Snapshots::Loaded Snapshots::finish_loading(Millis now) {
  Result<machine::State> state = loading_->loader.finish();
  if (!state || state->applied != loading_->meta.index) {
    give_up_loading(state ? "it was taken at another index than it says" : state.error(), now);
    return Loaded::no;
  }
  raft::SnapshotMeta meta = std::move(loading_->meta);
  const bool at_start = loading_->at_start;
  loading_.reset();
  if (at_start) {
    ctx_.discarded.push_back(ctx_.machine.replace(std::move(*state)));
    return Loaded::at_start;
  }
  if (!ctx_.raft) return Loaded::no;
  loaded_state_ = std::move(*state);
  loaded_meta_ = meta;
  ctx_.raft->step(now, raft::SnapshotReceived{std::move(meta)});
  return Loaded::received;
}

void Snapshots::drop_loaded() {
  if (loaded_state_) ctx_.discarded.emplace_back(std::move(*std::exchange(loaded_state_, std::nullopt)));
}

void Snapshots::install(const raft::InstallState& install) {
  WH_ASSERT(loaded_state_ && loaded_meta_ && loaded_meta_->index == install.meta.index,
            "a snapshot is installed only when it is loaded");
  abandon();
  ctx_.discarded.push_back(ctx_.machine.replace(std::move(*loaded_state_)));
  loaded_state_.reset();
  loaded_meta_.reset();
  ctx_.saw_command = true;
  last_index_ = install.meta.index;
  bytes_since_ = 0;
  ++ctx_.counters.snapshots_installed;
}

}  // namespace wh::node
