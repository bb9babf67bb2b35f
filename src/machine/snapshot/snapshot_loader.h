// Makes a state from a snapshot's bytes, given in pieces of any size. Trusts nothing: every length is checked before
// anything is allocated for it; every count, the digest and the checksum are checked at the end. A bad snapshot is
// refused as a whole (HAZARDS F9, F12). The node drives it, and gives the result to Machine::replace.
#pragma once

#include <string_view>

#include "base/result.h"
#include "machine/snapshot/discarded.h"
#include "machine/snapshot/snapshot_reader.h"
#include "machine/snapshot/state_builder.h"
#include "machine/state.h"

namespace wh::machine {

class SnapshotLoader {
 public:
  // Refuses a state above `version`.
  explicit SnapshotLoader(ClusterVersion version = kLatestVersion) : reader_(builder_, version) {}
  SnapshotLoader(const SnapshotLoader&) = delete;
  SnapshotLoader& operator=(const SnapshotLoader&) = delete;

  // Takes the next bytes. An error comes again with every later call; then only discard() is useful. Takes some 30 ms
  // for a MiB of small items: feed 16 KiB at a time on the loop.
  Status feed(std::string_view bytes) { return reader_.feed(bytes); }

  // The state, once all bytes were fed. Call it once.
  Result<State> finish();

  // What was loaded so far, to be freed in slices when loading is abandoned.
  Discarded discard();

 private:
  StateBuilder builder_;
  SnapshotReader reader_;
};

}  // namespace wh::machine
