// If a refused command changes the meaning of the commands after it, they are refused too.
#include "debug/refusals.h"

#include <doctest/doctest.h>

#include "fixture.h"

using namespace wh::debug;
using test::Client;

namespace {

const std::string kMulti = "-ERR there are no transactions here: nothing up to EXEC or DISCARD is run\r\n";
const std::string kAfterMulti = "-NOTAPPLIED it follows a MULTI, which was refused\r\n";
const std::string kExec = "-EXECABORT Transaction discarded: there are none here, and nothing of it was run\r\n";
const std::string kSelect = "-ERR DB index is out of range: there is only 0, and nothing up to SELECT 0 is run\r\n";
const std::string kAfterSelect = "-NOTAPPLIED it follows a SELECT of another database, which was refused\r\n";

}  // namespace

TEST_CASE("after a refused MULTI nothing is run up to EXEC, however the bytes arrive") {
  const std::string pipeline = test::resp_request({"MULTI"}) + test::resp_request({"SET", "a", "1"}) +
                               test::resp_request({"DEL", "a", "b"}) + test::resp_request({"EXEC"}) +
                               test::resp_request({"GET", "a"});
  for (const bool bytewise : {false, true}) {
    Client client;
    if (bytewise)
      client.send_bytewise(pipeline);
    else
      client.send(pipeline);
    CHECK(client.read() == kMulti + kAfterMulti + kAfterMulti + kExec);
    REQUIRE(client.handler.calls.size() == 1);
    CHECK(client.handler.calls[0].name == "get");
  }
}

TEST_CASE("DISCARD and RESET end it too; EXEC and DISCARD by themselves end nothing") {
  Client client;
  client.send("multi\nset a 1\ndiscard\nPING\n");
  CHECK(client.read() == kMulti + kAfterMulti + "+OK\r\n+PONG\r\n");
  client.send("MULTI\nSET a 1\nRESET\nPING\n");
  CHECK(client.read() == kMulti + kAfterMulti + "+RESET\r\n+PONG\r\n");
  client.send("EXEC\nDISCARD\nPING\n");
  CHECK(client.read() == "-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n+PONG\r\n");
  CHECK(client.handler.calls.empty());
}

TEST_CASE("within it everything is refused: wrong arity, unknown names, MULTI, AUTH, SELECT; QUIT closes") {
  Client client;
  client.send("MULTI now\nGET\nNOPE\nMULTI\nAUTH x\nSELECT 0\nWATCH a\nQUIT\nSET a 1\n");
  std::string expected = kMulti;
  for (int i = 0; i < 6; ++i) expected += kAfterMulti;
  CHECK(client.read() == expected + "+OK\r\n");
  CHECK(client.stream->closed);
  CHECK(client.handler.calls.empty());
}

TEST_CASE("writes that are under way when MULTI comes are answered in their place") {
  Client client;
  client.send("SET a 1\nMULTI\nSET b 2\nEXEC\nSET c 3\n");
  REQUIRE(client.handler.calls.size() == 2);
  CHECK(client.read().empty());
  client.answer(0, simple_reply("OK"));
  CHECK(client.read() == "+OK\r\n" + kMulti + kAfterMulti + kExec);
  CHECK(client.handler.calls[1].arguments[1] == "c");
}

TEST_CASE("a SELECT of another database takes all with it up to SELECT 0") {
  Client client;
  client.send("SELECT 0\nSELECT 1\nSET a 1\nPING\nSELECT 2\nSELECT 0\nPING\nSELECT x\nRESET\nPING\n");
  CHECK(client.read() == "+OK\r\n" + kSelect + kAfterSelect + kAfterSelect + kAfterSelect + "+OK\r\n+PONG\r\n" +
                             kSelect + "+RESET\r\n+PONG\r\n");
  CHECK(client.handler.calls.empty());
}

TEST_CASE("a MULTI behind a refused SELECT takes all with it up to EXEC, SELECT 0 included") {
  Client client;
  client.send("SELECT 1\nMULTI\nSELECT 0\nSET a 1\nEXEC\nSET b 2\nSELECT 0\nPING\n");
  CHECK(client.read() == kSelect + kMulti + kAfterMulti + kAfterMulti + kExec + kAfterSelect + "+OK\r\n+PONG\r\n");
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
  CHECK(client.read().ends_with("+PONG\r\n"));
}

TEST_CASE("RESET takes the password back") {
  Client client(true);
  client.send("AUTH secret\nPING\nRESET\nPING\n");
  CHECK(client.read() == "+OK\r\n+PONG\r\n+RESET\r\n-NOAUTH Authentication required.\r\n");
  client.send("MULTI\nAUTH secret\nSET a 1\nEXEC\n");
  CHECK(client.read() == kMulti + kAfterMulti + kAfterMulti + kExec);
  CHECK(client.handler.calls.empty());
}
