// What a connection leaves for later turns of the loop, and what it holds until then.
#include <string>

#include <doctest/doctest.h>

#include "support.h"

using namespace wh;
using namespace wh::http;
using namespace wh::http::test;

namespace {

constexpr size_t kLarge = 1'000'000;

void answer_large(Client& client, size_t index) {
  Response response;
  response.content_type = "text/plain";
  response.body = Bytes(std::string(kLarge, 'v'));
  client.connection->respond(client.handler.ids.at(index).sequence, std::move(response));
}

}  // namespace

TEST_CASE("a large answer leaves in pieces as its client takes them; the next request waits until it has left") {
  Client client;
  client.handler.answer_at_once = false;
  client.wire.taking = false;
  client.send(get("/1") + get("/2") + get("/3"));
  REQUIRE(client.handler.requests.size() == 1);
  answer_large(client, 0);
  const size_t at_most = client.limits.output_soft_bytes + client.limits.output_piece_bytes + 1000;
  CHECK(client.wire.pending <= at_most);
  CHECK(client.handler.requests.size() == 1);
  CHECK(client.connection->asks_much());
  // The value counts once, and what is queued of it is the stream's to count.
  CHECK(client.buffers.used() >= kLarge);
  CHECK(client.buffers.used() < kLarge + 10'000);
  for (int i = 0; i < 100 && client.handler.requests.size() == 1; ++i) {
    CHECK(client.wire.pending <= at_most);
    client.wire.pending = 0;
    client.connection->on_drained();
    client.take_turns();
  }
  CHECK(client.handler.requests.size() == 2);
  client.wire.taking = true;
  client.wire.pending = 0;
  client.answer(1);
  client.answer(2);
  const std::vector<Answer> answers = client.answers();
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].body == std::string(kLarge, 'v'));
  CHECK(answers[2].body == "GET /3 ");
  CHECK(client.buffers.used() < 10'000);
}

TEST_CASE("of many requests that come at once one is taken up, and some in each turn of the connection's") {
  Client client;
  std::string input;
  for (int i = 0; i < 100; ++i) input += get("/" + std::to_string(i));
  client.connection->on_data(input);
  CHECK(client.handler.requests.size() == 1);
  CHECK(client.wire.turn_asked);
  client.wire.turn_asked = false;
  client.connection->on_turn();
  CHECK(client.handler.requests.size() == 1 + client.limits.requests_at_once);
  client.take_turns();
  CHECK(client.answers().size() == 100);
}

TEST_CASE("while memory is short, who holds much is not read, who holds little is") {
  Client client;
  client.buffers.set_limit(200'000);
  const std::string request = post("/a", std::string(150'000, 'b'));
  client.send(std::string_view(request).substr(0, 100'000));
  CHECK_FALSE(client.wire.paused);
  BufferBudget::Share others(&client.buffers);
  others.set(150'000);
  client.send(std::string_view(request).substr(100'000, 10'000));
  CHECK(client.wire.paused);
  Client small;
  BufferBudget::Share more(&small.buffers);
  small.buffers.set_limit(200'000);
  more.set(190'000);
  small.send(post("/a", "b"));
  CHECK_FALSE(small.wire.paused);
  CHECK(small.answers().size() == 1);
  others.set(0);
  client.pass(250);
  CHECK_FALSE(client.wire.paused);
  client.send(std::string_view(request).substr(110'000));
  CHECK(client.answers().size() == 1);
}

TEST_CASE("a client is still while it is its turn to move, not while it waits for its answer") {
  Client client;
  client.handler.answer_at_once = false;
  client.send(post("/a", "b"));
  REQUIRE(client.handler.requests.size() == 1);
  const Millis asked = client.now;
  client.pass(5'000);
  CHECK(client.connection->still_since() == client.now);
  client.answer(0);
  CHECK(client.answers().size() == 1);
  CHECK(client.connection->still_since() == asked);
}

TEST_CASE("who is late with its part is idle since then, and nobody is while a request is in flight") {
  Client client;
  const auto idle = [&] { return client.connection->idle_since(); };
  SUBCASE("it takes nothing of its answers") {
    client.wire.taking = false;
    for (int i = 0; i < 1'000; ++i) client.send(get("/" + std::to_string(i)));
    client.pass(250);
    CHECK_FALSE(idle());
    const Millis taken = client.now;
    client.wire.pending -= 1;
    client.pass(250);
    CHECK_FALSE(idle());
    client.pass(750);
    CHECK_FALSE(idle());
    client.pass(250);
    CHECK(idle() == std::optional<Millis>(taken + 250));
    client.wire.pending -= 1;
    client.pass(250);
    CHECK_FALSE(idle());
  }
  SUBCASE("nor of the last one") {
    client.wire.taking = false;
    client.send("GET / HTTP/1.0\r\n\r\n");
    REQUIRE(client.wire.closed);
    CHECK_FALSE(idle());
    client.pass(2'000);
    CHECK_FALSE(idle() == std::nullopt);
  }
  SUBCASE("nor of a large one") {
    client.wire.taking = false;
    client.handler.answer_at_once = false;
    client.send(get("/1"));
    client.pass(2'000);
    CHECK_FALSE(idle());
    CHECK_FALSE(client.connection->arriving_since());
    answer_large(client, 0);
    CHECK(client.wire.pending != 0);
    client.pass(250);
    client.pass(2'000);
    CHECK_FALSE(idle() == std::nullopt);
  }
  SUBCASE("its header section has no end, and so it is still, whatever comes of it") {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    const Millis begun = client.now;
    for (int i = 0; i < 3; ++i) {
      CHECK_FALSE(idle());
      CHECK(client.connection->arriving_since() == std::optional<Millis>(begun));
      client.pass(333);
      client.send("X");
    }
    client.pass(1);
    CHECK(idle() == std::optional<Millis>(begun));
    CHECK(client.connection->still_since() == begun);
    CHECK_FALSE(client.connection->arriving_since());
  }
  SUBCASE("nor has the body of a request that was refused") {
    client.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    REQUIRE(client.answers().size() == 1);
    for (int i = 0; i < 2; ++i) {
      CHECK_FALSE(idle());
      client.pass(500);
      client.send("b");
    }
    CHECK_FALSE(idle() == std::nullopt);
  }
  SUBCASE("a body that keeps coming is a request in progress") {
    client.send(post("/a", std::string(1'000, 'b')).substr(0, 500));
    for (int i = 0; i < 5; ++i) {
      client.pass(900);
      client.send("b");
      CHECK_FALSE(idle());
    }
    client.pass(1'000);
    CHECK_FALSE(idle() == std::nullopt);
  }
}

TEST_CASE("who is cut while its request arrives is told 503, any other is cut off; nothing stays held") {
  Client client;
  SUBCASE("half a body") {
    client.send(post("/a", std::string(100'000, 'b')).substr(0, 80'000));
    CHECK(client.connection->held_bytes() >= 70'000);
    CHECK(client.connection->still_since() == client.now);
    client.connection->cut();
    REQUIRE(client.answers().size() == 1);
    CHECK(client.answers()[0].status == 503);
    CHECK(client.wire.closed);
    CHECK_FALSE(client.wire.aborted);
    CHECK(client.handler.requests.empty());
  }
  SUBCASE("an answer that is not taken") {
    client.wire.taking = false;
    client.handler.answer_at_once = false;
    client.send(get("/1"));
    answer_large(client, 0);
    client.connection->cut();
    CHECK(client.wire.aborted);
  }
  SUBCASE("the last answer") {
    client.wire.taking = false;
    client.send("GET / HTTP/1.0\r\n\r\n");
    REQUIRE(client.wire.closed);
    client.connection->cut();
    CHECK(client.wire.aborted);
  }
  SUBCASE("nothing at all") {
    client.connection->cut();
    CHECK(client.wire.closed);
  }
  CHECK(client.connection->closing());
  CHECK(client.buffers.used() == 0);
  client.connection->cut();
}
