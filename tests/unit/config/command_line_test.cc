#include "config/command_line.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../../rounds.h"
#include "base/prng.h"
#include "config/option_table.h"

using namespace wh;
using namespace wh::config;

namespace {
using Words = std::vector<std::string>;
using Mode = CommandLine::Mode;

CommandLine good(const Words& arguments) {
  const auto parsed = parse_command_line(arguments);
  if (!parsed) FAIL(parsed.error());
  return *parsed;
}
std::string bad(const Words& arguments) {
  const auto parsed = parse_command_line(arguments);
  REQUIRE_FALSE(parsed.ok());
  return parsed.error();
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("command line: a config, directives, both, neither") {
  CHECK(good({}).mode == Mode::run);
  CHECK(good({}).config.empty());
  CHECK(good({"w.conf"}).config == "w.conf");
  CHECK(good({"-"}).config == "-");
  const CommandLine line = good({"w.conf", "--port", "9000", "--raft-port", "10000"});
  CHECK(line.config == "w.conf");
  REQUIRE(line.directives.size() == 2);
  CHECK(line.directives[0].name == "port");
  CHECK(line.directives[0].values == Words{"9000"});
  CHECK(line.directives[1].name == "raft-port");
  CHECK(good({"--port", "1"}).config.empty());
}

TEST_CASE("command line: values reach to the next two dashes") {
  const CommandLine line = good({"-", "--bind", "127.0.0.1", "-::1", "-", "--join=a:1 b:2", "--dir="});
  CHECK(line.config == "-");
  REQUIRE(line.directives.size() == 3);
  CHECK(line.directives[0].values == Words{"127.0.0.1", "-::1", "-"});
  CHECK(line.directives[1].name == "join");
  CHECK(line.directives[1].values == Words{"a:1 b:2"});
  CHECK(line.directives[2].values == Words{""});
  CHECK(good({"--requirepass=--x=y"}).directives.at(0).values == Words{"--x=y"});
  CHECK(good({"--requirepass", ""}).directives.at(0).values == Words{""});
  CHECK(good({"--port"}).directives.at(0).values.empty());
}

TEST_CASE("command line: verify, restore, recover") {
  const CommandLine verify = good({"--verify", "b.db"});
  CHECK(verify.mode == Mode::verify);
  CHECK(verify.file == "b.db");
  const CommandLine restore = good({"w.conf", "--dir", "d", "--restore", "b.db", "--port", "1"});
  CHECK(restore.mode == Mode::restore);
  CHECK(restore.config == "w.conf");
  CHECK(restore.file == "b.db");
  CHECK(restore.directives.size() == 2);
  CHECK(good({"--restore=--odd"}).file == "--odd");
  const CommandLine recover = good({"w.conf", "--recover", "--dir", "d", "--yes"});
  CHECK(recover.mode == Mode::recover);
  CHECK(recover.yes);
  CHECK_FALSE(recover.dry_run);
  CHECK(good({"--dry-run", "--recover"}).dry_run);

  CHECK(has(bad({"--verify"}), "takes one backup file"));
  CHECK(has(bad({"--verify", "a", "b"}), "takes one backup file"));
  CHECK(has(bad({"--verify", ""}), "takes one backup file"));
  CHECK(has(bad({"--verify", "a", "--port", "1"}), "nothing stands beside it"));
  CHECK(has(bad({"w.conf", "--verify", "a"}), "nothing stands beside it"));
  CHECK(has(bad({"--restore"}), "takes one backup file"));
  CHECK(has(bad({"--restore", "a", "--restore", "b"}), "twice"));
  CHECK(has(bad({"--restore", "a", "--recover"}), "another thing to do"));
  CHECK(has(bad({"--check-config", "a", "--verify", "b"}), "another thing to do"));
  CHECK(has(bad({"--recover", "now"}), "takes no value"));
  CHECK(has(bad({"--recover", "--yes", "x"}), "takes no value"));
  CHECK(has(bad({"--yes"}), "go with '--recover'"));
  CHECK(has(bad({"--restore", "a", "--dry-run"}), "go with '--recover'"));
}

TEST_CASE("command line: help, version, check-config") {
  CHECK(good({"--help"}).mode == Mode::help);
  CHECK(good({"-h"}).mode == Mode::help);
  CHECK(good({"w.conf", "--port", "1", "--help"}).mode == Mode::help);
  CHECK(good({"--version"}).mode == Mode::version);
  CHECK(good({"-v"}).mode == Mode::version);
  const CommandLine check = good({"--check-config", "w.conf", "--port", "1"});
  CHECK(check.mode == Mode::check_config);
  CHECK(check.config == "w.conf");
  CHECK(check.directives.size() == 1);
  CHECK(good({"--check-config=w.conf"}).config == "w.conf");
  CHECK(good({"--check-config", "-"}).config == "-");
}

TEST_CASE("command line: what is wrong, without repeating values") {
  CHECK(has(bad({""}), "empty"));
  CHECK(has(bad({"a", "b"}), "only one config file"));
  CHECK(has(bad({"a", "-b", "--port", "1"}), "only one config file"));
  CHECK(has(bad({"-x"}), "unknown option '-x'"));
  CHECK(has(bad({"--"}), "name of a directive"));
  CHECK(has(bad({"--=x"}), "name of a directive"));
  CHECK(has(bad({"--help=x"}), "takes no value"));
  CHECK(has(bad({"--check-config"}), "takes one config file"));
  CHECK(has(bad({"--check-config", ""}), "takes one config file"));
  CHECK(has(bad({"--check-config", "a", "b"}), "takes one config file"));
  CHECK(has(bad({"a", "--check-config", "b"}), "nothing stands before it"));
  CHECK(has(bad({"--check-config", "a", "--check-config", "b"}), "twice"));
  const std::string extra = bad({"--requirepass=a", "hunter2"});
  CHECK(has(extra, "unexpected value after '--requirepass=...'"));
  CHECK_FALSE(has(extra, "hunter2"));
}

TEST_CASE("command line: it reaches the options") {
  const CommandLine line = good({"--bind", "127.0.0.1", "-::1", "--join=a:1 b:2", "--dir=/x", "--requirepass=--y"});
  const auto loaded = load({line.config, {}, line.directives}, {});
  REQUIRE(std::holds_alternative<Loaded>(loaded));
  const Options& options = std::get<Loaded>(loaded).options;
  CHECK(options.bind == Words{"127.0.0.1", "-::1"});
  CHECK(options.join == Words{"a:1", "b:2"});
  CHECK(options.dir == "/x");
  CHECK(options.requirepass == "--y");
}

TEST_CASE("command line: what was mistyped is named") {
  CHECK(has(bad({"--hlep"}), "unknown argument '--hlep'; did you mean '--help'?"));
  CHECK(has(bad({"--Help"}), "did you mean '--help'?"));
  CHECK(has(bad({"--verison"}), "did you mean '--version'?"));
  CHECK(has(bad({"--check-confg", "w.conf"}), "did you mean '--check-config'?"));
  CHECK(has(bad({"--chek-health"}), "did you mean '--check-health'?"));
  CHECK(has(bad({"--recover", "--dryrun"}), "did you mean '--dry-run'?"));
  CHECK(has(bad({"--simulate", "--sead", "1"}), "did you mean '--seed'?"));
  CHECK(good({"--prot", "1"}).directives.size() == 1);  // a directive is nearer: the loader names it
  CHECK(good({"--dir", "x"}).directives.size() == 1);
  CHECK(good({"--zzzzzz", "x"}).directives.size() == 1);
  CHECK(argument_for_word("help") == "help");
  CHECK(argument_for_word("hlep") == "help");
  CHECK(argument_for_word("version") == "version");
  CHECK(argument_for_word("wormhole.conf").empty());
  CHECK(argument_for_word("").empty());
}

TEST_CASE("command line: --check-health, with or without a config before it") {
  const auto line = parse_command_line({"a.conf", "--check-health", "--port", "1"});
  REQUIRE(line.ok());
  CHECK(line->mode == CommandLine::Mode::check_health);
  CHECK(line->config == "a.conf");
  CHECK(line->directives.size() == 1);
  CHECK_FALSE(parse_command_line({"--check-health", "a.conf"}).ok());
  CHECK_FALSE(parse_command_line({"--check-health=1"}).ok());
  CHECK_FALSE(parse_command_line({"--check-health", "--check-health"}).ok());
  CHECK_FALSE(parse_command_line({"--check-health", "--check-config", "a.conf"}).ok());
}

TEST_CASE("command line: --simulate and its arguments, which go with nothing else") {
  const auto line = parse_command_line(
      {"--simulate", "--seed", "18446744073709551615", "--nodes=5", "--seconds", "3", "--faults", "crashes,pauses"});
  REQUIRE(line.ok());
  CHECK(line->mode == CommandLine::Mode::simulate);
  CHECK(line->simulate.seed == UINT64_MAX);
  CHECK(line->simulate.nodes == 5);
  CHECK(line->simulate.seconds == 3);
  CHECK(line->simulate.faults == "crashes,pauses");
  CHECK_FALSE(line->simulate.trace);
  CHECK(line->directives.empty());
  const auto usual = parse_command_line({"--simulate"});
  REQUIRE(usual.ok());
  CHECK_FALSE(usual->simulate.seed);
  CHECK_FALSE(usual->simulate.nodes);
  CHECK(usual->simulate.seconds == 10);
  CHECK(parse_command_line({"--trace", "--seed", "1", "--simulate"}).ok());
  for (const Words& wrong :
       {Words{"--seed", "1"}, Words{"--simulate", "--port", "1"}, Words{"a.conf", "--simulate"},
        Words{"--simulate", "x"}, Words{"--simulate", "--seed"}, Words{"--simulate", "--seed", "-1"},
        Words{"--simulate", "--seed", "1x"}, Words{"--simulate", "--seed", "18446744073709551616"},
        Words{"--simulate", "--nodes", "0"}, Words{"--simulate", "--nodes", "8"}, Words{"--simulate", "--seconds", "0"},
        Words{"--simulate", "--seconds", "86401"}, Words{"--simulate", "--faults"}, Words{"--simulate", "--trace"},
        Words{"--simulate", "--trace=1", "--seed", "1"}, Words{"--simulate", "--recover"}}) {
    const auto parsed = parse_command_line(wrong);
    CAPTURE(wrong.back());
    CHECK_FALSE(parsed.ok());
  }
}

TEST_CASE("help: usage, examples and every directive, in a terminal's width") {
  const std::string help = help_text();
  CHECK(help.starts_with("Usage: wormhole-server [CONFIG | -] [--DIRECTIVE VALUE ...]\n"));
  CHECK(help.ends_with('\n'));
  CHECK(has(help, "Examples:"));
  for (const OptionSpec& spec : option_table()) {
    CAPTURE(spec.name);
    CHECK(has(help, "\n  " + std::string(spec.name) + " "));
    CHECK(has(help, "\n" + std::string(spec.section) + "\n"));
  }
  CHECK(has(help, "[8080]"));
  CHECK(has(help, "[256mb]"));
  size_t begin = 0;
  while (begin < help.size()) {
    const size_t end = help.find('\n', begin);
    CHECK_MESSAGE(end - begin < 80, help.substr(begin, end - begin));
    CHECK((end == begin || help[end - 1] != ' '));
    begin = end + 1;
  }
  CHECK(version_text() == "wormhole-server " WORMHOLE_VERSION "\n");
}

TEST_CASE("command line: random arguments never crash") {
  Prng prng(5);
  const std::string pieces[] = {"-", "--", "=",    "port",        "help",     "check-config", "",
                                " ", "x",  "\xff", "requirepass", "simulate", "seed"};
  for (unsigned round = 0, last = wh::testing::rounds(20000); round < last; ++round) {
    Words arguments;
    for (uint64_t n = prng.below(6); n > 0; --n) {
      std::string argument;
      for (uint64_t m = prng.below(4); m > 0; --m) argument += pieces[prng.below(std::size(pieces))];
      arguments.push_back(argument);
    }
    const auto parsed = parse_command_line(arguments);
    if (!parsed) CHECK_FALSE(parsed.error().empty());
  }
}
