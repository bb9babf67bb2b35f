#include "debug/connection.h"

#include <doctest/doctest.h>

#include "fixture.h"

using namespace wh;
using namespace wh::debug;
using namespace std::string_literals;
using test::Client;

TEST_CASE("the built-in commands answer an inline line and RESP alike") {
  Client client;
  client.send("PING\r\nping hello\nECHO \"a\\r\\nb\"\n");
  CHECK(client.read() == "+PONG\r\n$5\r\nhello\r\n$4\r\na\r\nb\r\n");
  client.send_bytewise(test::resp_request({"ECHO", "\0\xff"s}));
  CHECK(client.read() == "$2\r\n\0\xff\r\n"s);
  client.send("COMMAND COUNT\nCOMMAND DOCS nope\nHELP get\n");
  CHECK(client.read() == ":18\r\n*0\r\n*2\r\n+GET key\r\n+The value of a key\r\n");
  client.send("PING a b\nGET\nECHO\nHELO 3\nhelp x y\n");
  CHECK(client.read() ==
        "-ERR wrong number of arguments for 'ping' command\r\n-ERR wrong number of arguments for 'get' command\r\n"
        "-ERR wrong number of arguments for 'echo' command\r\n"
        "-ERR unknown command 'HELO', with args beginning with: '3'; HELP lists the commands\r\n-ERR syntax error\r\n");
  CHECK(client.handler.calls.empty());
  CHECK_FALSE(client.stream->closed);
}

TEST_CASE("commands reach the handler with their arguments, and their answers the client") {
  Client client;
  client.send("GET \"a b\"\r\n");
  REQUIRE(client.handler.calls.size() == 1);
  CHECK(client.handler.calls[0].name == "get");
  CHECK(client.handler.calls[0].arguments == std::vector<std::string>{"GET", "a b"});
  CHECK(client.handler.calls[0].id.connection == 7);
  CHECK(client.read().empty());
  client.answer(0, bulk_reply("v"));
  CHECK(client.read() == "$1\r\nv\r\n");
}

TEST_CASE("a command waits for the answers before it; writes that follow each other do not") {
  Client client;
  client.send("SET a 1\nSET b 2\nGET a\nGET b\nSET c 3\nDEL a\n");
  REQUIRE(client.handler.calls.size() == 2);
  client.answer(1, simple_reply("two"));
  CHECK(client.handler.calls.size() == 2);
  CHECK(client.read().empty());  // in order
  client.answer(0, simple_reply("one"));
  CHECK(client.read() == "+one\r\n+two\r\n");
  REQUIRE(client.handler.calls.size() == 3);
  client.answer(2, simple_reply("three"));
  REQUIRE(client.handler.calls.size() == 4);
  CHECK(client.handler.calls[3].arguments[1] == "b");
  client.answer(3, simple_reply("four"));
  REQUIRE(client.handler.calls.size() == 6);
  client.answer(5, simple_reply("six"));
  client.answer(4, simple_reply("five"));
  CHECK(client.read() == "+three\r\n+four\r\n+five\r\n+six\r\n");
}

TEST_CASE("HAZARDS E13: every answer goes to its own command, in whatever order they come") {
  Client client;
  client.send("SET a 1\nPING x\nSET b 2\nNOPE\nSET c 3\nQUIT\nSET d 4\n");
  REQUIRE(client.handler.calls.size() == 3);
  client.answer(2, simple_reply("c"));
  client.answer(0, simple_reply("a"));
  CHECK(client.read() == "+a\r\n$1\r\nx\r\n");
  client.answer(1, simple_reply("b"));
  CHECK(client.read() ==
        "+b\r\n-ERR unknown command 'NOPE', with args beginning with:; HELP lists the commands\r\n+c\r\n+OK\r\n");
  CHECK(client.stream->closed);
  CHECK(client.handler.calls.size() == 3);
}

TEST_CASE("HAZARDS E13: an answer after the end is dropped, and the handler told of the end once") {
  Client client;
  client.send("GET a\nGET b\n");
  client.stream->handler->on_close("reset");
  CHECK(client.handler.closed == std::vector<uint64_t>{7});
  client.answer(0, simple_reply("late"));
  CHECK(client.read().empty());
  CHECK(client.handler.calls.size() == 1);
}

TEST_CASE("a handler may answer inside the call") {
  Client client;
  client.answer_at_once();
  client.send("SET a 1\nGET a\nSET a 2\nPING\n");
  CHECK(client.read() == "+OK\r\n+OK\r\n+OK\r\n+PONG\r\n");
}

TEST_CASE("without the password only AUTH and QUIT work") {
  Client client(true);
  client.send("PING\nGET a\nHELP\nAUTH wrong\nAUTH other secret\n");
  CHECK(client.read() ==
        "-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n"
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  CHECK(client.service.counters.failed_auth == 2);
  CHECK(client.handler.calls.empty());
  client.send("AUTH secret\nPING\nAUTH wrong\nPING\n");
  CHECK(client.read() == "+OK\r\n+PONG\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n+PONG\r\n");
  Client other(true);
  other.send("AUTH default secret\nAUTH a b c\nAUTH\n");
  CHECK(other.read() == "+OK\r\n-ERR syntax error\r\n-ERR wrong number of arguments for 'auth' command\r\n");
  Client quitter(true);
  quitter.send("QUIT\nPING\n");
  CHECK(quitter.read() == "+OK\r\n");
  CHECK(quitter.stream->closed);
}

TEST_CASE(
    "a password that is set or changed counts at once for connections that are open, and no longer when it goes") {
  Client client;
  client.send("PING\n");
  CHECK(client.read() == "+PONG\r\n");
  Settings& settings = client.service.settings;
  settings.password_required = true;
  ++settings.password_generation;
  client.send("PING\nAUTH secret\nPING\n");
  CHECK(client.read() == "-NOAUTH Authentication required.\r\n+OK\r\n+PONG\r\n");
  ++settings.password_generation;
  client.send("PING\n");
  CHECK(client.read() == "-NOAUTH Authentication required.\r\n");
  client.connection->trust();  // it was the one that changed it
  client.send("PING\n");
  CHECK(client.read() == "+PONG\r\n");
  settings.password_required = false;
  ++settings.password_generation;
  client.send("PING\n");
  CHECK(client.read() == "+PONG\r\n");
}

TEST_CASE("AUTH where no password is set answers as Redis does") {
  Client client;
  client.send("AUTH x\n");
  CHECK(client.read() ==
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?\r\n");
  client.send("AUTH default x\nAUTH other x\n");
  CHECK(client.read() == "+OK\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n");
}

TEST_CASE("HAZARDS I2: the limits before the password fall with AUTH, in the same packet") {
  const std::string large = test::resp_request({"ECHO", std::string(20000, 'x')});
  Client refused(true);
  refused.send(large);
  CHECK(refused.read() == "-ERR Protocol error: unauthenticated bulk length\r\n");
  CHECK(refused.stream->closed);
  Client client(true);
  client.send("AUTH secret\r\n" + large);
  CHECK(client.read() == "+OK\r\n" + bulk_reply(std::string(20000, 'x')));
}

TEST_CASE("a protocol error is answered behind the answers before it, then the connection closes") {
  Client client;
  client.send("GET a\n*1\r\n:1\r\nGET b\n");
  CHECK(client.read().empty());
  CHECK_FALSE(client.stream->closed);
  client.answer(0, integer_reply(1));
  CHECK(client.read() == ":1\r\n-ERR Protocol error: expected '$', got ':'\r\n");
  CHECK(client.stream->closed);
  CHECK(client.handler.calls.size() == 1);
  CHECK(client.service.counters.protocol_errors == 1);
}

TEST_CASE("HAZARDS I1: another protocol is closed at once, unanswered, logged, and nothing behind it runs") {
  std::vector<std::string> lines;
  for (const std::string& head : {"POST / HTTP/1.1\r\nHost: x\r\n\r\n"s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"s,
                                  "Host: x\r\n"s, "OPTIONS * HTTP/1.1\r\n"s, "\x16\x03\x01\x02"s, "\xff\xfd\x06"s}) {
    for (const bool bytewise : {false, true}) {
      Client client;
      lines.clear();
      set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
      client.answer_at_once();
      client.send("SET before 1\r\n");
      CHECK(client.read() == "+OK\r\n");
      if (bytewise) {
        client.send_bytewise(head + "SET evil 1\r\n");
      } else {
        client.send(head + "SET evil 1\r\n");
      }
      CHECK_MESSAGE(client.stream->closed, head);
      CHECK(client.read().empty());
      client.send("SET evil 2\r\n");
      CHECK(client.handler.calls.size() == 1);
      CHECK(client.service.counters.foreign == 1);
      REQUIRE(lines.size() == 1);
      CHECK(lines[0].find("192.0.2.7") != std::string::npos);
    }
  }
}

TEST_CASE("HAZARDS I1: it closes at once also while answers are due, and the log is not flooded") {
  Client client;
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  client.send("GET a\nGET b\nPUT /\n");
  CHECK(client.stream->closed);
  CHECK(client.handler.calls.size() == 1);
  client.answer(0, simple_reply("late"));
  CHECK(client.read().empty());
  auto stream = std::make_unique<test::MemoryStream>();
  Connection second(8, std::move(stream), client.service, 1000);
  second.on_data("PUT /\n");
  second.on_turn();
  CHECK(second.closing());
  CHECK(client.service.counters.foreign == 2);
  CHECK(lines.size() == 1);
}

TEST_CASE("HAZARDS I3: a refused client is told why and closed") {
  Client client(false, "protected mode is on\r\nset requirepass");
  CHECK(client.read() == "-DENIED protected mode is on\\x0d\\x0aset requirepass\r\n");
  CHECK(client.stream->closed);
  client.send("SET a 1\n");
  CHECK(client.read().empty());
  CHECK(client.handler.calls.empty());
  client.stream->handler->on_close("");
  CHECK(client.handler.closed.size() == 1);
}

TEST_CASE("half-close: what is complete is answered, what is not never runs") {
  Client client;
  client.send("GET a\nGET b\nSET c");
  client.stream->handler->on_end();
  CHECK_FALSE(client.stream->closed);
  client.answer(0, simple_reply("a"));
  REQUIRE(client.handler.calls.size() == 2);
  client.answer(1, simple_reply("b"));
  CHECK(client.read() == "+a\r\n+b\r\n");
  CHECK(client.stream->closed);
  CHECK(client.handler.calls.size() == 2);
  Client partial;
  partial.send("*2\r\n$3\r\nGET\r\n$5\r\nab");
  partial.stream->handler->on_end();
  CHECK(partial.stream->closed);
  CHECK(partial.read().empty());
  CHECK(partial.handler.calls.empty());
}

TEST_CASE("close_when_answered answers what was read, then closes") {
  Client client;
  client.send("GET a\nGET b\nSET half");
  client.connection->close_when_answered();
  CHECK(client.stream->paused);
  client.send(" 1\n");
  client.answer(0, simple_reply("a"));
  client.answer(1, simple_reply("b"));
  CHECK(client.read() == "+a\r\n+b\r\n");
  CHECK(client.stream->closed);
  CHECK(client.handler.calls.size() == 2);
  Client idle;
  idle.connection->close_when_answered();
  CHECK(idle.stream->closed);
}

TEST_CASE("whoever works on a command learns that nobody waits for its reply any more") {
  Client client;
  client.send("SET a 1\nSET b 2\nSET c 3\nGET a\n");
  REQUIRE(client.handler.calls.size() == 3);
  for (size_t i = 0; i < 3; ++i) client.connection->name_call(client.handler.calls[i].id.sequence, 10 + i);
  client.answer(1, simple_reply("OK"));
  client.stream->handler->on_close("reset");
  CHECK(client.handler.abandoned == std::vector<uint64_t>{10, 12});
  CHECK(client.handler.closed == std::vector<uint64_t>{7});

  Client evicted;
  evicted.send("GET a\n");
  evicted.connection->name_call(evicted.handler.calls[0].id.sequence, 5);
  evicted.connection->abandon();
  evicted.connection.reset();
  CHECK(evicted.handler.abandoned == std::vector<uint64_t>{5});
  CHECK(evicted.handler.closed.empty());
}
