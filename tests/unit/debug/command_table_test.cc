#include "debug/command_table.h"

#include <doctest/doctest.h>

#include "fixture.h"

using namespace wh::debug;

TEST_CASE("commands are found whatever their case") {
  const CommandTable table(test::sample_commands());
  REQUIRE(table.find("GeT") != nullptr);
  CHECK(table.find("GET")->name == "get");
  CHECK(table.find("QUIT")->builtin == Builtin::quit);
  CHECK(table.find("") == nullptr);
  CHECK(table.find("gets") == nullptr);
  CHECK(table.find("get" + std::string(1000, 'x')) == nullptr);
  CHECK(table.all().size() == 18);
}

TEST_CASE("arity: exact, or at least") {
  const CommandTable table(test::sample_commands());
  CHECK(arity_fits(*table.find("get"), 2));
  CHECK_FALSE(arity_fits(*table.find("get"), 1));
  CHECK_FALSE(arity_fits(*table.find("get"), 3));
  CHECK(arity_fits(*table.find("del"), 9));
  CHECK_FALSE(arity_fits(*table.find("del"), 1));
}

TEST_CASE("HELP lists every command, a line each, and describes one") {
  const CommandTable table(test::sample_commands());
  const std::string all = table.help_reply({"help"});
  CHECK(all.starts_with("*18\r\n+AUTH [username] password"));
  for (const Command& command : table.all()) CHECK(all.find(command.summary) != std::string::npos);
  CHECK(table.help_reply({"help", "SET"}) == "*2\r\n+SET key value\r\n+Set a key\r\n");
  CHECK(table.help_reply({"help", "nope\r\n"}) == "-ERR no command 'nope\\x0d\\x0a'; HELP lists them\r\n");
  CHECK(table.help_reply({"help", "a", "b"}) == "-ERR syntax error\r\n");
}

TEST_CASE("COMMAND answers as Redis does") {
  const CommandTable table(test::sample_commands());
  const std::string get =
      "*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~0\r\n*0\r\n*0\r\n*0\r\n";
  CHECK(table.command_reply({"command"})
            .starts_with("*18\r\n*10\r\n$4\r\nauth\r\n:-2\r\n~2\r\n+fast\r\n+no_auth\r\n:0\r\n:0\r\n:0\r\n"));
  CHECK(table.command_reply({"command"}).find(get) != std::string::npos);
  CHECK(table.command_reply({"command", "INFO"}) == table.command_reply({"command"}));
  CHECK(table.command_reply({"command", "COUNT"}) == ":18\r\n");
  CHECK(table.command_reply({"command", "info", "GET", "no"}) == "*2\r\n" + get + "*-1\r\n");
  CHECK(table.command_reply({"command", "list"}).starts_with("*18\r\n$4\r\nauth\r\n"));
  CHECK(table.command_reply({"command", "getkeys", "x"}).starts_with("-ERR unknown subcommand"));
}

namespace {

// Without the lengths and types of RESP.
std::string plain(const std::string& reply) {
  std::string out;
  for (size_t at = 0; at < reply.size();) {
    const size_t end = reply.find("\r\n", at);
    if (std::string_view("$*%~").find(reply[at]) == std::string_view::npos)
      out += " " + reply.substr(at + (reply[at] == '+' ? 1 : 0), end - at);
    at = end + 2;
  }
  std::erase(out, '\r');
  return out;
}
std::string docs_of(std::string_view parameters) {
  const std::string reply = plain(docs_reply({.name = "c", .parameters = parameters, .summary = "S", .group = "g"}));
  REQUIRE(reply.starts_with(" c summary S since 0.1.0 group g"));
  return reply.substr(std::string(" c summary S since 0.1.0 group g").size());
}

}  // namespace

TEST_CASE("COMMAND DOCS describes the commands as redis-cli reads them") {
  const CommandTable table(test::sample_commands());
  CHECK(table.command_reply({"command", "docs"}).starts_with("%18\r\n$4\r\nauth\r\n%4\r\n$7\r\nsummary\r\n"));
  CHECK(table.command_reply({"command", "docs", "nope"}) == "%0\r\n");
  CHECK(table.command_reply({"command", "docs", "GET", "nope"}).starts_with("%1\r\n$3\r\nget\r\n%4\r\n"));
  CHECK(docs_of("").empty());
  CHECK(docs_of("key value") ==
        " arguments name key display_text key type string name value display_text value type string");
  CHECK(docs_of("queue event [event ...]") ==
        " arguments name queue display_text queue type string"
        " name event display_text event type string flags multiple");
  CHECK(docs_of("[NOHANG] [COUNT n] FROM queue [queue ...]") ==
        " arguments name nohang display_text nohang type pure-token token NOHANG flags optional"
        " name n display_text n type string token COUNT flags optional"
        " name queue display_text queue type string token FROM flags multiple");
  CHECK(docs_of("GET pattern | SET a b") ==
        " arguments name GET pattern | SET a b display_text GET pattern | SET a b type string");
  CHECK(docs_of("key value [key value ...]")
            .ends_with(" name key value ... display_text key value ... type string flags optional"));
}

TEST_CASE("errors about commands are worded as Redis words them, and bounded") {
  CHECK(unknown_command_reply({"foo"}) ==
        "-ERR unknown command 'foo', with args beginning with:; HELP lists the commands\r\n");
  CHECK(unknown_command_reply({"HELO", "3"}) ==
        "-ERR unknown command 'HELO', with args beginning with: '3'; HELP lists the commands\r\n");
  CHECK(unknown_command_reply({"HGETALL", "k"}) ==
        "-ERR unknown command 'HGETALL', with args beginning with: 'k'; there are no hashes: give each field a key of "
        "its own, as in KEY:FIELD\r\n");
  for (const char* name : {"object", "sadd", "Sinterstore", "zadd", "xreadgroup", "evalsha_ro", "publish"})
    CHECK_FALSE(unknown_command_reply({name}).ends_with("HELP lists the commands\r\n"));
  for (const char* name : {"helo", "sort", "zebra"})
    CHECK(unknown_command_reply({name}).ends_with("HELP lists the commands\r\n"));
  CHECK(unknown_command_reply(std::vector<std::string>(1000, std::string(5000, 'x'))).size() < 512);
  const CommandTable table(test::sample_commands());
  CHECK(wrong_arity_reply(*table.find("GET")) == "-ERR wrong number of arguments for 'get' command\r\n");
}
