// A connection's limits on queues, output and time; and that no input breaks it.

#include <doctest/doctest.h>

#include "base/prng.h"
#include "fixture.h"

using namespace wh;
using namespace wh::debug;
using namespace std::string_literals;
using test::Client;

TEST_CASE("HAZARDS I6: a pipelined flood stops the reading at 1,024 commands, and goes on as they are answered") {
  Client client;
  std::string flood;
  for (int i = 0; i < 5000; ++i) flood += "GET " + std::to_string(i) + "\n";
  client.send(flood);
  CHECK(client.stream->paused);
  CHECK(client.handler.calls.size() == 1);
  for (size_t i = 0; i < 5000; ++i) {
    REQUIRE(client.handler.calls.size() == i + 1);
    CHECK(client.handler.calls[i].arguments[1] == std::to_string(i));
    client.answer(i, integer_reply(static_cast<int64_t>(i)));
  }
  CHECK_FALSE(client.stream->paused);
  CHECK(client.read().ends_with(":4998\r\n:4999\r\n"));
}

TEST_CASE("HAZARDS I6: at most 128 writes are in flight") {
  Client client;
  std::string flood;
  for (int i = 0; i < 300; ++i) flood += "SET k v\n";
  client.send(flood);
  CHECK(client.handler.calls.size() == 128);
  client.answer(5, simple_reply("OK"));
  CHECK(client.handler.calls.size() == 129);
}

TEST_CASE("HAZARDS I6: queued arguments are bounded in bytes too") {
  Client client;
  const std::string large = test::resp_request({"SET", "k", std::string(1'000'000, 'v')});
  for (int i = 0; i < 5; ++i) client.send(large);
  CHECK(client.stream->paused);
  CHECK(client.handler.calls.size() == 5);
  client.answer(0, simple_reply("OK"));
  CHECK_FALSE(client.stream->paused);
}

TEST_CASE("HAZARDS H13, I6: beyond 64 KiB of output nothing more is read or run, until the client reads") {
  Client client;
  client.stream->stuck = true;
  client.answer_at_once();
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += "ECHO " + std::string(1000, 'x') + "\nSET k v\n";
  client.send(flood);
  CHECK(client.stream->paused);
  CHECK(client.stream->pending > kOutputSoftBytes);
  CHECK(client.stream->pending < kOutputSoftBytes + 4096);
  const size_t before = client.handler.calls.size();
  CHECK(before < 300);
  client.take_pending();
  CHECK(client.handler.calls.size() > before);
  // Also when the stream's own water mark never fires.
  for (Millis now = 1250; client.handler.calls.size() < 1000 && now < 40000; now += 250) {
    client.stream->pending = 0;
    client.connection->check_deadlines(now);
    client.take_turns();
  }
  CHECK(client.handler.calls.size() == 1000);
  CHECK_FALSE(client.stream->paused);
  CHECK_FALSE(client.stream->aborted);
}

TEST_CASE("HAZARDS H13: what is queued already waits as well, so that large answers do not add up") {
  Client client;
  client.stream->stuck = true;
  client.send("GET a\nGET b\n");
  client.answer(0, bulk_reply(std::string(kOutputSoftBytes, 'x')));
  CHECK(client.handler.calls.size() == 1);
  CHECK(client.stream->paused);
  client.take_pending();
  CHECK(client.handler.calls.size() == 2);
  CHECK_FALSE(client.stream->paused);
}

TEST_CASE("half-close: what waits for the client to read is still answered") {
  Client client;
  client.stream->stuck = true;
  std::string flood;
  for (int i = 0; i < 600; ++i) flood += "ECHO " + std::string(1000, 'x') + "\n";
  client.send(flood);
  client.stream->handler->on_end();
  for (int i = 0; i < 10 && !client.stream->closed; ++i) client.take_pending();
  CHECK(client.stream->closed);
  CHECK(client.read().size() == 600 * bulk_reply(std::string(1000, 'x')).size());
}

TEST_CASE("HAZARDS H13: above 8 MiB of answers nobody reads the connection is cut") {
  Client client;
  client.stream->stuck = true;
  client.send("GET a\n");
  set_log_sink([](LogLevel, std::string_view) {});
  client.answer(0, bulk_reply(std::string(kOutputHardBytes, 'x')));
  CHECK(client.stream->aborted);
  CHECK(client.service.counters.slow_readers == 1);
  CHECK(client.connection->closing());
}

TEST_CASE("HAZARDS H13: a client that reads nothing for 60 s is cut, one that reads slowly is not") {
  Client client;
  set_log_sink([](LogLevel, std::string_view) {});
  client.stream->stuck = true;
  client.send("ECHO " + std::string(60000, 'x') + "\n");
  Millis now = 1000;
  for (int i = 0; i < 5; ++i) {
    now += 59000;
    client.stream->pending -= 1;
    client.connection->check_deadlines(now);
  }
  CHECK_FALSE(client.stream->aborted);
  client.connection->check_deadlines(now + 59999);
  CHECK_FALSE(client.stream->aborted);
  client.connection->check_deadlines(now + 60000);
  CHECK(client.stream->aborted);
  // While closing, too: the last answer may be the one that is never read.
  Client leaving;
  leaving.stream->stuck = true;
  leaving.send("QUIT\n");
  leaving.connection->check_deadlines(1250);
  leaving.connection->check_deadlines(61250);
  CHECK(leaving.stream->aborted);
}

TEST_CASE("an idle connection is closed after `timeout`, one that waits for an answer is not") {
  Client client;
  client.connection->check_deadlines(1'000'000'000);
  CHECK_FALSE(client.stream->closed);
  client.service.settings.idle_timeout_ms = 5000;
  client.send("GET a\n");
  client.connection->check_deadlines(1'000'010'000);
  CHECK_FALSE(client.stream->closed);
  client.answer(0, simple_reply("x"));
  client.connection->check_deadlines(1'000'014'999);
  CHECK_FALSE(client.stream->closed);
  client.connection->check_deadlines(1'000'015'000);
  CHECK(client.stream->closed);
}

TEST_CASE("random bytes never crash it, and run nothing after a guard's hit") {
  set_log_sink([](LogLevel, std::string_view) {});
  const std::vector<std::string> words = {"GET",       "SET",     "PING",  "AUTH secret\n", "QUIT\n", "*2\r\n",
                                          "$3\r\n",    "GET\r\n", "abc",   "\r\n",          "\n",     " ",
                                          " ",         "POST",    "Host:", "HTTP/1.1",      "\"",     "SET a b\n",
                                          "GET a\r\n", "DEL a\n", "\xff",  "\x16",          "\0"s,    "COMMAND\n"};
  Prng random(99);
  size_t guarded = 0;
  size_t executed = 0;
  for (int round = 0; round < 4000; ++round) {
    Client client(random.below(4) == 0);
    set_log_sink([](LogLevel, std::string_view) {});
    std::vector<size_t> open;
    size_t known = 0;
    for (uint64_t left = 1 + random.below(30); left > 0; --left) {
      std::string bytes;
      for (uint64_t n = random.below(6); n > 0; --n)
        bytes += random.below(8) == 0 ? std::string(1, static_cast<char>(random.below(256)))
                                      : words[random.below(words.size())];
      const bool was_closing = client.connection->closing();
      const size_t calls_before = client.handler.calls.size();
      client.send(bytes);
      for (; known < client.handler.calls.size(); ++known) open.push_back(known);
      if (was_closing) REQUIRE(client.handler.calls.size() == calls_before);
      if (!open.empty() && random.below(2) == 0) {
        const size_t pick = random.below(open.size());
        client.answer(open[pick], simple_reply(std::to_string(open[pick])));
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
        for (; known < client.handler.calls.size(); ++known) open.push_back(known);
      }
      if (client.service.counters.foreign > 0) REQUIRE(client.connection->closing());
    }
    guarded += client.service.counters.foreign;
    executed += client.handler.calls.size();
    client.stream->handler->on_close("");
    REQUIRE(client.handler.closed.size() == 1);
  }
  CHECK(guarded > 100);
  CHECK(executed > 500);
}

TEST_CASE("a long answer leaves in pieces as its client takes them, and what follows waits for it") {
  Client client;
  client.stream->stuck = true;
  client.send("GET a\nGET b\n");
  REQUIRE(client.handler.calls.size() == 1);
  const std::string large = bulk_reply(std::string(1'000'000, 'v'));
  client.answer(0, large);
  CHECK(client.stream->pending <= kOutputSoftBytes + kOutputPieceBytes);
  CHECK(client.connection->asks_much());
  CHECK(client.connection->held_bytes() >= large.size());
  for (int i = 0; i < 100 && client.handler.calls.size() == 1; ++i) {
    client.take_pending();
    CHECK(client.stream->pending <= kOutputSoftBytes + kOutputPieceBytes);
  }
  REQUIRE(client.handler.calls.size() == 2);
  client.answer(1, simple_reply("OK"));
  client.take_pending();
  CHECK(client.read() == large + "+OK\r\n");
  CHECK(client.connection->held_bytes() < 1000);
}

TEST_CASE("who takes nothing of its replies for a second is idle since then, unless a command is in progress") {
  Client client;
  const auto idle = [&] { return client.connection->idle_since(); };
  client.stream->stuck = true;
  std::string flood;
  for (int i = 0; i < 100; ++i) flood += "ECHO " + std::string(1'000, 'x') + "\n";
  client.send(flood);
  CHECK(client.stream->pending > kOutputSoftBytes);
  client.connection->check_deadlines(1'250);
  CHECK_FALSE(idle());
  client.stream->pending -= 1;
  client.connection->check_deadlines(1'500);
  client.connection->check_deadlines(2'499);
  CHECK_FALSE(idle());
  client.connection->check_deadlines(2'500);
  CHECK(idle() == std::optional<Millis>(1'500));

  Client busy;
  busy.stream->stuck = true;
  busy.send("PING\nGET a\n");
  REQUIRE(busy.handler.calls.size() == 1);
  busy.connection->check_deadlines(9'000);
  CHECK_FALSE(busy.connection->idle_since());
}

TEST_CASE("who is cut for memory is told so when it has taken its answers, else cut off") {
  Client client;
  SUBCASE("half a request") {
    client.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000\r\n" + std::string(400'000, 'v'));
    CHECK(client.connection->held_bytes() >= 400'000);
    client.connection->cut();
    CHECK(client.read().starts_with("-OOM "));
    CHECK(client.stream->closed);
    CHECK_FALSE(client.stream->aborted);
  }
  SUBCASE("an answer that is not taken") {
    client.stream->stuck = true;
    client.send("GET a\n");
    client.answer(0, bulk_reply(std::string(1'000'000, 'v')));
    client.connection->cut();
    CHECK(client.stream->aborted);
  }
  SUBCASE("the last answer, and it is not taken") {
    client.stream->stuck = true;
    client.send("QUIT\n");
    REQUIRE(client.stream->closed);
    client.connection->cut();
    CHECK(client.stream->aborted);
  }
  CHECK(client.connection->closing());
  CHECK(client.connection->held_bytes() <= client.stream->pending);
}
