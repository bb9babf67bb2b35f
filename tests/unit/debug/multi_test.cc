// MULTI, EXEC, DISCARD, WATCH and UNWATCH as one connection has them.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "debug/transaction.h"
#include "fixture.h"

using namespace wh::debug;
using test::Client;

namespace {

const std::string kOk = "+OK\r\n";
const std::string kQueued = "+QUEUED\r\n";
const std::string kAborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
const std::string kNoExec = "-ERR EXEC without MULTI\r\n";

}  // namespace

TEST_CASE("the commands since MULTI reach the handler as one, however the bytes arrive") {
  const std::string pipeline = test::resp_request({"MULTI"}) + test::resp_request({"SET", "a", "1"}) +
                               test::resp_request({"PING"}) + test::resp_request({"GET", "a"}) +
                               test::resp_request({"EXEC"}) + test::resp_request({"GET", "b"});
  for (const bool bytewise : {false, true}) {
    CAPTURE(bytewise);
    Client client;
    if (bytewise)
      client.send_bytewise(pipeline);
    else
      client.send(pipeline);
    CHECK(client.read() == kOk + kQueued + kQueued + kQueued);
    REQUIRE(client.handler.calls.size() == 1);  // the GET behind it waits
    CHECK(client.handler.calls[0].name == "exec");
    const Transaction& transaction = client.handler.transactions.at(0);
    REQUIRE(transaction.commands.size() == 3);
    CHECK(transaction.commands[0].arguments == std::vector<std::string>{"SET", "a", "1"});
    CHECK(transaction.commands[1].reply == "+PONG\r\n");
    CHECK(transaction.commands[2].command->name == "get");
    client.answer(0, "*0\r\n");
    CHECK(client.read() == "*0\r\n");
    CHECK(client.handler.calls.size() == 2);
  }
}

TEST_CASE("a command that was refused since MULTI makes EXEC refuse them all, once") {
  for (const std::string refused : {"NOPE", "GET", "DEL a b", "SELECT 1", "DISCARD x", "PING a b"}) {
    CAPTURE(refused);
    Client client;
    client.send("MULTI\nSET a 1\n" + refused + "\nSET b 2\n");
    const std::string answers = client.read();
    CHECK(answers.starts_with(kOk + kQueued + "-ERR "));
    CHECK(answers.ends_with(kQueued));
    client.send("EXEC\nEXEC\nSELECT 0\n");
    CHECK(client.read() == kAborted + kNoExec + kOk);
    CHECK(client.handler.calls.empty());
  }
}

TEST_CASE("MULTI and WATCH within a transaction are refused and take nothing with them, as in Redis") {
  Client client;
  client.send("MULTI\nMULTI\nWATCH a\nSET a 1\nEXEC\n");
  CHECK(client.read() ==
        kOk + "-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed\r\n" + kQueued);
  CHECK(client.handler.transactions.at(0).commands.size() == 1);
}

TEST_CASE("DISCARD, RESET, QUIT and the end of the connection forget what was queued") {
  Client client;
  client.send("DISCARD\nEXEC\nMULTI\nSET a 1\nDISCARD\nEXEC\n");
  CHECK(client.read() == "-ERR DISCARD without MULTI\r\n" + kNoExec + kOk + kQueued + kOk + kNoExec);
  client.send("MULTI\nSET a 1\nRESET\nEXEC\n");
  CHECK(client.read() == kOk + kQueued + "+RESET\r\n" + kNoExec);
  client.send("MULTI\nSET a 1\nEXEC x\nEXEC\n");
  CHECK(client.read() == kOk + kQueued +
                             "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' "
                             "command\r\n" +
                             kNoExec);
  client.send("MULTI\nSET a 1\nQUIT\nEXEC\n");
  CHECK(client.read() == kOk + kQueued + kOk);
  CHECK(client.stream->closed);
  CHECK(client.handler.calls.empty());
}

TEST_CASE("without the password MULTI opens nothing, and a password that changes meanwhile runs nothing") {
  Client client(true);
  client.send("MULTI\nSET a 1\nEXEC\n");
  const std::string denied = "-NOAUTH Authentication required.\r\n";
  CHECK(client.read() == denied + denied + denied);
  client.send("AUTH secret\nMULTI\nSET a 1\n");
  CHECK(client.read() == kOk + kOk + kQueued);
  ++client.service.settings.password_generation;
  client.send("SET a 2\nAUTH secret\nEXEC\n");
  CHECK(client.read() == denied + kOk + kAborted);
  // An EXEC or a DISCARD that is denied ends it: what follows is not queued.
  for (const std::string ends : {"EXEC", "DISCARD"}) {
    client.send("MULTI\nSET a 1\n");
    client.read();
    ++client.service.settings.password_generation;
    client.send(ends + "\nAUTH secret\nPING\n");
    CHECK(client.read() == denied + kOk + "+PONG\r\n");
  }
  CHECK(client.handler.calls.empty());
}

TEST_CASE("a transaction takes effect in its place: behind the writes before it, and before those behind it") {
  Client client;
  client.send("SET a 1\nMULTI\nSET b 2\nEXEC\nSET c 3\n");
  REQUIRE(client.handler.calls.size() == 3);
  CHECK(client.handler.calls[0].name == "set");
  CHECK(client.handler.calls[1].name == "exec");
  CHECK(client.handler.calls[2].arguments[1] == "c");
  CHECK(client.read().empty());
  client.answer(0, kOk);
  CHECK(client.read() == kOk + kOk + kQueued);
  client.answer(2, kOk);
  CHECK(client.read().empty());
  client.answer(1, "*1\r\n+OK\r\n");
  CHECK(client.read() == "*1\r\n+OK\r\n" + kOk);
}

TEST_CASE("watched keys go with the next EXEC; DISCARD, UNWATCH, RESET and a transaction's end forget them") {
  Client client;
  const auto watch = [&](const std::string& key, uint64_t index) {
    client.send("WATCH " + key + "\n");
    CHECK(client.connection->watch({{key, index}}));
    client.answer(client.handler.calls.size() - 1, kOk);
  };
  watch("a", 7);
  watch("a", 8);  // the first counts
  watch("b", 0);
  client.send("MULTI\nSET a 1\nEXEC\n");
  REQUIRE(client.handler.watches.size() == 1);
  REQUIRE(client.handler.watches[0].size() == 2);
  CHECK(client.handler.watches[0][0].mod_index == 7);
  CHECK(client.handler.watches[0][1].key == "b");
  client.answer(client.handler.calls.size() - 1, "*-1\r\n");
  for (const std::string ends : {"UNWATCH", "MULTI\nDISCARD", "RESET", "MULTI\nNOPE\nEXEC"}) {
    CAPTURE(ends);
    watch("a", 9);
    client.send(ends + "\nMULTI\nEXEC\n");
    CHECK(client.handler.watches.back().empty());
    client.answer(client.handler.calls.size() - 1, "*0\r\n");
  }
}

TEST_CASE("UNWATCH waits for the WATCH before it") {
  Client client;
  client.send("WATCH a\nUNWATCH\nMULTI\nEXEC\n");
  REQUIRE(client.handler.calls.size() == 1);
  CHECK(client.connection->watch({{"a", 3}}));
  client.answer(0, kOk);
  REQUIRE(client.handler.watches.size() == 1);
  CHECK(client.handler.watches[0].empty());
}

TEST_CASE("the words of an EXEC in flight count as its client's memory until its answer, and hold back what follows") {
  Client client;
  const std::string large = test::resp_request({"SET", "a", std::string(900'000, 'v')});
  std::string transaction = "MULTI\r\n";
  for (int i = 0; i < 4; ++i) transaction += large;
  for (int i = 0; i < 4; ++i) client.send(transaction + "EXEC\r\n");
  CHECK(client.handler.transactions.size() <= 2);
  CHECK(client.connection->held_bytes() >= 3'600'000);
  for (size_t i = 0; i < client.handler.calls.size() && i < 10; ++i) client.answer(i, "*0\r\n");
  CHECK(client.handler.transactions.size() == 4);
  CHECK(client.connection->held_bytes() < 1'000);
}

TEST_CASE("what a connection queues and watches is bounded, and counts as its client's memory") {
  Client client;
  client.send("MULTI\n");
  for (size_t i = 0; i < kMaxTransactionCommands; ++i) client.send("SET a 1\n");
  client.read();
  CHECK(client.connection->transaction()->commands.size() == kMaxTransactionCommands);
  CHECK(client.connection->held_bytes() >= client.connection->transaction()->bytes);
  client.send("SET a 1\nEXEC\n");
  CHECK(client.read() == "-ERR a transaction has at most 1000 commands and 4194304 bytes\r\n" + kAborted);
  CHECK(client.connection->held_bytes() < 1'000);
  CHECK(client.handler.calls.empty());

  client.send("MULTI\n");
  const std::string large = test::resp_request({"SET", "a", std::string(500'000, 'v')});
  for (int i = 0; i < 9; ++i) client.send(large);
  client.send("EXEC\n");
  CHECK(client.read().ends_with(kAborted));

  std::vector<WatchedKey> keys;
  for (size_t i = 0; i < kMaxWatchedKeys; ++i) keys.push_back({std::to_string(i), 1});
  CHECK(client.connection->watch(keys));
  CHECK(client.connection->watch(keys));
  CHECK_FALSE(client.connection->watch({{"one more", 1}}));
}

TEST_CASE("lines of MONITOR come between answers, never within one; RESET ends them, and so does a lost password") {
  Client client;
  client.connection->start_monitoring();
  CHECK(client.service.monitors.contains(7));
  client.send("GET a\n");
  client.connection->show("+one\r\n");
  CHECK(client.read().empty());
  client.take_turns();
  CHECK(client.read() == "+one\r\n");
  // An answer that is under way goes first.
  const std::string large = bulk_reply(std::string(3 * kOutputPieceBytes, 'v'));
  client.stream->stuck = true;
  client.answer(0, large);
  client.connection->show("+two\r\n");
  client.take_turns();
  std::string all = client.read();
  for (int i = 0; i < 10; ++i) {
    client.take_pending();
    all += client.read();
  }
  CHECK(all == large + "+two\r\n");
  client.stream->stuck = false;
  client.send("RESET\n");
  CHECK_FALSE(client.service.monitors.contains(7));
  CHECK(client.read() == "+RESET\r\n");
  client.connection->start_monitoring();
  client.service.settings.password_required = true;
  client.connection->show("+three\r\n");
  client.take_turns();
  CHECK(client.read().empty());
}

TEST_CASE("one who asks for MONITOR and does not read is cut off") {
  Client client;
  client.connection->start_monitoring();
  client.stream->stuck = true;
  const std::string line = "+" + std::string(1'000, 'x') + "\r\n";
  for (size_t sent = 0; sent <= 2 * kMaxShownBytes; sent += line.size()) {
    client.connection->show(line);
    CHECK(client.connection->held_bytes() <= kMaxShownBytes + kOutputSoftBytes);  // within one turn, too
  }
  CHECK_FALSE(client.stream->aborted);
  client.take_turns();
  CHECK(client.stream->aborted);
  CHECK(client.service.monitors.empty());
  CHECK(client.service.counters.slow_readers == 1);
}
