#include "machine/snapshot/snapshot_loader.h"

#include <utility>

#include "base/mutant.h"
#include "machine/queue/queue_ops.h"

namespace wh::machine {

Result<State> SnapshotLoader::finish() {
  if (!reader_.ended()) reader_.fail("the snapshot ends too early");
  if (!reader_.status()) return Error{reader_.status().error()};
  reader_.fail("the snapshot was taken already");
  State state = builder_.take();
  if (WH_MUTANT(snapshot_forgets_sessions)) state.sessions = Sessions{};
  if (WH_MUTANT(restore_loses_an_event) && state.queues.event_count() > 0) {
    UnwatchedQueues nobody;
    QueueOps ops(state.queues, {.index = state.applied, .version = state.version, .settings = state.settings}, nobody);
    (void)ops.purge(*ops.find(state.queues.by_name().begin()->first));
  }
  return state;
}

Discarded SnapshotLoader::discard() {
  reader_.fail("the snapshot was given up");
  return Discarded(builder_.take());
}

}  // namespace wh::machine
