// Serialises the state as it was at one log index, in slices, while the state changes. Begins in O(1) and copies no
// state (HAZARDS F6): it walks the sections in order; before an item ahead of the walk changes, the machine hands over
// its old value (the write barrier: the keep functions). Owned and driven by Machine.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>

#include "base/bytes.h"
#include "machine/snapshot/sections.h"
#include "machine/state.h"

namespace wh::machine {

class SnapshotWriter {
 public:
  // Captures the state as of now. `state` must outlive the writer, and its owner must report every change.
  explicit SnapshotWriter(const State& state);
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  // A key was overwritten or removed; `old` is its item before.
  void keep_key(std::string_view key, const Item& old) { keep(section<StoreSection>().keep(key, old)); }
  // A queue, or an event of it, is about to change.
  void keep_queue(const Queue& queue) { keep(section<QueuesSection>().keep(queue)); }
  void keep_event(const Queue& queue, const Event& old) { keep(section<QueuesSection>().keep(queue, old)); }
  // All events of a queue are about to leave it; the container is shared and does not change any more.
  void keep_content(const Queue& queue, const std::shared_ptr<QueueContent>& content) {
    section<QueuesSection>().keep_content(queue, content);
  }
  // A lease is about to change.
  void keep_lease(uint64_t id, const Lease& old) { keep(section<LeasesSection>().keep(id, old)); }
  // A binding is about to be removed.
  void keep_binding(std::string_view topic, std::string_view queue, const Binding& old) {
    keep(section<BindingsSection>().keep(topic, queue, old));
  }
  // An answer to an idempotency key is about to be forgotten.
  void keep_idempotency(const IdempotencyKeys::Item& old) { keep(section<IdempotencySection>().keep(old)); }

  // Replaces `out` by the next slice. Returns false, with `out` empty, when there are no more. A slice has `max_bytes`,
  // plus at most one record without its value (4.2 KB), and covers at most max_bytes / 64 + 1 items, so it can be
  // smaller, even empty, where much has changed.
  bool next_slice(size_t max_bytes, std::string& out);

  // Names and values that the barrier holds until a slice takes them.
  [[nodiscard]] size_t kept_bytes() const { return kept_bytes_; }
  [[nodiscard]] raft::Index index() const { return index_; }

 private:
  template <typename Section>
  Section& section() {
    return std::get<Section>(sections_);
  }
  void keep(std::optional<Record> record);
  void write_kept(Slice& slice);
  void write_trailer(std::string& out) const;
  [[nodiscard]] bool all_walked() const;

  const raft::Index index_;
  const uint64_t digest_;
  std::tuple<StoreSection, QueuesSection, BindingsSection, LeasesSection, IdempotencySection> sections_;
  std::deque<Record> kept_;
  size_t kept_bytes_ = 0;
  Slice::Rest rest_;  // a record that the last slice began and did not finish
  uint32_t crc_ = 0;
  bool finished_ = false;
};

}  // namespace wh::machine
