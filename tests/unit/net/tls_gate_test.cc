#include "net/tls_gate.h"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "net_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

namespace {
using Lane = HandshakeGate::Lane;

struct Worker {
  // Accepted from a machine of this group.
  Worker(Loop& l, HandshakeGate& gate, Lane lane, char n, std::string& o, std::optional<uint64_t> group = 1)
      : loop(l), name(n), order(o), ticket(gate, lane, group, step, give_way, this) {}
  static void step(void* self) {
    auto& me = *static_cast<Worker*>(self);
    me.order += me.name;
    me.turn = me.loop.stats().turns;
  }
  static void give_way(void* self) { static_cast<Worker*>(self)->gave_way = true; }
  Loop& loop;
  char name;
  std::string& order;
  uint64_t turn = 0;
  bool gave_way = false;
  HandshakeGate::Ticket ticket;
};

struct Crowd {
  Crowd(Loop& l, HandshakeGate& g) : loop(l), gate(g) {}
  Worker& add(Lane lane, std::optional<uint64_t> group = 1) {
    workers.push_back(std::make_unique<Worker>(loop, gate, lane, 'c', order, group));
    return *workers.back();
  }
  [[nodiscard]] size_t gone() const {
    size_t count = 0;
    for (const auto& worker : workers) count += worker->gave_way ? 1 : 0;
    return count;
  }
  // Greets and is served its step: from then on it waits for the other side.
  void stall(Worker& worker) {
    REQUIRE(worker.ticket.ask());
    REQUIRE(run_until(loop, [&] { return !worker.ticket.waiting(); }));
  }
  Loop& loop;
  HandshakeGate& gate;
  std::string order;
  std::vector<std::unique_ptr<Worker>> workers;
};
}  // namespace

TEST_CASE("HAZARDS J5: one step a turn, peers first, each at most once for each time it asked") {
  Loop loop;
  HandshakeGate gate(loop);
  std::string order;
  Worker a(loop, gate, Lane::client, 'a', order);
  Worker b(loop, gate, Lane::client, 'b', order);
  auto gone = std::make_unique<Worker>(loop, gate, Lane::client, 'x', order);
  Worker p(loop, gate, Lane::peer, 'p', order);
  for (Worker* each : {&a, &a, gone.get(), &b, &p}) CHECK(each->ticket.ask());
  CHECK(order.empty());
  CHECK(a.ticket.waiting());
  gone.reset();
  CHECK(gate.under_way(Lane::client) == 2);
  REQUIRE(run_until(loop, [&] { return order.size() == 3; }));
  run_for(loop, 5);
  CHECK(order == "pab");
  CHECK(a.turn == p.turn + 1);
  CHECK(b.turn == a.turn + 1);
  CHECK(gate.steps() == 3);
  CHECK_FALSE(a.ticket.waiting());
}

TEST_CASE("HAZARDS J5: members' handshakes go first, but clients get a step now and then, and strangers take turns") {
  Loop loop;
  HandshakeGate gate(loop);
  std::string order;
  std::vector<std::unique_ptr<Worker>> peers;
  for (int i = 0; i < 16; ++i) peers.push_back(std::make_unique<Worker>(loop, gate, Lane::peer, 'p', order));
  Worker a(loop, gate, Lane::client, 'a', order);
  Worker b(loop, gate, Lane::client, 'b', order);
  Worker s(loop, gate, Lane::stranger, 's', order);
  for (const auto& each : peers) CHECK(each->ticket.ask());
  for (Worker* each : {&a, &b, &s}) CHECK(each->ticket.ask());
  REQUIRE(run_until(loop, [&] { return order.size() == 19; }));
  CHECK(order == "pppppppapppppppsppb");
}

TEST_CASE("HAZARDS J5: a handshake that has had a step goes before those that have only greeted") {
  Loop loop;
  HandshakeGate gate(loop);
  std::string order;
  Worker further(loop, gate, Lane::client, 'f', order);
  CHECK(further.ticket.ask());
  REQUIRE(run_until(loop, [&] { return order == "f"; }));
  Worker a(loop, gate, Lane::client, 'a', order);
  Worker b(loop, gate, Lane::client, 'b', order);
  for (Worker* each : {&a, &b, &further}) CHECK(each->ticket.ask());
  REQUIRE(run_until(loop, [&] { return order.size() == 4; }));
  CHECK(order == "ffab");
}

TEST_CASE("HAZARDS J5: a new connection takes the place of the one that has been silent longest, each lane by itself") {
  Loop loop;
  HandshakeGate gate(loop);
  Crowd crowd(loop, gate);
  for (size_t i = 0; i < HandshakeGate::kMaxSilent; ++i) crowd.add(Lane::client, i);
  CHECK(crowd.gone() == 0);
  crowd.add(Lane::client, 1'000);
  CHECK(crowd.gone() == 1);
  CHECK(crowd.workers[0]->gave_way);
  crowd.add(Lane::stranger);
  crowd.add(Lane::peer);
  CHECK(crowd.gone() == 1);
  CHECK(gate.evicted() == 1);
  // A place that is left is free.
  crowd.workers[1]->ticket.leave();
  crowd.workers[1]->ticket.leave();
  crowd.add(Lane::client, 1'001);
  CHECK(crowd.gone() == 1);
  CHECK(gate.under_way(Lane::client) == HandshakeGate::kMaxSilent);
}

TEST_CASE("HAZARDS J5: an address that holds more than its share of the places gives one up first") {
  Loop loop;
  HandshakeGate gate(loop);
  Crowd crowd(loop, gate);
  Worker& honest = crowd.add(Lane::client, 2);
  while (gate.under_way(Lane::client) < HandshakeGate::kMaxSilent) crowd.add(Lane::client, 1);
  for (int i = 0; i < 50; ++i) crowd.add(Lane::client, 1);
  CHECK(crowd.gone() == 50);
  CHECK_FALSE(honest.gave_way);
}

TEST_CASE("HAZARDS J5: silence takes no place from a handshake under way, and one that stands still gives way") {
  Loop loop;
  HandshakeGate gate(loop);
  Crowd crowd(loop, gate);
  std::vector<Worker*> begun;
  for (size_t i = 0; i < HandshakeGate::kMaxHandshakes; ++i) {
    begun.push_back(&crowd.add(Lane::client, i));
    CHECK(begun.back()->ticket.ask());
  }
  for (size_t i = 0; i < 2 * HandshakeGate::kMaxSilent; ++i) crowd.add(Lane::client, 1'000 + i);
  CHECK(crowd.gone() == HandshakeGate::kMaxSilent);
  for (const Worker* each : begun) CHECK_FALSE(each->gave_way);
  // While all wait for a step, which is not their fault, who comes is refused.
  CHECK_FALSE(crowd.workers.back()->ticket.ask());
  CHECK(gate.refused() == 1);

  REQUIRE(run_until(loop, [&] { return gate.steps() == HandshakeGate::kMaxHandshakes; }));
  run_for(loop, static_cast<int>(HandshakeGate::kGraceMs) + 10);
  crowd.stall(*begun[0]);  // it has moved again
  CHECK(crowd.add(Lane::client, 5'000).ticket.ask());
  CHECK(begun[1]->gave_way);
  CHECK_FALSE(begun[0]->gave_way);
}

TEST_CASE("HAZARDS J5: a crowd from one address whose handshakes all wait for a step gives way to another address") {
  Loop loop;
  HandshakeGate gate(loop);
  Crowd crowd(loop, gate);
  for (size_t i = 0; i < HandshakeGate::kMaxHandshakes; ++i) CHECK(crowd.add(Lane::client, 1).ticket.ask());
  CHECK_FALSE(crowd.add(Lane::client, 1).ticket.ask());
  CHECK(crowd.add(Lane::client, 2).ticket.ask());
  CHECK(crowd.gone() == 1);
  // What this node dials is never refused, and never gives way.
  for (int i = 0; i < 200; ++i) CHECK(crowd.add(Lane::peer, std::nullopt).ticket.ask());
  CHECK(crowd.gone() == 1);
}
