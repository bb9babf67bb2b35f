// The lists by which nodes find each other: what each is started with, how its entries are spelled, where its machine's
// names lead, and by what it knows itself. Drawn from the options of a run; all lists mean the same nodes.
#pragma once

namespace wh::sim {

class World;

void make_lists(World& world);

}  // namespace wh::sim
