// `wormhole-server --simulate`: the simulator in the box. Clusters of this server's own consensus code, in virtual
// time, through bad luck of which a seed decides everything; what must hold is looked at after every event. Opens no
// port and no file. Called by main.
#pragma once

#include "config/command_line.h"

namespace wh {

// The exit status: 0 when all held, 1 when something did not, or the faults are none that there are.
int simulate(const SimulateArguments& arguments);

}  // namespace wh
