// `wormhole-server --simulate`: the simulator in the box. Clusters of this server's own consensus code, in virtual
// time, through bad luck of which a seed decides everything; what must hold is looked at after every event. Opens no
// port and no file. Called by main.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace wh {

struct SimulateArguments {
  std::optional<uint64_t> seed;   // the first; none: by chance
  std::optional<uint32_t> nodes;  // 1 to 7; none: each seed its own
  uint64_t seconds = 10;          // of real time, 1 to 86,400
  std::string faults;             // groups, with commas between; empty: as each seed has it
  bool trace = false;             // one seed, with all that happens in it
};

// The exit status: 0 when all held, 1 when something did not, or the faults are none that there are.
int simulate(const SimulateArguments& arguments);

}  // namespace wh
