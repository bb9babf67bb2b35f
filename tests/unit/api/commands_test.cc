// The table of the debug port's commands, row by row, and the first words of its errors.
#include "api/debug/commands.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "debug/foreign.h"
#include "fixture.h"

namespace wh::api {
namespace {

using Words = std::vector<std::string>;

// Arguments that each command takes. A new command needs a line here.
const std::map<std::string_view, std::vector<Words>>& samples() {
  static const std::map<std::string_view, std::vector<Words>> all{
      {"get", {{"k"}}},
      {"set", {{"k", "v"}}},
      {"mset", {{"a", "1"}, {"a", "1", "b", "2"}}},
      {"del", {{"a"}, {"a", "b"}}},
      {"exists", {{"a"}, {"a", "b"}}},
      {"type", {{"a"}}},
      {"dbsize", {{}}},
      {"rpush", {{"q", "e"}, {"q", "e", "f"}}},
      {"unlink", {{"k"}, {"k", "k2"}}},
      {"keys", {{"*"}, {"k[^x]"}}},
      {"scan", {{"0"}, {"0", "MATCH", "k*", "count", "5", "Type", "string"}}},
      {"randomkey", {{}}},
      {"setnx", {{"k", "v"}}},
      {"setex", {{"k", "10", "v"}}},
      {"psetex", {{"k", "10", "v"}}},
      {"getset", {{"k", "v"}}},
      {"getdel", {{"k"}}},
      {"getex", {{"k"}, {"k", "EX", "10"}, {"k", "persist"}}},
      {"mget", {{"k"}, {"k", "k2"}}},
      {"msetnx", {{"k", "v"}, {"k", "v", "k2", "v2"}}},
      {"append", {{"s", "v"}}},
      {"strlen", {{"k"}}},
      {"getrange", {{"k", "0", "-1"}}},
      {"incr", {{"n"}}},
      {"incrby", {{"n", "-5"}}},
      {"decr", {{"n"}}},
      {"decrby", {{"n", "5"}}},
      {"expire", {{"k", "10"}, {"k", "-1", "NX"}}},
      {"pexpire", {{"k", "10"}, {"k", "10", "xx", "gt"}}},
      {"expireat", {{"k", "10"}, {"k", "10", "LT"}}},
      {"pexpireat", {{"k", "10"}, {"k", "10", "XX"}}},
      {"persist", {{"k"}}},
      {"ttl", {{"k"}}},
      {"pttl", {{"k"}}},
      {"expiretime", {{"k"}}},
      {"pexpiretime", {{"k"}}},
      {"lpop", {{"q"}, {"q", "2"}}},
      {"blpop", {{"q", "0.01"}, {"q", "q2", "1"}}},
      {"lindex", {{"q", "0"}, {"q", "-1"}}},
      {"lrange", {{"q", "0", "-1"}}},
      {"llen", {{"q"}}},
      {"addjob", {{"q", "j", "0"}, {"q", "j", "100", "DELAY", "1", "ttl", "60", "RETRY", "30"}}},
      {"getjob", {{"FROM", "q"}, {"NOHANG", "TIMEOUT", "5", "COUNT", "3", "WITHCOUNTERS", "FROM", "q", "q2"}}},
      {"ackjob", {{"D-5-9-q"}, {"D-5-9-q", "D-6-9-q"}}},
      {"fastack", {{"D-5-9-q"}}},
      {"deljob", {{"D-5-9-q"}}},
      {"nack", {{"D-5-9-q"}}},
      {"working", {{"D-5-9-q"}}},
      {"show", {{"D-5-0-q"}}},
      {"qlen", {{"q"}}},
      {"qpeek", {{"q", "2"}, {"q", "-2"}}},
      {"qstat", {{"q"}}},
      {"pause", {{"q", "in"}, {"q", "none"}}},
      {"info", {{}, {"raft", "cpu"}}},
      {"config", {{"GET", "*"}, {"SET", "maxclients", "100"}, {"RESETSTAT"}}},
      {"slowlog", {{"GET"}, {"GET", "5"}, {"GET", "-1"}, {"LEN"}, {"RESET"}, {"HELP"}}},
      {"cluster", {{}}},
      {"monitor", {{}}},
      {"watch", {{"k"}, {"a", "b", "c"}}},
      {"client",
       {{"ID"},
        {"INFO"},
        {"GETNAME"},
        {"SETNAME", "n"},
        {"SETINFO", "LIB-NAME", "n"},
        {"NO-EVICT", "off"},
        {"NO-TOUCH", "on"},
        {"REPLY", "ON"},
        {"HELP"}}},
  };
  return all;
}

// For each command, with each of its samples, the name in front.
template <typename Use>
void each_command(Use use) {
  for (const CommandSpec& spec : command_specs()) {
    CAPTURE(spec.command.name);
    const auto sample = samples().find(spec.command.name);
    REQUIRE_MESSAGE(sample != samples().end(), "a command without a sample here");
    for (Words words : sample->second) {
      words.insert(words.begin(), std::string(spec.command.name));
      use(spec, std::move(words));
    }
  }
}

bool has_flag(const debug::Command& command, std::string_view flag) {
  return (" " + std::string(command.flags) + " ").find(" " + std::string(flag) + " ") != std::string::npos;
}

}  // namespace

TEST_CASE("no command is taken for another protocol's method: all work from nc and telnet") {
  const debug::CommandTable table(debug_commands());
  for (const debug::Command& command : table.all())
    CHECK_MESSAGE(debug::foreign_first_word(command.name).empty(), command.name);
}

TEST_CASE("each command makes an operation whose verb fits the flags and the overlap of its row") {
  each_command([](const CommandSpec& spec, Words words) {
    CHECK(debug::arity_fits(spec.command, words.size()));
    CommandBegun begun = spec.begin(words);
    REQUIRE(begun.ok());
    if (begun->operations.empty()) return;  // SLOWLOG HELP
    const Operation& operation = begun->operations[0];
    const bool takes = std::holds_alternative<Take>(operation);
    const bool writes = std::holds_alternative<Write>(operation) || takes;
    CHECK(takes == has_flag(spec.command, "blocking"));
    CHECK(writes == has_flag(spec.command, "write"));
    CHECK(writes == is_write(spec.command));
    // PAUSE may also be a read.
    if (spec.command.name != "pause") CHECK((spec.command.overlap == debug::Overlap::write) == (writes && !takes));
    CHECK(std::holds_alternative<Read>(operation) == has_flag(spec.command, "readonly"));
    CHECK((traits_of(operation).verb == security::Verb::admin) == has_flag(spec.command, "admin"));
  });
  CHECK(command_specs().size() == samples().size());
}

TEST_CASE("each command: the sample is answered without an error") {
  test::Fronts fronts(kLatestVersion);
  each_command([&](const CommandSpec&, Words words) {
    fronts.command({"rpush", "q", "e"});
    const std::string reply = fronts.command(words);
    CHECK_FALSE(reply.empty());
    CHECK(reply.ends_with("\r\n"));
    // There is no such job.
    CHECK(reply.starts_with('-') == (words[0] == "working"));
  });
}

TEST_CASE("each command: too few and too many words, in Redis's sentence") {
  test::Fronts fronts;
  for (const CommandSpec& spec : command_specs()) {
    const std::string name(spec.command.name);
    CAPTURE(name);
    const size_t least = static_cast<size_t>(std::abs(spec.command.arity));
    const std::string wrong = "-ERR wrong number of arguments for '" + name + "' command\r\n";
    Words words{name};
    while (words.size() + 1 < least) words.emplace_back("w");
    if (least > 1) CHECK(fronts.command(words) == wrong);
    if (spec.command.arity < 0) continue;
    while (words.size() <= least) words.emplace_back("w");
    CHECK(fronts.command(words) == wrong);
  }
  CHECK(fronts.command({"mset", "a", "1", "b"}) == "-ERR wrong number of arguments for 'mset' command\r\n");
}

TEST_CASE("each command that touches a key or a queue: its errors name what is wrong, and nothing is done") {
  test::Fronts fronts;
  const raft::Index before = fronts.node.raft()->log().last_index();
  for (const CommandSpec& spec : command_specs()) {
    if (spec.command.first_key == 0) continue;
    Words words = samples().at(spec.command.name).back();
    words.insert(words.begin(), std::string(spec.command.name));
    CAPTURE(words[0]);
    const bool queue = words[1] == "q";
    words[static_cast<size_t>(spec.command.first_key)].clear();
    CAPTURE(words.size());
    CHECK(fronts.command(words) ==
          (queue ? "-ERR a queue's name must not be empty\r\n" : "-ERR a key must not be empty\r\n"));
    words[static_cast<size_t>(spec.command.first_key)] = std::string(5'000, 'x');
    CHECK(fronts.command(words) ==
          (queue ? "-ERR a queue's name has at most 128 bytes\r\n" : "-ERR a key has at most 4096 bytes\r\n"));
  }
  CHECK(fronts.node.raft()->log().last_index() == before);
}

TEST_CASE("subcommands that there are not, and arguments that they do not take") {
  test::Fronts fronts;
  constexpr std::string_view kConfig = "-ERR CONFIG GET pattern, CONFIG SET directive value, or CONFIG RESETSTAT\r\n";
  constexpr std::string_view kSlowLog = "-ERR unknown subcommand or wrong number of arguments: try SLOWLOG HELP\r\n";
  for (const Words& words : {Words{"config", "get"}, Words{"config", "get", "a", "b"}, Words{"config", "set", "a"},
                             Words{"config", "rewrite"}, Words{"config", "resetstat", "x"}})
    CHECK(fronts.command(words) == kConfig);
  for (const Words& words : {Words{"slowlog", "get", "1", "2"}, Words{"slowlog", "len", "x"}, Words{"slowlog", "drop"}})
    CHECK(fronts.command(words) == kSlowLog);
  for (const std::string count : {"x", "-2", "1x", ""})
    CHECK(fronts.command({"slowlog", "get", count}) == "-ERR count should be greater than or equal to -1\r\n");
  CHECK(fronts.command({"config", "set", "no-such", "1"}).starts_with("-ERR "));
  CHECK(fronts.command({"config", "set", "port", "1"}).starts_with("-ERR "));
}

TEST_CASE("without the password each command is -NOAUTH, and nothing is done") {
  test::Fronts fronts;
  fronts.options.requirepass = "secret";
  fronts.debug.reconfigure();
  const raft::Index before = fronts.node.raft()->log().last_index();
  each_command([&](const CommandSpec&, Words words) { CHECK(fronts.command(words).starts_with("-NOAUTH ")); });
  CHECK(fronts.node.raft()->log().last_index() == before);
}

TEST_CASE("each kind of refusal begins with a word that says what to do") {
  const auto word = [](RefusalKind kind, bool write, bool not_applied = true) {
    const std::string reply = refusal_reply({.kind = kind, .sentence = "why", .not_applied = not_applied}, write);
    REQUIRE(reply.ends_with(" why\r\n"));
    return reply.substr(0, reply.find(' '));
  };
  for (const bool write : {true, false}) {
    CHECK(word(RefusalKind::malformed, write) == "-ERR");
    CHECK(word(RefusalKind::not_found, write) == "-ERR");
    CHECK(word(RefusalKind::conflict, write) == "-ERR");
    CHECK(word(RefusalKind::precondition, write) == "-ERR");
    CHECK(word(RefusalKind::too_large, write) == "-ERR");
    CHECK(word(RefusalKind::unauthenticated, write) == "-NOAUTH");
    CHECK(word(RefusalKind::forbidden, write) == "-DENIED");
    CHECK(word(RefusalKind::no_room, write) == "-OOM");
    CHECK(word(RefusalKind::timed_out, write, false) == "-UNKNOWN");
  }
  CHECK(word(RefusalKind::unavailable, true) == "-NOTAPPLIED");
  CHECK(word(RefusalKind::unavailable, false) == "-ERR");
  CHECK(word(RefusalKind::overloaded, true) == "-NOTAPPLIED");
  CHECK(word(RefusalKind::overloaded, false) == "-ERR");
}

}  // namespace wh::api
