#include "api/client_admission.h"

#include <algorithm>
#include <map>
#include <vector>

#include <doctest/doctest.h>

using namespace wh;
using namespace wh::api;
using Entry = ClientAdmission::Entry;

namespace {

constexpr uint64_t kNew = 0;  // an address that nobody else has

struct Front final : ClientFront {
  struct Client {
    Millis since;
    uint64_t group;
    bool busy = false;
    bool arriving = false;
  };
  std::map<uint64_t, Client> clients;
  std::vector<uint64_t> ended;
  mutable int looks = 0;

  [[nodiscard]] size_t connections() const override { return clients.size(); }
  void list(std::vector<uint64_t>& groups, std::vector<IdleClient>& idle) const override {
    ++looks;
    for (const auto& [id, client] : clients) {
      groups.push_back(client.group);
      if (!client.busy) idle.push_back({client.since, client.group, id, client.arriving});
    }
  }
  bool end_idle(const IdleClient& client) override {
    const auto found = clients.find(client.id);
    if (found == clients.end() || found->second.busy || found->second.since != client.since) return false;
    if (found->second.arriving != client.arriving) return false;
    clients.erase(found);
    ended.push_back(client.id);
    return true;
  }
};

struct DoorHouse {
  explicit DoorHouse(uint64_t maxclients) { options.maxclients = maxclients; }
  config::Options options;
  Front http;
  Front debug;
  ClientAdmission admission{options, http, debug};
};

}  // namespace

TEST_CASE("HAZARDS H19: below maxclients all are welcome; at it who was idle longest gives way, over all ports") {
  DoorHouse house(4);
  house.http.clients = {{1, {10, 1}}, {2, {30, 2}}};
  house.debug.clients = {{1, {20, 3}}};
  CHECK(house.admission.admit_http(kNew, 100) == Entry::welcome);
  CHECK(house.admission.evicted() == 0);
  house.http.clients[3] = {40, 4};
  CHECK(house.admission.admit_http(kNew, 100) == Entry::welcome);
  CHECK(house.http.ended == std::vector<uint64_t>{1});
  house.http.clients[4] = {50, 5};
  CHECK(house.admission.admit_debug(kNew, false, 100) == Entry::welcome);
  CHECK(house.debug.ended == std::vector<uint64_t>{1});
  CHECK(house.admission.evicted() == 2);
}

TEST_CASE("HAZARDS H19: one that has become busy since it was chosen, or has said something, stays") {
  DoorHouse house(3);
  house.http.clients = {{1, {10, 1}}, {2, {20, 2}}, {3, {30, 3}}};
  CHECK(house.admission.admit_http(kNew, 100) == Entry::welcome);  // ends 1 and has chosen the others in their order
  house.http.clients[4] = {100, 4};
  house.http.clients[2].busy = true;
  CHECK(house.admission.admit_http(kNew, 101) == Entry::welcome);
  CHECK(house.http.ended == std::vector<uint64_t>{1, 3});
}

TEST_CASE("HAZARDS H19: an address that holds more than its share gives way before all others") {
  DoorHouse house(40);
  for (uint64_t id = 1; id <= 10; ++id) house.http.clients[id] = {id, id};  // idle for long, an address each
  for (uint64_t id = 11; id <= 40; ++id) house.http.clients[id] = {1'000 + id, 77};
  for (uint64_t id = 41; id <= 60; ++id) {
    CHECK(house.admission.admit_http(kNew, 2'000) == Entry::welcome);
    house.http.clients[id] = {2'000 + id, 77};
  }
  CHECK(house.http.ended.size() == 20);
  CHECK(*std::min_element(house.http.ended.begin(), house.http.ended.end()) == 11);
}

TEST_CASE("HAZARDS H19: a crowd of one address that begins requests takes no place of others, and gives up its own") {
  constexpr uint64_t kCrowd = 77;
  DoorHouse house(8);
  house.http.clients[1] = {19'000, 1};  // idle, between two requests of its
  house.http.clients[2] = {19'990, 2, false, true};
  for (uint64_t id = 3; id <= 8; ++id) house.http.clients[id] = {19'900 + id, kCrowd, false, true};
  // One of the crowd's: there is nobody for it.
  CHECK(house.admission.admit_http(kCrowd, 20'000) == Entry::probe);
  CHECK(house.admission.admit_debug(kCrowd, false, 20'000) == Entry::turned_away);
  CHECK(house.http.ended.empty());
  CHECK(house.admission.admit_http(kNew, 20'001) == Entry::welcome);
  CHECK(house.http.ended == std::vector<uint64_t>{3});
  house.http.clients[9] = {20'001, kNew};
  // What is idle of its own is the crowd's to give up.
  house.http.clients[4].arriving = false;
  CHECK(house.admission.admit_http(kCrowd, 20'010) == Entry::welcome);
  CHECK(house.http.ended == std::vector<uint64_t>{3, 4});
  house.http.clients[10] = {20'010, kCrowd, false, true};
  // And so is what nobody has used for long.
  CHECK(house.admission.admit_http(kCrowd, 28'999) == Entry::probe);
  CHECK(house.admission.admit_http(kCrowd, 29'100) == Entry::welcome);
  CHECK(house.http.ended == std::vector<uint64_t>{3, 4, 1});
}

TEST_CASE("HAZARDS H19: a flood from one address leaves others the places that it gives up") {
  constexpr uint64_t kFlood = 77;
  DoorHouse house(10'000);
  uint64_t next = 0;
  while (next < 10'000) house.http.clients[++next] = {next, kFlood};
  // All of it between two looks.
  size_t let_in = 0;
  for (int i = 0; i < 1'000; ++i)
    if (house.admission.admit_http(kFlood, 20'000) == Entry::welcome) {
      house.http.clients[++next] = {20'000, kFlood};
      ++let_in;
    }
  CHECK(let_in >= 64);
  for (int i = 0; i < 60; ++i) {
    CHECK(house.admission.admit_http(kNew, 20'001) == Entry::welcome);
    house.http.clients[++next] = {20'001, kNew};
  }
  CHECK(house.http.looks <= 3);
}

TEST_CASE("HAZARDS H19: a request that is arriving from an address within its share is in progress") {
  DoorHouse house(8);
  for (uint64_t id = 1; id <= 8; ++id) house.http.clients[id] = {id, id, false, true};
  CHECK(house.admission.admit_http(kNew, 100) == Entry::probe);
}

TEST_CASE("HAZARDS H19: with requests in flight everywhere probes get in, and the debug port from this machine") {
  DoorHouse house(4);
  for (uint64_t id = 1; id <= 4; ++id) house.http.clients[id] = {id, id, true};
  CHECK(house.admission.admit_http(kNew, 100) == Entry::probe);
  CHECK(house.admission.admit_debug(kNew, false, 100) == Entry::turned_away);
  CHECK(house.admission.admit_debug(kNew, true, 100) == Entry::welcome);
  CHECK(house.admission.evicted() == 0);
  // Not more than are spare.
  for (uint64_t id = 1; id <= net::Descriptors::kSpareClients; ++id) house.debug.clients[id] = {id, 1, true};
  CHECK(house.admission.admit_debug(kNew, true, 100) == Entry::turned_away);
}

TEST_CASE("HAZARDS H19: ten thousand connections are not looked at for each one that comes") {
  DoorHouse house(10'000);
  for (uint64_t id = 1; id <= 10'000; ++id) house.http.clients[id] = {id, id};
  for (uint64_t id = 10'001; id <= 10'100; ++id) {
    REQUIRE(house.admission.admit_http(kNew, 20'000) == Entry::welcome);
    house.http.clients[id] = {20'000, id};
  }
  CHECK(house.http.looks == 1);
  CHECK(house.http.ended.size() == 100);
  CHECK(*std::max_element(house.http.ended.begin(), house.http.ended.end()) == 100);
}
