// HELLO: the version of RESP, the password and the name in one command; and what RESET takes back.
#include <string>

#include <doctest/doctest.h>

#include "base/log.h"
#include "fixture.h"

using namespace wh;
using namespace wh::debug;
using test::Client;

namespace {

std::string greeting(Protocol protocol) {
  return in_protocol(protocol, map_header(7) + bulk_reply("server") + bulk_reply("redis") + bulk_reply("version") +
                                   bulk_reply("7.0.0") + bulk_reply("proto") +
                                   integer_reply(static_cast<int64_t>(protocol)) + bulk_reply("id") + integer_reply(7) +
                                   bulk_reply("mode") + bulk_reply("standalone") + bulk_reply("role") +
                                   bulk_reply("master") + bulk_reply("modules") + array_header(0));
}
const std::string kOne = greeting(Protocol::resp2);
const std::string kThree = greeting(Protocol::resp3);
const std::string kNoAuth =
    "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
    "<pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the same time\r\n";
const std::string kWrongPassword = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

}  // namespace

TEST_CASE("HELLO chooses the version for all answers from its own on") {
  Client client;
  client.send("HELLO\nHELLO 3\nHELLO\nHELLO 2\nHELLO\n");
  CHECK(client.read() == kOne + kThree + kThree + kOne + kOne);
  client.send("HELLO 3\nCOMMAND INFO nope\nCOMMAND DOCS nope\nHELLO 2\nCOMMAND INFO nope\nCOMMAND DOCS nope\n");
  CHECK(client.read() == kThree + "*1\r\n_\r\n%0\r\n" + kOne + "*1\r\n*-1\r\n*0\r\n");
}

TEST_CASE("a command that was sent before HELLO is answered as it was asked") {
  Client client;
  client.send("GET a\nHELLO 3\nGET b\nRESET\n");
  REQUIRE(client.handler.calls.size() == 1);
  client.answer(0, null_reply());
  CHECK(client.read() == "$-1\r\n" + kThree);
  REQUIRE(client.handler.calls.size() == 2);
  client.answer(1, null_reply());
  CHECK(client.read() == "_\r\n+RESET\r\n");
  client.send("GET c\n");
  client.answer(2, null_array_reply());
  CHECK(client.read() == "*-1\r\n");
}

TEST_CASE("other versions and other options are refused, and change nothing") {
  Client client;
  for (const char* version : {"1", "4", "03", "-3", "three", "3.0", "99999999999999999999"}) {
    client.send("HELLO " + std::string(version) + " SETNAME n\n");
    CHECK(client.read() == "-NOPROTO unsupported protocol version\r\n");
  }
  client.send("HELLO 3 AUTH default\nHELLO 3 SETNAME\nHELLO 3 what\n");
  CHECK(client.read() ==
        "-ERR Syntax error in HELLO option 'auth'\r\n-ERR Syntax error in HELLO option 'setname'\r\n"
        "-ERR Syntax error in HELLO option 'what'\r\n");
  client.send("HELLO 3 SETNAME \"a b\"\n");
  CHECK(client.read().starts_with("-ERR Client names cannot contain spaces, newlines or special characters"));
  CHECK(client.connection->labels().name.empty());
  CHECK(client.connection->protocol() == Protocol::resp2);
}

TEST_CASE("HELLO takes the password and the name along") {
  Client client(true);
  client.send("HELLO\nHELLO 3\nHELLO 3 SETNAME n\n");
  CHECK(client.read() == kNoAuth + kNoAuth + kNoAuth);
  CHECK(client.connection->labels().name.empty());
  client.send("PING\nHELLO 3 auth default secret setname worker-1\nPING\n");
  CHECK(client.read() == "-NOAUTH Authentication required.\r\n" + kThree + "+PONG\r\n");
  CHECK(client.connection->labels().name == "worker-1");
  CHECK(client.connection->protocol() == Protocol::resp3);
  client.send("RESET\nHELLO 2\n");
  CHECK(client.read() == "+RESET\r\n" + kNoAuth);
  CHECK(client.connection->labels().name.empty());
  CHECK(client.connection->protocol() == Protocol::resp2);
}

TEST_CASE("a wrong password in HELLO counts and is logged as one in AUTH") {
  Client client(true);
  int lines = 0;
  set_log_sink([&lines](LogLevel, std::string_view line) {
    if (line.find("wrong password") != std::string_view::npos) ++lines;
  });
  for (int i = 0; i < 50; ++i) client.send("HELLO 3 AUTH default wrong\nHELLO 3 AUTH other secret\nAUTH wrong\n");
  CHECK(client.service.counters.failed_auth == 150);
  CHECK(lines == 1);
  const std::string all = client.read();
  CHECK(all.starts_with(kWrongPassword + kWrongPassword + kWrongPassword));
  client.send("PING\n");
  CHECK(client.read() == "-NOAUTH Authentication required.\r\n");
  CHECK(client.connection->protocol() == Protocol::resp2);
}

TEST_CASE("where no password is set, HELLO takes any from the user default, and no other user") {
  Client client;
  client.send("HELLO 3 AUTH default x\nHELLO 2 AUTH other x\n");
  CHECK(client.read() == kThree + kWrongPassword);
  CHECK(client.service.counters.failed_auth == 1);
}

TEST_CASE("within a transaction HELLO is refused") {
  Client client;
  client.send("MULTI\nHELLO 3\nEXEC\n");
  CHECK(client.read() ==
        "+OK\r\n-ERR HELLO cannot be queued\r\n-EXECABORT Transaction discarded because of previous errors.\r\n");
  CHECK(client.connection->protocol() == Protocol::resp2);
}
