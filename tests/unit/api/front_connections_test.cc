#include "api/front_connections.h"

#include <algorithm>

#include <doctest/doctest.h>

namespace wh::api {
namespace {

struct FakeStream {
  uint64_t group;
  [[nodiscard]] uint64_t peer_group() const { return group; }
};

struct FakeConnection {
  FakeConnection(uint64_t number, uint64_t group, int* counter) : id(number), peer{group}, alive(counter) { ++*alive; }
  ~FakeConnection() { --*alive; }
  FakeConnection(const FakeConnection&) = delete;
  FakeConnection& operator=(const FakeConnection&) = delete;
  [[nodiscard]] const FakeStream& stream() const { return peer; }
  [[nodiscard]] std::optional<Millis> idle_since() const { return idle; }
  [[nodiscard]] std::optional<Millis> arriving_since() const { return arriving; }
  [[nodiscard]] std::optional<Millis> waits_since() const { return waits; }
  [[nodiscard]] size_t held_bytes() const { return cuts > 0 ? 0 : id * 100; }
  [[nodiscard]] Millis still_since() const { return 7; }
  void cut() { ++cuts; }
  void abandon() { ++abandoned; }
  uint64_t id;
  FakeStream peer;
  std::optional<Millis> idle;
  std::optional<Millis> arriving;
  std::optional<Millis> waits;
  int cuts = 0;
  int abandoned = 0;
  int* alive;
};

}  // namespace

TEST_CASE("a front's connection has a number of its own, and is there until it has closed and is reaped") {
  int alive = 0;
  FrontConnections<FakeConnection> connections;
  const uint64_t a = connections.open(1, &alive);
  const uint64_t b = connections.open(1, &alive);
  CHECK(a != b);
  CHECK(connections.size() == 2);
  REQUIRE(connections.find(b) != nullptr);
  CHECK(connections.find(b)->id == b);

  connections.closed(a);
  CHECK(connections.find(a) == nullptr);
  CHECK(alive == 2);  // it is still in its own callback
  connections.closed(a);
  connections.reap();
  CHECK(alive == 1);
  connections.end(b);
  connections.end(b);
  CHECK(alive == 0);
  const uint64_t c = connections.open(1, &alive);
  CHECK(c != a);
  CHECK(c != b);
}

TEST_CASE("what is done with each connection may end some of them") {
  int alive = 0;
  FrontConnections<FakeConnection> connections;
  for (int i = 0; i < 10; ++i) connections.open(1, &alive);
  int used = 0;
  connections.each([&](FakeConnection& connection) {
    ++used;
    connections.closed(connection.id);
  });
  CHECK(used == 10);
  CHECK(connections.size() == 0);
  connections.reap();
  CHECK(alive == 0);
}

TEST_CASE("who is idle may give way, and is ended only while it still is") {
  int alive = 0;
  FrontConnections<FakeConnection> connections;
  const uint64_t busy = connections.open(1, &alive);
  const uint64_t kept = connections.open(2, &alive);
  const uint64_t idle = connections.open(2, &alive);
  connections.find(kept)->idle = 5;
  connections.find(idle)->idle = 6;
  std::vector<uint64_t> groups;
  std::vector<IdleClient> may_go;
  const auto waits_since = [](const FakeConnection& connection) { return connection.waits_since(); };
  connections.list(
      groups, may_go, [&](uint64_t id) { return id != kept; }, waits_since);
  std::sort(groups.begin(), groups.end());
  CHECK(groups == std::vector<uint64_t>{1, 2, 2});
  REQUIRE(may_go.size() == 1);
  CHECK(may_go[0].id == idle);
  CHECK(may_go[0].since == 6);
  CHECK(may_go[0].group == 2);
  CHECK_FALSE(may_go[0].arriving);
  CHECK_FALSE(connections.end_idle({5, 2, idle}));  // something came since
  CHECK_FALSE(connections.end_idle({0, 1, busy}));
  CHECK(connections.end_idle({6, 2, idle}));
  CHECK_FALSE(connections.end_idle({6, 2, idle}));
  CHECK(alive == 2);
  // A request of it begins to arrive, and has arrived.
  connections.find(busy)->arriving = 7;
  may_go.clear();
  connections.list(
      groups, may_go, [&](uint64_t id) { return id != kept; }, waits_since);
  REQUIRE(may_go.size() == 1);
  CHECK(may_go[0].arriving);
  CHECK(may_go[0].since == 7);
  CHECK_FALSE(connections.end_idle({7, 1, busy, false}));
  connections.find(busy)->arriving.reset();
  CHECK_FALSE(connections.end_idle(may_go[0]));
  connections.find(busy)->arriving = 7;
  CHECK(connections.end_idle(may_go[0]));
  // The one that is kept waits: where it may go, it counts as idle since then.
  may_go.clear();
  connections.find(kept)->idle.reset();
  connections.find(kept)->waits = 9;
  connections.list(
      groups, may_go, [](uint64_t /*id*/) { return true; }, waits_since);
  REQUIRE(may_go.size() == 1);
  CHECK(may_go[0].since == 9);
  CHECK_FALSE(may_go[0].arriving);
}

TEST_CASE("who holds memory is named with the way to cut it, also while it is closing, until it holds none") {
  int alive = 0;
  FrontConnections<FakeConnection> connections;
  const uint64_t a = connections.open(1, &alive);
  const uint64_t b = connections.open(1, &alive);
  std::vector<BufferHolder> holders;
  connections.add_holders(holders);
  REQUIRE(holders.size() == 2);
  CHECK(holders[0].bytes + holders[1].bytes == (a + b) * 100);
  CHECK(holders[0].still_since == 7);
  holders[0].cut(holders[0].connection);
  CHECK(connections.find(a)->cuts + connections.find(b)->cuts == 1);
  holders.clear();
  connections.add_holders(holders);
  CHECK(holders.size() == 1);
}

}  // namespace wh::api
