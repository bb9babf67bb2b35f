// Ends the requests that wait in `Waits`: reads for their min_index, long polls and streams for an effect; says what
// each end of a wait means for its request. A waiting request costs a turn nothing until something happens that it
// waits for. Waits holds the requests; Reads takes over a read whose wait ended. Called by Node.
#pragma once

#include "node/context.h"
#include "node/reads.h"
#include "node/receives.h"
#include "node/waits.h"

namespace wh::node {

class Waiting {
 public:
  Waiting(Context& context, Waits& waits, Reads& reads, Receives& receives)
      : ctx_(context), waits_(waits), reads_(reads), receives_(receives) {}

  // As the functions of Node with these names.
  void submit(Token token, Wait wait, Millis now);
  bool cancel(Token token);
  void wake(const Topic& topic);
  // Wakes what waits for the effects of one command.
  void wake(const machine::Effects& effects);
  // Once a turn: answers the requests that were woken or whose time is up.
  void pump(Millis now);

 private:
  void over(const Woken& woken);

  Context& ctx_;
  Waits& waits_;
  Reads& reads_;
  Receives& receives_;
};

}  // namespace wh::node
