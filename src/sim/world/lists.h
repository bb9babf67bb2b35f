// The lists by which nodes find each other: each node's list, how its entries are spelled, where its machine's names
// lead, and how it recognises itself. Drawn from the options of a run; all lists mean the same nodes.
#pragma once

namespace wh::sim {

class World;

void make_lists(World& world);

}  // namespace wh::sim
