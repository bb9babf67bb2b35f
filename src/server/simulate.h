// `wormhole-server --simulate`: the built-in simulator. Runs clusters of this server's own consensus code in virtual
// time with faults that the seed alone decides, and checks the invariants after every event. Opens no port and no file.
// Called by main.
#pragma once

#include "config/command_line.h"

namespace wh::server {

// The exit status: 0 when all invariants held, 1 when one did not, or when a given fault does not exist.
int simulate(const config::SimulateArguments& arguments);

}  // namespace wh::server
