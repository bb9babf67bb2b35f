// Requests that wait for something other than the cluster's agreement, in `Waits`: reads for their min_index, long
// polls and streams for an effect. They cost a turn nothing while nothing of theirs happens.
#pragma once

#include "node/context.h"
#include "node/reads.h"
#include "node/waits.h"

namespace wh::node {

class Waiting {
 public:
  Waiting(Context& context, Waits& waits, Reads& reads) : ctx_(context), waits_(waits), reads_(reads) {}

  // As the functions of Node with these names.
  void submit(Token token, Wait wait, Millis now);
  bool cancel(Token token);
  void wake(const Topic& topic);
  // What one command changed.
  void wake(const machine::Effects& effects);
  // Once a turn: those that woke, or whose time is up, are answered.
  void pump(Millis now);

 private:
  void over(const Woken& woken);

  Context& ctx_;
  Waits& waits_;
  Reads& reads_;
};

}  // namespace wh::node
