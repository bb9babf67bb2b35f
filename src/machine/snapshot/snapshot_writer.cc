#include "machine/snapshot/snapshot_writer.h"

#include <algorithm>

#include "base/assert.h"
#include "base/hash.h"
#include "machine/snapshot/snapshot_format.h"

namespace wh::machine {
namespace {

constexpr size_t kMaxReserve = size_t{1} << 20;

}  // namespace

SnapshotWriter::SnapshotWriter(const State& state)
    : index_(state.applied),
      digest_(state.digest()),
      sections_(StoreSection(state, index_), QueuesSection(state, index_), BindingsSection(state, index_),
                LeasesSection(state, index_), IdempotencySection(state, index_)),
      rest_{snapshot_head(state)} {}

void SnapshotWriter::keep(std::optional<Record> record) {
  if (!record) return;
  kept_bytes_ += record->size();
  kept_.push_back(*std::move(record));
}

bool SnapshotWriter::next_slice(size_t max_bytes, std::string& out) {
  WH_ASSERT(max_bytes > 0, "a slice of no bytes makes no progress");
  out.clear();
  if (finished_) return false;
  out.reserve(std::min(max_bytes, kMaxReserve) + kMaxKeyBytes + 64);
  Slice slice(out, max_bytes, rest_);
  slice.put_rest();
  write_kept(slice);
  std::apply([&slice](auto&... section) { (section.write(slice), ...); }, sections_);
  if (all_walked()) {
    write_trailer(out);
    finished_ = true;
  } else {
    crc_ = crc32c(out, crc_);
  }
  return true;
}

bool SnapshotWriter::all_walked() const {
  const bool walked = std::apply([](const auto&... section) { return (section.done() && ...); }, sections_);
  return walked && rest_.bytes.empty() && kept_.empty();
}

// Runs before the walk continues, so that the events of a queue stay in their order.
void SnapshotWriter::write_kept(Slice& slice) {
  while (!kept_.empty() && !slice.full()) {
    slice.walked();
    slice.put(kept_.front());
    kept_bytes_ -= kept_.front().size();
    kept_.pop_front();
  }
}

void SnapshotWriter::write_trailer(std::string& out) const {
  Writer w(out);
  w.u8(snapshot_format::kEnd);
  w.u64(digest_);
  w.u32(crc32c(out, crc_));
}

}  // namespace wh::machine
