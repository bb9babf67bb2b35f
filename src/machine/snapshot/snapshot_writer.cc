#include "machine/snapshot/snapshot_writer.h"

#include <algorithm>

#include "base/assert.h"
#include "base/hash.h"
#include "machine/command/command.h"
#include "machine/snapshot/snapshot_format.h"

namespace wh::machine {
namespace {

namespace format = snapshot_format;

// To look at an item costs time even when it gives few bytes, or none.
constexpr size_t kBytesPerItem = 64;
constexpr size_t kMaxReserve = size_t{1} << 20;

Bytes header_and_sessions(const State& state) {
  std::string out;
  const size_t sessions = state.sessions.size();
  out.reserve(format::kHeaderBytes + sessions * (1 + Sessions::kRecordBytes));
  Writer w(out);
  w.raw(format::kMagic);
  w.u32(format::kVersion);
  w.u64(state.applied.value);
  w.u64(state.time_ms);
  w.u64(state.store.items().size());
  w.u64(state.queues.event_count());
  w.u32(static_cast<uint32_t>(sessions));
  state.sessions.encode(format::kSession, w);
  return Bytes(std::move(out));
}

}  // namespace

// The sessions are bounded (41 KB at most), so they are written at once rather than guarded by the barrier.
SnapshotWriter::SnapshotWriter(const State& state)
    : state_(state), index_(state.applied), digest_(state.digest()), rest_(header_and_sessions(state)) {}

void SnapshotWriter::keep_key(std::string_view key, const Store::Item& old) {
  if (keys_done_ || key < key_cursor_ || old.changed_at > index_) return;
  kept_.push_back(Kept{false, std::string(key), raft::Index{}, old.value});
  kept_bytes_ += key.size() + old.value.size();
}

void SnapshotWriter::keep_event(std::string_view queue, const Event& old) {
  if (events_done_ || queue < queue_cursor_ || old.id > index_) return;
  if (queue == queue_cursor_ && old.id < event_cursor_) return;
  kept_.push_back(Kept{true, std::string(queue), old.id, old.bytes});
  kept_bytes_ += queue.size() + old.bytes.size();
}

bool SnapshotWriter::next_slice(size_t max_bytes, std::string& out) {
  WH_ASSERT(max_bytes > 0, "a slice of no bytes makes no progress");
  out.clear();
  if (finished_) return false;
  out.reserve(std::min(max_bytes, kMaxReserve) + kMaxKeyBytes + 64);
  Slice slice{out, max_bytes};
  write_rest(slice);
  write_kept(slice);
  write_keys(slice);
  write_events(slice);
  if (all_walked()) {
    write_trailer(slice);
    finished_ = true;
  } else {
    crc_ = crc32c(out, crc_);
  }
  return true;
}

bool SnapshotWriter::all_walked() const { return rest_.empty() && kept_.empty() && keys_done_ && events_done_; }

bool SnapshotWriter::Slice::full() const { return out.size() >= max_bytes || walked * kBytesPerItem >= max_bytes; }

void SnapshotWriter::write_rest(Slice& slice) {
  const std::string_view left = rest_.view().substr(rest_from_);
  const size_t size = std::min(left.size(), slice.max_bytes);
  slice.out.append(left.substr(0, size));
  rest_from_ += size;
  if (rest_from_ == rest_.size()) {
    rest_ = Bytes();
    rest_from_ = 0;
  }
}

// Before the walk goes on, so that the events of a queue stay in their order.
void SnapshotWriter::write_kept(Slice& slice) {
  while (!kept_.empty() && !slice.full()) {
    const Kept& kept = kept_.front();
    ++slice.walked;
    if (kept.is_event)
      write_event(slice, kept.name, kept.id, kept.bytes);
    else
      write_key(slice, kept.name, kept.bytes);
    kept_bytes_ -= kept.name.size() + kept.bytes.size();
    kept_.pop_front();
  }
}

void SnapshotWriter::write_keys(Slice& slice) {
  if (keys_done_ || slice.full()) return;
  const Store::Items& items = state_.store.items();
  for (auto at = items.lower_bound(key_cursor_); at != items.end(); ++at) {
    if (slice.full()) {
      key_cursor_ = at->first;
      return;
    }
    ++slice.walked;
    if (at->second.changed_at <= index_) write_key(slice, at->first, at->second.value);
  }
  keys_done_ = true;
}

void SnapshotWriter::write_events(Slice& slice) {
  if (events_done_ || slice.full()) return;
  const Queues::ByName& queues = state_.queues.by_name();
  for (auto queue = queues.lower_bound(queue_cursor_); queue != queues.end(); ++queue) {
    if (queue->first != queue_cursor_) {
      queue_cursor_ = queue->first;
      event_cursor_ = raft::Index{};
    }
    if (slice.full()) return;
    const Queues::Events& events = queue->second;
    auto event = std::lower_bound(events.begin(), events.end(), event_cursor_,
                                  [](const Event& e, raft::Index id) { return e.id < id; });
    for (; event != events.end() && event->id <= index_; ++event) {
      if (slice.full()) {
        event_cursor_ = event->id;
        return;
      }
      ++slice.walked;
      write_event(slice, queue->first, event->id, event->bytes);
    }
    // Counted behind its events, not before: the smallest slice must get on by one event.
    ++slice.walked;
    event_cursor_ = index_ + 1;
  }
  events_done_ = true;
}

void SnapshotWriter::write_key(Slice& slice, std::string_view key, const Bytes& value) {
  Writer w(slice.out);
  w.u8(format::kKey);
  w.bytes(key);
  write_bytes(slice, value);
}

void SnapshotWriter::write_event(Slice& slice, std::string_view queue, raft::Index id, const Bytes& event) {
  Writer w(slice.out);
  w.u8(format::kEvent);
  w.bytes(queue);
  w.u64(id.value);
  write_bytes(slice, event);
}

// What does not fit is left to the next slice: bytes are shared and do not change.
void SnapshotWriter::write_bytes(Slice& slice, const Bytes& bytes) {
  Writer w(slice.out);
  w.u32(static_cast<uint32_t>(bytes.size()));
  const size_t room = slice.max_bytes - std::min(slice.max_bytes, slice.out.size());
  const size_t size = std::min(room, bytes.size());
  w.raw(bytes.view().substr(0, size));
  if (size < bytes.size()) {
    rest_ = bytes;
    rest_from_ = size;
  }
}

void SnapshotWriter::write_trailer(Slice& slice) {
  Writer w(slice.out);
  w.u8(format::kEnd);
  w.u64(digest_);
  w.u32(crc32c(slice.out, crc_));
}

}  // namespace wh::machine
