// MULTI and EXEC with the commands that there are: one entry, all or nothing, the replies that each has by itself.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "../debug/fixture.h"
#include "api/debug/commands.h"
#include "fixture.h"

namespace wh::api {
namespace {

using Words = std::vector<std::string>;

using debug::test::resp_request;

// One connection, kept open.
struct Client {
  explicit Client(test::Fronts& of) : fronts(of) {
    auto owned = std::make_unique<test::Loopback>();
    stream = owned.get();
    fronts.debug.accept(std::move(owned));
  }
  ~Client() {
    if (!stream->closed) stream->handler->on_close("");
    fronts.debug.reap();
  }
  // All that comes.
  std::string send(const std::vector<Words>& commands) {
    std::string bytes;
    for (const Words& words : commands) bytes += resp_request(words);
    stream->output.clear();
    stream->handler->on_data(bytes);
    take_turns();
    return stream->output;
  }
  void take_turns() {
    bool more = true;
    while (more) {
      more = fronts.pump();
      if (!std::exchange(stream->turn_asked, false)) continue;
      stream->handler->on_turn();
      more = true;
    }
  }
  // The reply to EXEC of these.
  std::string multi(std::vector<Words> commands) {
    std::string before = "+OK\r\n";
    for (size_t i = 0; i < commands.size(); ++i) before += "+QUEUED\r\n";
    commands.insert(commands.begin(), {"MULTI"});
    commands.push_back({"EXEC"});
    const std::string replies = send(commands);
    REQUIRE_MESSAGE(replies.starts_with(before), replies);
    return replies.substr(before.size());
  }

  test::Fronts& fronts;
  test::Loopback* stream;
};

uint64_t entries(test::Fronts& fronts) { return fronts.node.machine().applied().value; }

}  // namespace

TEST_CASE("EXEC is one entry, and each command has the reply that it has by itself") {
  test::Fronts fronts(4);
  Client client(fronts);
  const std::vector<Words> commands{
      {"SET", "k", "v"},
      {"GET", "k"},
      {"SET", "k", "w", "NX"},
      {"SET", "k", "w", "XX", "GET"},
      {"SET", "k", "x", "IFEQ", "w", "EX", "100"},
      {"TTL", "k"},
      {"PERSIST", "k"},
      {"TTL", "k"},
      {"SETNX", "k", "y"},
      {"SETNX", "fresh", "1"},
      {"APPEND", "fresh", "2"},
      {"INCRBY", "fresh", "30"},
      {"STRLEN", "fresh"},
      {"GETRANGE", "fresh", "0", "0"},
      {"MSET", "a", "1", "b", "2"},
      {"MSETNX", "b", "3", "c", "4"},
      {"MGET", "a", "b", "c"},
      {"EXISTS", "a", "a", "c"},
      {"TYPE", "a"},
      {"DEL", "a", "b", "none"},
      {"GETDEL", "fresh"},
      {"GETSET", "k", "z"},
      {"EXPIRE", "k", "10", "GT"},
      {"PING", "hello"},
      {"ECHO", "there"},
      {"SELECT", "0"},
      {"UNWATCH"},
      {"RPUSH", "q", "one"},
      {"RPUSH", "q", "two", "three"},
      {"LLEN", "q"},
      {"QLEN", "q"},
  };
  const uint64_t before = entries(fronts);
  const std::string replies = client.multi(commands);
  CHECK(entries(fronts) == before + 1);

  test::Fronts other(4);
  Client single(other);
  std::string expected = "*" + std::to_string(commands.size()) + "\r\n";
  for (const Words& words : commands) expected += single.send({words});
  CHECK(replies == expected);
}

TEST_CASE("a job that is added within a transaction has its own id") {
  test::Fronts fronts(4);
  Client client(fronts);
  const std::string replies = client.multi({{"ADDJOB", "q", "a", "0"}, {"ADDJOB", "q", "b", "0"}, {"QLEN", "q"}});
  CHECK(replies.ends_with("\r\n:2\r\n"));
  CHECK(replies.starts_with("*3\r\n+D-"));
  const std::string id = replies.substr(5, replies.find('\r', 5) - 5);
  CHECK(client.send({{"SHOW", id}}).find("$1\r\na\r\n") != std::string::npos);
}

TEST_CASE("an operation that cannot be done takes all with it, and EXECABORT names the command") {
  test::Fronts fronts(4);
  Client client(fronts);
  CHECK(client.send({{"SET", "text", "x"}}) == "+OK\r\n");
  CHECK(
      client.multi({{"MSET", "a", "1", "b", "2"}, {"PING"}, {"INCR", "text"}, {"RPUSH", "q", "e"}}) ==
      "-EXECABORT Transaction discarded, and nothing of it was done, because of its command 3 (incr): value is not an "
      "integer or out of range\r\n");
  CHECK(client.send({{"EXISTS", "a", "b"}}) == ":0\r\n");
  CHECK(client.send({{"LLEN", "q"}}) == ":0\r\n");
  CHECK(client.multi({{"INCR", "text"}}).find("command 1 (incr): value is not") != std::string::npos);
}

TEST_CASE("EXEC runs nothing if a watched key changed since, by anybody, and forgets it then") {
  test::Fronts fronts(4);
  Client client(fronts);
  Client other(fronts);
  const std::vector<std::vector<Words>> changes{{{"SET", "k", "2"}},
                                                {{"DEL", "k"}},
                                                {{"SET", "k", "1"}, {"DEL", "k"}, {"SET", "k", "1"}},
                                                {{"APPEND", "k", ""}},
                                                {{"EXPIRE", "k", "100"}}};
  for (const auto& change : changes) {
    CHECK(client.send({{"SET", "k", "1"}, {"WATCH", "k", "none"}}) == "+OK\r\n+OK\r\n");
    other.send(change);
    CHECK(client.multi({{"SET", "done", "1"}}) == "*-1\r\n");
    CHECK(client.multi({{"EXISTS", "done"}}) == "*1\r\n:0\r\n");
    CHECK(client.send({{"DEL", "k"}}).starts_with(":"));
  }
  CHECK(client.send({{"WATCH", "none"}}) == "+OK\r\n");
  other.send({{"SET", "none", "there"}});
  CHECK(client.multi({}) == "*-1\r\n");
  CHECK(client.send({{"WATCH", "none"}}) == "+OK\r\n");
  CHECK(client.multi({{"SET", "none", "again"}}) == "*1\r\n+OK\r\n");
  CHECK(client.send({{"WATCH", "none"}}) == "+OK\r\n");
  CHECK(client.multi({}) == "*0\r\n");
  // The client's own changes count, as in Redis; those of the transaction do not.
  CHECK(client.send({{"WATCH", "none"}, {"SET", "none", "own"}}) == "+OK\r\n+OK\r\n");
  CHECK(client.multi({{"GET", "none"}}) == "*-1\r\n");
}

TEST_CASE("with RESP3 what is absent within an EXEC is null, and so is the EXEC that a watched key stopped") {
  test::Fronts fronts(4);
  Client client(fronts);
  client.send({{"HELLO", "3"}});
  CHECK(client.multi({{"GET", "none"}, {"SET", "k", "v", "XX"}}) == "*2\r\n_\r\n_\r\n");
  client.send({{"WATCH", "k"}, {"SET", "k", "v"}});
  CHECK(client.multi({{"GET", "k"}}) == "_\r\n");
}

TEST_CASE("what cannot be part of a transaction is refused when it is queued, malformed commands too") {
  test::Fronts fronts(4);
  Client client(fronts);
  for (const Words& words : {Words{"BLPOP", "q", "1"},
                             Words{"LPOP", "q"},
                             Words{"LRANGE", "q", "0", "-1"},
                             Words{"KEYS", "*"},
                             Words{"SCAN", "0"},
                             Words{"RANDOMKEY"},
                             Words{"DBSIZE"},
                             Words{"INFO"},
                             Words{"CONFIG", "GET", "port"},
                             Words{"CLIENT", "ID"},
                             Words{"COMMAND"},
                             Words{"HELP"},
                             Words{"AUTH", "x"},
                             Words{"HELLO", "3"},
                             Words{"GETJOB", "FROM", "q"},
                             Words{"SET", "k", "v", "what"},
                             Words{"SET", "", "v"},
                             Words{"RPUSH", "", "e"},
                             Words{"INCRBY", "k", "x"},
                             Words{"SET", std::string(4'097, 'k'), "v"}}) {
    CAPTURE(words[0]);
    const std::string replies = client.send({{"MULTI"}, {"SET", "k", "1"}, words, {"EXEC"}});
    CHECK_MESSAGE(replies.starts_with("+OK\r\n+QUEUED\r\n-ERR "), replies);
    CHECK(replies.ends_with("-EXECABORT Transaction discarded because of previous errors.\r\n"));
  }
  CHECK(client.send({{"EXISTS", "k"}}) == ":0\r\n");
}

TEST_CASE("each command that there is can be part of a transaction, or says that it cannot") {
  test::Fronts fronts(4);
  for (const CommandSpec& spec : command_specs()) {
    const debug::Command& command = spec.command;
    if (command.name == "watch") continue;
    CAPTURE(command.name);
    Words words{std::string(command.name)};
    while (!arity_fits(command, words.size())) words.emplace_back("1");
    Client client(fronts);
    const std::string replies = client.send({{"MULTI"}, words});
    CHECK((replies == "+OK\r\n+QUEUED\r\n" || replies.starts_with("+OK\r\n-ERR ")));
  }
}

TEST_CASE("below version 4 there are no transactions, and none is done by halves") {
  test::Fronts fronts(3);
  Client client(fronts);
  CHECK(client.send({{"WATCH", "k"}})
            .starts_with("-ERR this needs version 4 of the cluster, which is at version 3: upgrade me (can do 3)"));
  CHECK(client.multi({{"SET", "k", "v"}}).starts_with("-NOTAPPLIED "));
  CHECK(client.send({{"EXISTS", "k"}}) == ":0\r\n");
}

TEST_CASE("a transaction of a thousand commands is one entry; its answer is bounded, and then nothing is done") {
  test::Fronts fronts(4);
  Client client(fronts);
  const uint64_t before = entries(fronts);
  std::vector<Words> commands;
  for (int i = 0; i < 1'000; ++i) commands.push_back({"INCR", "n" + std::to_string(i % 7)});
  CHECK(client.multi(commands).starts_with("*1000\r\n:1\r\n"));
  CHECK(entries(fronts) == before + 1);
  CHECK(client.multi({{"GET", "n0"}}) == "*1\r\n$3\r\n143\r\n");

  client.send({{"SET", "large", std::string(size_t{1} << 20, 'v')}});
  CHECK(client.multi(std::vector<Words>(5, Words{"GET", "large"})).find("more than 4 MiB") != std::string::npos);
  const std::vector<Words> appends(20, Words{"APPEND", "large", "v"});
  CHECK(client.multi(appends).find("16777216 bytes together") != std::string::npos);
  CHECK(client.send({{"STRLEN", "large"}}) == ":1048576\r\n");
}

TEST_CASE("CLIENT LIST shows a transaction: how many commands, and that one was refused") {
  test::Fronts fronts(4);
  Client client(fronts);
  Client other(fronts);
  CHECK(other.send({{"CLIENT", "LIST"}}).find(" multi=-1 ") != std::string::npos);
  client.send({{"MULTI"}, {"SET", "k", "v"}});
  CHECK(other.send({{"CLIENT", "LIST"}}).find(" multi=1 ") != std::string::npos);
  client.send({{"NOPE"}});
  CHECK(other.send({{"CLIENT", "LIST"}}).find(" flags=xd ") != std::string::npos);
}

TEST_CASE("MONITOR shows others' commands, those of a transaction when they are run, and no passwords") {
  test::Fronts fronts(4);
  Client monitor(fronts);
  Client client(fronts);
  CHECK(monitor.send({{"MONITOR"}}) == "+OK\r\n");
  monitor.stream->output.clear();
  client.send({{"SET", "k", "a\"b\\\r\n\x01\xff"}, {"AUTH", "secret"}, {"PING"}, {"GET", std::string(2'000, 'k')}});
  client.send({{"MULTI"}, {"INCR", "n"}, {"HSET"}, {"DISCARD"}, {"MULTI"}, {"INCR", "n"}, {"EXEC"}});
  monitor.take_turns();
  std::string words;  // without the times and addresses
  const std::string& shown = monitor.stream->output;
  for (size_t at = 0; at < shown.size();) {
    const size_t end = shown.find("\r\n", at);
    const std::string line = shown.substr(at, end - at);
    CHECK(line[0] == '+');
    CHECK(line.find(" [0 ") == 18);
    words += line.substr(line.find("] ") + 2) + "\n";
    at = end + 2;
  }
  CHECK(words == "\"SET\" \"k\" \"a\\\"b\\\\\\r\\n\\x01\\xff\"\n\"AUTH\" \"(redacted)\"\n\"PING\"\n\"GET\" \"" +
                     std::string(1'024, 'k') +
                     "... (976 more bytes)\"\n\"MULTI\"\n\"DISCARD\"\n\"MULTI\"\n\"INCR\" \"n\"\n\"exec\"\n");
}

}  // namespace wh::api
