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
struct Worker {
  Worker(Loop& l, HandshakeGate& gate, HandshakeGate::Lane lane, char n, std::string& o)
      : loop(l), name(n), order(o), ticket(gate, lane, step, this) {}
  static void step(void* self) {
    auto& me = *static_cast<Worker*>(self);
    me.order += me.name;
    me.turn = me.loop.stats().turns;
  }
  Loop& loop;
  char name;
  std::string& order;
  uint64_t turn = 0;
  HandshakeGate::Ticket ticket;
};
}  // namespace

TEST_CASE("HAZARDS J5: one step a turn, peers first, each at most once for each time it asked") {
  Loop loop;
  HandshakeGate gate(loop);
  std::string order;
  Worker a(loop, gate, HandshakeGate::Lane::client, 'a', order);
  Worker b(loop, gate, HandshakeGate::Lane::client, 'b', order);
  auto gone = std::make_unique<Worker>(loop, gate, HandshakeGate::Lane::client, 'x', order);
  Worker p(loop, gate, HandshakeGate::Lane::peer, 'p', order);
  a.ticket.ask();
  a.ticket.ask();
  gone->ticket.ask();
  b.ticket.ask();
  p.ticket.ask();
  CHECK(order.empty());
  CHECK(a.ticket.waiting());
  gone.reset();
  CHECK(gate.under_way(HandshakeGate::Lane::client) == 2);
  REQUIRE(run_until(loop, [&] { return order.size() == 3; }));
  run_for(loop, 5);
  CHECK(order == "pab");
  CHECK(a.turn == p.turn + 1);
  CHECK(b.turn == a.turn + 1);
  CHECK(gate.steps() == 3);
  CHECK_FALSE(a.ticket.waiting());
}

TEST_CASE("HAZARDS J5: handshakes under way are limited, each lane by itself") {
  Loop loop;
  HandshakeGate gate(loop);
  std::string order;
  std::vector<std::unique_ptr<Worker>> workers;
  for (size_t i = 0; i < HandshakeGate::kMaxHandshakes; ++i) {
    workers.push_back(std::make_unique<Worker>(loop, gate, HandshakeGate::Lane::client, 'c', order));
    CHECK(workers.back()->ticket.admitted());
  }
  {
    Worker one_more(loop, gate, HandshakeGate::Lane::client, 'c', order);
    CHECK_FALSE(one_more.ticket.admitted());
    Worker peer(loop, gate, HandshakeGate::Lane::peer, 'p', order);
    CHECK(peer.ticket.admitted());
  }
  workers[0]->ticket.leave();
  workers[0]->ticket.leave();
  Worker now(loop, gate, HandshakeGate::Lane::client, 'c', order);
  CHECK(now.ticket.admitted());
}
