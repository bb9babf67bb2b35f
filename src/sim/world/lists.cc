#include "sim/world/lists.h"

#include <string>
#include <utility>
#include <vector>

#include "sim/world/world.h"

namespace wh::sim {
namespace {

std::string list_name(const Host& host) { return host.name + ".sim:1112"; }

// One of the ways to write an address in a list.
std::string spelled(World& world, const Host& about) {
  const uint32_t spelling = world.options.spelling;
  const uint64_t way = spelling == 0 ? 0 : spelling == 1 ? 1 : world.prng.below(3);
  if (way == 0) return about.address;
  return way == 1 ? list_name(about) : "N" + about.name.substr(1) + ".SIM.:1112";
}

template <typename T>
void shuffle(World& world, std::vector<T>& items) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[world.prng.below(i)]);
}

}  // namespace

void make_lists(World& world) {
  const Options& o = world.options;
  std::vector<std::string> all;
  for (size_t i = 0; i < o.nodes; ++i) all.push_back(world.hosts[i].address);
  if (o.story != Story::listed) {
    for (size_t i = 0; i < o.nodes; ++i) world.hosts[i].join = all;
    return;
  }
  for (size_t i = 0; i < o.nodes; ++i) {
    Host& host = world.hosts[i];
    host.dials_itself = o.no_hairpin == 0;
    host.names_known_us = uint64_t{o.late_names_ms} * 1'000;
    for (size_t j = 0; j < o.nodes; ++j)
      host.names[list_name(world.hosts[j])] = {i == j && o.own_name_local != 0 ? "127.0.1.1:1112" : all[j]};
    if (o.behind_nat != 0) host.own.addresses.clear();
    if (o.own_name_local != 0) host.own.loopback_port = 1112;
    // The machine's own name. For a node that is alone, nothing else tells that the name is its own.
    if (o.nodes == 1 || world.prng.below(2) == 0) host.own.names = {list_name(host)};
    if (o.one_name != 0) {
      std::vector<std::string> addresses = all;
      shuffle(world, addresses);
      host.names["all.sim:1112"] = addresses;
      host.join = {"all.sim:1112"};
      continue;
    }
    const bool others_only = o.own_entry == 1 || (o.own_entry == 2 && world.prng.below(2) == 0);
    for (size_t j = 0; j < o.nodes; ++j)
      if (j != i || !others_only || o.nodes == 1) host.join.push_back(spelled(world, world.hosts[j]));
    if (o.twice != 0) host.join.push_back(spelled(world, world.hosts[world.prng.below(o.nodes)]));
    shuffle(world, host.join);
  }
}

}  // namespace wh::sim
