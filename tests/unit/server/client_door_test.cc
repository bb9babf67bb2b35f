#include "server/client_door.h"

#include <algorithm>
#include <map>
#include <vector>

#include <doctest/doctest.h>

using namespace wh;
using Entry = ClientDoor::Entry;

namespace {

struct Front final : ClientFront {
  struct Client {
    Millis since;
    uint64_t group;
    bool busy = false;
  };
  std::map<uint64_t, Client> clients;
  std::vector<uint64_t> ended;
  mutable int looks = 0;

  [[nodiscard]] size_t connections() const override { return clients.size(); }
  void list(std::vector<uint64_t>& groups, std::vector<IdleClient>& idle) const override {
    ++looks;
    for (const auto& [id, client] : clients) {
      groups.push_back(client.group);
      if (!client.busy) idle.push_back({client.since, client.group, id});
    }
  }
  bool end_idle(uint64_t id, Millis since) override {
    const auto found = clients.find(id);
    if (found == clients.end() || found->second.busy || found->second.since != since) return false;
    clients.erase(found);
    ended.push_back(id);
    return true;
  }
};

struct DoorHouse {
  explicit DoorHouse(uint64_t maxclients) { options.maxclients = maxclients; }
  Options options;
  Front http;
  Front debug;
  ClientDoor door{options, http, debug};
};

}  // namespace

TEST_CASE("HAZARDS H19: below maxclients all are welcome; at it who was idle longest gives way, over all ports") {
  DoorHouse house(4);
  house.http.clients = {{1, {10, 1}}, {2, {30, 2}}};
  house.debug.clients = {{1, {20, 3}}};
  CHECK(house.door.admit_http(100) == Entry::welcome);
  CHECK(house.door.evicted() == 0);
  house.http.clients[3] = {40, 4};
  CHECK(house.door.admit_http(100) == Entry::welcome);
  CHECK(house.http.ended == std::vector<uint64_t>{1});
  house.http.clients[4] = {50, 5};
  CHECK(house.door.admit_debug(false, 100) == Entry::welcome);
  CHECK(house.debug.ended == std::vector<uint64_t>{1});
  CHECK(house.door.evicted() == 2);
}

TEST_CASE("HAZARDS H19: one that has become busy since it was chosen, or has said something, stays") {
  DoorHouse house(3);
  house.http.clients = {{1, {10, 1}}, {2, {20, 2}}, {3, {30, 3}}};
  CHECK(house.door.admit_http(100) == Entry::welcome);  // ends 1 and has chosen the others in their order
  house.http.clients[4] = {100, 4};
  house.http.clients[2].busy = true;
  CHECK(house.door.admit_http(101) == Entry::welcome);
  CHECK(house.http.ended == std::vector<uint64_t>{1, 3});
}

TEST_CASE("HAZARDS H19: an address that holds more than its share gives way before all others") {
  DoorHouse house(40);
  for (uint64_t id = 1; id <= 10; ++id) house.http.clients[id] = {id, id};  // idle for long, an address each
  for (uint64_t id = 11; id <= 40; ++id) house.http.clients[id] = {1'000 + id, 77};
  for (uint64_t id = 41; id <= 60; ++id) {
    CHECK(house.door.admit_http(2'000) == Entry::welcome);
    house.http.clients[id] = {2'000 + id, 77};
  }
  CHECK(house.http.ended.size() == 20);
  CHECK(*std::min_element(house.http.ended.begin(), house.http.ended.end()) == 11);
}

TEST_CASE("HAZARDS H19: with requests in flight everywhere probes get in, and the debug port from this machine") {
  DoorHouse house(4);
  for (uint64_t id = 1; id <= 4; ++id) house.http.clients[id] = {id, id, true};
  CHECK(house.door.admit_http(100) == Entry::probe);
  CHECK(house.door.admit_debug(false, 100) == Entry::turned_away);
  CHECK(house.door.admit_debug(true, 100) == Entry::welcome);
  CHECK(house.door.evicted() == 0);
  // Not more than are spare.
  for (uint64_t id = 1; id <= net::Descriptors::kSpareClients; ++id) house.debug.clients[id] = {id, 1, true};
  CHECK(house.door.admit_debug(true, 100) == Entry::turned_away);
}

TEST_CASE("HAZARDS H19: ten thousand connections are not looked at for each one that comes") {
  DoorHouse house(10'000);
  for (uint64_t id = 1; id <= 10'000; ++id) house.http.clients[id] = {id, id};
  for (uint64_t id = 10'001; id <= 10'100; ++id) {
    REQUIRE(house.door.admit_http(20'000) == Entry::welcome);
    house.http.clients[id] = {20'000, id};
  }
  CHECK(house.http.looks == 1);
  CHECK(house.http.ended.size() == 100);
  CHECK(*std::max_element(house.http.ended.begin(), house.http.ended.end()) == 100);
}
