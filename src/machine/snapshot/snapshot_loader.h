// Makes a state of a snapshot's bytes, given in pieces cut anywhere. Believes nothing: every length is checked before
// anything is allocated for it, every count, the digest and the checksum at the end; what does not fit is refused as a
// whole (HAZARDS F9, F12). The node drives it, and gives the result to Machine::replace.
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
  // A state above `version` is refused.
  explicit SnapshotLoader(ClusterVersion version = kLatestVersion) : reader_(builder_, version) {}
  SnapshotLoader(const SnapshotLoader&) = delete;
  SnapshotLoader& operator=(const SnapshotLoader&) = delete;

  // Takes the next bytes. After an error, which comes again with every call, only discard() is of use. Takes some 30 ms
  // for a MiB of small items: feed 16 KiB at a time on the loop.
  Status feed(std::string_view bytes) { return reader_.feed(bytes); }

  // The state, once all bytes were fed. To be called once.
  Result<State> finish();

  // What was loaded so far, to be freed in slices when loading is given up.
  Discarded discard();

 private:
  StateBuilder builder_;
  SnapshotReader reader_;
};

}  // namespace wh::machine
