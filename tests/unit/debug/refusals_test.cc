// If a refused command changes the meaning of the commands after it, they are refused too.
#include "debug/refusals.h"

#include <doctest/doctest.h>

#include "fixture.h"

using namespace wh::debug;
using test::Client;

namespace {

const std::string kSelect = "-ERR DB index is out of range: there is only 0, and nothing up to SELECT 0 is run\r\n";
const std::string kAfterSelect = "-NOTAPPLIED it follows a SELECT of another database, which was refused\r\n";

}  // namespace

TEST_CASE("a SELECT of another database takes all with it up to SELECT 0") {
  Client client;
  client.send("SELECT 0\nSELECT 1\nSET a 1\nPING\nSELECT 2\nSELECT 0\nPING\nSELECT x\nRESET\nPING\n");
  CHECK(client.read() == "+OK\r\n" + kSelect + kAfterSelect + kAfterSelect + kAfterSelect + "+OK\r\n+PONG\r\n" +
                             kSelect + "+RESET\r\n+PONG\r\n");
  CHECK(client.handler.calls.empty());
}

TEST_CASE("behind a refused SELECT no transaction begins; one within a transaction takes just that with it") {
  Client client;
  client.send("SELECT 1\nMULTI\nSET a 1\nEXEC\nSELECT 0\nPING\n");
  CHECK(client.read() == kSelect + kAfterSelect + kAfterSelect + kAfterSelect + "+OK\r\n+PONG\r\n");
  client.send("MULTI\nSELECT 1\nEXEC\nPING\n");
  CHECK(client.read() ==
        "+OK\r\n-ERR DB index is out of range: there is only 0\r\n"
        "-EXECABORT Transaction discarded because of previous errors.\r\n+PONG\r\n");
  CHECK(client.handler.calls.empty());
}

TEST_CASE("CLIENT REPLY OFF and SKIP end the connection rather than put answers in other commands' places") {
  for (const char* mode : {"OFF", "skip"}) {
    Client client;
    client.send("PING\nCLIENT REPLY " + std::string(mode) + "\nSET a 1\nGET a\n");
    CHECK(client.read() ==
          "+PONG\r\n-ERR every command is answered here: the connection is closed, as the answers would be taken for "
          "those of other commands\r\n");
    CHECK(client.stream->closed);
    CHECK(client.handler.calls.empty());
  }
  Client client;
  client.send("CLIENT REPLY ON\nPING\n");
  REQUIRE(client.handler.calls.size() == 1);
  client.answer(0, simple_reply("OK"));
  CHECK(client.read() == "+OK\r\n+PONG\r\n");
}

TEST_CASE("RESET takes the password back") {
  Client client(true);
  client.send("AUTH secret\nPING\nRESET\nPING\n");
  CHECK(client.read() == "+OK\r\n+PONG\r\n+RESET\r\n-NOAUTH Authentication required.\r\n");
}
