// Serialises the state as it was at one log index, in slices, while the state goes on changing. Begins in O(1) and
// copies no state (HAZARDS F6): it walks the containers in order, and what changes ahead of the walk is handed to it
// first, with its old value (the write barrier: keep_key, keep_event). What is younger than the snapshot is told by its
// log index and left out. Owned and driven by Machine.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "machine/state.h"

namespace wh::machine {

class SnapshotWriter {
 public:
  // Takes the state as of now. `state` must outlive the writer, and tell it of every change.
  explicit SnapshotWriter(const State& state);
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  // A key was overwritten or removed; `old` is what it was.
  void keep_key(std::string_view key, const Store::Item& old);
  // An event was removed.
  void keep_event(std::string_view queue, const Event& old);

  // Puts the next slice into `out` in place of what it holds. False, and `out` is empty, when all was given before. A
  // slice is of `max_bytes`, over by at most one record without its value (4.2 KB), and looks at no more than
  // max_bytes / 64 + 1 items, so it can be smaller, even empty, where much has changed.
  bool next_slice(size_t max_bytes, std::string& out);

  // Names and values held because of the barrier until a slice takes them.
  [[nodiscard]] size_t kept_bytes() const { return kept_bytes_; }
  [[nodiscard]] raft::Index index() const { return index_; }

 private:
  struct Slice {
    std::string& out;
    size_t max_bytes;
    size_t walked = 0;
    [[nodiscard]] bool full() const;
  };
  struct Kept {
    bool is_event;
    std::string name;  // a key's or a queue's
    raft::Index id;    // an event's
    Bytes bytes;
  };
  void write_rest(Slice& slice);
  void write_kept(Slice& slice);
  void write_keys(Slice& slice);
  void write_events(Slice& slice);
  void write_key(Slice& slice, std::string_view key, const Bytes& value);
  void write_event(Slice& slice, std::string_view queue, raft::Index id, const Bytes& event);
  void write_bytes(Slice& slice, const Bytes& bytes);
  void write_trailer(Slice& slice);
  [[nodiscard]] bool all_walked() const;

  const State& state_;
  const raft::Index index_;
  const uint64_t digest_;

  // All below the cursor was written or kept; all from it on was not.
  std::string key_cursor_;
  bool keys_done_ = false;
  std::string queue_cursor_;
  raft::Index event_cursor_;
  bool events_done_ = false;

  std::deque<Kept> kept_;
  size_t kept_bytes_ = 0;
  Bytes rest_;  // begun, and not finished by the last slice
  size_t rest_from_ = 0;
  uint32_t crc_ = 0;
  bool finished_ = false;
};

}  // namespace wh::machine
