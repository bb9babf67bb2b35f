#include "net/client_turns.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "net_fixture.h"

using namespace wh;
using namespace wh::net;
using namespace wh::net::test;

namespace {

// Clients of a listener that shares out turns; `at_server` of each is the server's end.
struct Clients {
  struct One {
    std::unique_ptr<ByteStream> server;
    Recorder at_server;
    std::unique_ptr<Dial> dial;
    std::unique_ptr<ByteStream> client;
    Recorder at_client;
  };
  Clients(Loop& on, size_t count) : loop(on) {
    ListenOptions options;
    options.bind = {"127.0.0.1"};
    options.tcp.clients = &turns;
    auto made = Listener::listen(loop, options, [this](std::unique_ptr<ByteStream> stream) {
      One& one = *all[accepted++];
      one.server = std::move(stream);
      one.server->set_handler(&one.at_server);
    });
    REQUIRE(made.ok());
    listener = std::move(*made);
    for (size_t i = 0; i < count; ++i) {
      all.push_back(std::make_unique<One>());
      One& one = *all.back();
      one.dial = tcp_connect(loop, "127.0.0.1", listener->port(), 20'000, [&one](DialResult result) {
        REQUIRE(result.error == 0);
        one.client = std::move(result.stream);
        one.client->set_handler(&one.at_client);
      });
      REQUIRE(run_until(loop, [&] { return one.client != nullptr && accepted == i + 1; }));
    }
  }
  Loop& loop;
  BufferBudget buffers;
  ClientTurns turns{loop, buffers};
  std::vector<std::unique_ptr<One>> all;
  size_t accepted = 0;
  std::unique_ptr<Listener> listener;
};

}  // namespace

TEST_CASE("the line goes round: nobody comes twice before all others came once") {
  Loop loop;
  BufferBudget buffers;
  ClientTurns turns(loop, buffers);
  struct Guest {
    Guest(ClientTurns& in, std::vector<int>& where, int is)
        : place(
              in, [](void* self) { static_cast<Guest*>(self)->come(); }, this),
          log(where),
          number(is) {}
    void come() {
      log.push_back(number);
      stall_us(300);
      if (log.size() < 60) place.queue();
    }
    static void stall_us(uint64_t us) {
      const uint64_t end = Loop::micros() + us;
      while (Loop::micros() < end) {
      }
    }
    ClientTurns::Place place;
    std::vector<int>& log;
    int number;
  };
  std::vector<int> log;
  std::vector<std::unique_ptr<Guest>> guests;
  for (int i = 0; i < 12; ++i) {
    guests.push_back(std::make_unique<Guest>(turns, log, i));
    guests.back()->place.queue();
  }
  uint64_t longest_us = 0;
  loop.set_turn_watch([&](const TurnTimes& times) { longest_us = std::max(longest_us, times.hook_us); });
  const uint64_t before = loop.turn();
  REQUIRE(run_until(loop, [&] { return log.size() >= 60; }));
  for (size_t i = 0; i < 60; ++i) CHECK(log[i] == static_cast<int>(i % 12));
  // 60 steps of 300 us are 18 ms: no turn does them all.
  CHECK(loop.turn() - before >= 60 * 300 / (ClientTurns::kPartMicros + 300));
  CHECK(turns.full_turns() > 0);
}

TEST_CASE("once clients hold more than they may, a part of a turn does one step") {
  constexpr size_t kStep = size_t{1} << 20;
  Loop loop;
  BufferBudget buffers;
  ClientTurns turns(loop, buffers);
  buffers.set_limit(4 * kStep);
  struct Step {
    uint64_t turn;
    bool over;  // when it began
  };
  std::vector<Step> steps;
  struct Guest {
    Guest(ClientTurns& in, std::function<void()> on_come)
        : come(std::move(on_come)),
          place(
              in, [](void* self) { static_cast<Guest*>(self)->come(); }, this),
          share(&in.buffers()) {}
    std::function<void()> come;
    ClientTurns::Place place;
    BufferBudget::Share share;
  };
  std::vector<std::unique_ptr<Guest>> guests;
  for (size_t i = 0; i < 12; ++i) {
    guests.push_back(std::make_unique<Guest>(turns, [&, i] {
      steps.push_back({loop.turn(), buffers.exceeded()});
      guests[i]->share.set(kStep);
    }));
    guests.back()->place.queue();
  }
  REQUIRE(run_until(loop, [&] { return steps.size() == 12; }));
  CHECK(std::count_if(steps.begin(), steps.end(), [](const Step& step) { return step.over; }) == 7);
  // Whoever came while they held too much came first in its turn, and alone.
  for (size_t i = 1; i < steps.size(); ++i)
    if (steps[i].over) CHECK(steps[i].turn > steps[i - 1].turn);
  // As does what arrives and what is answered.
  for (const ClientTurns::Part part : {ClientTurns::Part::arrivals, ClientTurns::Part::answers}) {
    CHECK(turns.has_room(part));
    CHECK_FALSE(turns.has_room(part));
  }
  for (size_t i = 0; i < 9; ++i) guests[i]->share.set(0);
  CHECK(turns.has_room(ClientTurns::Part::answers));
}

TEST_CASE("a place that is left or destroyed in the line is not called") {
  Loop loop;
  BufferBudget buffers;
  ClientTurns turns(loop, buffers);
  int calls = 0;
  const auto count = [](void* self) { ++*static_cast<int*>(self); };
  ClientTurns::Place first(turns, count, &calls);
  auto second = std::make_unique<ClientTurns::Place>(turns, count, &calls);
  ClientTurns::Place third(turns, count, &calls);
  first.queue();
  second->queue();
  third.queue();
  third.queue();
  first.leave();
  second.reset();
  run_for(loop, 5);
  CHECK(calls == 1);
}

TEST_CASE("clients that send without end share the turns: a small request among them does not wait for all they sent") {
  Loop loop;
  Clients clients(loop, 40);
  constexpr size_t kFlood = 4'000'000;
  const std::string part(1'000'000, 'f');
  size_t most_in_turn = 0;
  size_t in_turn = 0;
  uint64_t turn = 0;
  for (size_t i = 1; i < clients.all.size(); ++i) {
    auto& one = *clients.all[i];
    one.at_server.keep = false;
    one.at_server.data_hook = [&](std::string_view bytes) {
      if (turn != loop.turn()) in_turn = 0;
      turn = loop.turn();
      in_turn += bytes.size();
      most_in_turn = std::max(most_in_turn, in_turn);
    };
    for (size_t sent = 0; sent < kFlood; sent += part.size()) one.client->write(part);
  }
  auto& honest = *clients.all[0];
  honest.at_server.data_hook = [&](std::string_view) { honest.server->write("pong"); };
  size_t pings = 0;
  size_t flooded_at_last_ping = 0;
  const auto flooded = [&] {
    size_t sum = 0;
    for (size_t i = 1; i < clients.all.size(); ++i) sum += clients.all[i]->at_server.size;
    return sum;
  };
  honest.at_client.data_hook = [&](std::string_view) {
    if (++pings == 20) flooded_at_last_ping = flooded();
    honest.client->write("ping");
  };
  honest.client->write("ping");
  const size_t all = kFlood * (clients.all.size() - 1);
  REQUIRE(run_until(
      loop, [&] { return flooded() == all; }, 60'000));
  CHECK(pings >= 20);
  CHECK(flooded_at_last_ping < all);
  CHECK(most_in_turn <= ClientTurns::kPartBytes + 2 * Loop::kReadBufferSize);
}

TEST_CASE("of a client that takes nothing little is kept, and it goes on when it takes more") {
  Loop loop;
  Clients clients(loop, 1);
  auto& one = *clients.all[0];
  one.client->pause_reading();
  const std::string piece(50'000, 'p');
  size_t written = 0;
  const auto fill = [&] {
    while (written < 20'000'000 && one.server->pending_bytes() <= TcpStream::kHighWater) {
      one.server->write(piece);
      written += piece.size();
    }
  };
  one.at_server.drained_hook = fill;
  one.at_client.keep = false;
  fill();
  run_for(loop, 50);
  const size_t stuck = written;
  // What the kernel keeps of it is bounded as well, not as large as it would let a socket's buffer grow.
  CHECK(stuck < 600'000);
  CHECK(clients.buffers.used() >= one.server->pending_bytes());
  CHECK(clients.buffers.used() < 2 * (TcpStream::kHighWater + piece.size()) + 10'000);
  one.client->resume_reading();
  REQUIRE(run_until(loop, [&] { return one.at_client.size == 20'000'000; }));
  run_for(loop, 5);
  CHECK(clients.buffers.used() < 20'000);
}

TEST_CASE("on_turn comes once for each request of a turn, also to one whose client is busy") {
  struct Counter : Recorder {
    int turns = 0;
    void on_turn() override { ++turns; }
  };
  Loop loop;
  Clients clients(loop, 1);
  Counter counter;
  auto& one = *clients.all[0];
  one.server->set_handler(&counter);
  one.server->request_turn();
  one.server->request_turn();
  CHECK(counter.turns == 0);
  REQUIRE(run_until(loop, [&] { return counter.turns > 0; }));
  run_for(loop, 5);
  CHECK(counter.turns == 1);
  one.client->set_handler(&counter);
  one.client->request_turn();  // of a stream that shares no turns
  REQUIRE(run_until(loop, [&] { return counter.turns == 2; }));
}
