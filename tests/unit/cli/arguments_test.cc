// Command lines by the table of commands.
#include "cli/arguments.h"

#include <set>

#include <doctest/doctest.h>

namespace wh::cli {
namespace {

Invocation good(const std::vector<std::string>& words) {
  Parsed parsed = parse_arguments(words);
  const auto* error = std::get_if<UsageError>(&parsed);
  REQUIRE_MESSAGE(error == nullptr, (error == nullptr ? std::string() : error->sentence));
  REQUIRE(std::holds_alternative<Invocation>(parsed));
  return std::get<Invocation>(std::move(parsed));
}

std::string fault(const std::vector<std::string>& words) {
  const Parsed parsed = parse_arguments(words);
  const auto* error = std::get_if<UsageError>(&parsed);
  return error == nullptr ? std::string() : error->sentence;
}

TEST_CASE("options stand before and after the command, with their values in either form") {
  const Invocation put = good({"--endpoints", "http://a:1", "put", "-o", "json", "k", "v", "--ttl=5m", "--if-absent"});
  CHECK(put.command->name == "put");
  CHECK(put.arguments == std::vector<std::string>{"k", "v"});
  CHECK(put.text("--endpoints") == "http://a:1");
  CHECK(put.json());
  CHECK(put.duration("--ttl") == 300'000);
  CHECK(put.has("--if-absent"));
  CHECK(!put.has("--if-match"));
  CHECK(!put.number("--if-match"));
  CHECK(good({"status", "-ojson"}).json());
  CHECK(good({"status", "--output=table"}).text("--output") == "table");
}

TEST_CASE("what looks like an option can be an argument") {
  CHECK(good({"put", "n", "-5"}).arguments == std::vector<std::string>{"n", "-5"});
  CHECK(good({"put", "k", "-"}).arguments == std::vector<std::string>{"k", "-"});
  CHECK(good({"put", "--", "--k", "-v"}).arguments == std::vector<std::string>{"--k", "-v"});
  CHECK(good({"incr", "n", "--by", "-3"}).text("--by") == "-3");
  CHECK(good({"get", ""}).arguments == std::vector<std::string>{""});
}

TEST_CASE("a command behind -- is left alone") {
  const Invocation lock = good({"lock", "k", "--ttl", "5s", "--", "sh", "-c", "--help", "--"});
  CHECK(lock.arguments == std::vector<std::string>{"k"});
  REQUIRE(lock.child);
  CHECK(*lock.child == std::vector<std::string>{"sh", "-c", "--help", "--"});
  CHECK(!good({"receive", "q"}).child);
  CHECK(good({"receive", "q", "--", "cat"}).child);
  CHECK(fault({"lock", "k"}) == "'lock' needs '--' and the command to run");
  CHECK(fault({"receive", "q", "--"}) == "'receive' needs '--' and the command to run");
}

TEST_CASE("faults name what was meant") {
  CHECK(fault({}) == "no command is given");
  CHECK(fault({"staus"}) == "there is no command 'staus'; did you mean 'status'?");
  CHECK(fault({"help", "staus"}) == "there is no command 'staus'; did you mean 'status'?");
  CHECK(fault({"xyzzy"}) == "there is no command 'xyzzy'");
  CHECK(fault({"put", "--if-absnt"}) == "'put' has no option '--if-absnt'; did you mean '--if-absent'?");
  CHECK(fault({"put", "--endpoint", "x"}) == "'put' has no option '--endpoint'; did you mean '--endpoints'?");
  CHECK(fault({"--ttl", "5s", "put"}) == "there is no option '--ttl' here: it stands after its command");
  CHECK(fault({"put"}) == "'put' needs KEY [VALUE]");
  CHECK(fault({"put", "a", "b", "c"}) ==
        "'put' takes no argument 'c' beyond KEY [VALUE]; one with blanks stands in quotes");
  CHECK(fault({"lock", "key", "./report"}) ==
        "'lock' takes no argument './report' beyond KEY; a command to run stands behind '--'");
  CHECK(fault({"status", "x"}) == "'status' takes no argument 'x'; one with blanks stands in quotes");
  CHECK(fault({"\x1b[31m"}) == "there is no command '\\x1b[31m'");
}

TEST_CASE("values of options are checked by their kind") {
  CHECK(fault({"put", "k", "--ttl"}) == "--ttl needs a value: TIME");
  CHECK(fault({"put", "k", "--ttl", "soon"}) ==
        "--ttl takes a time such as 250ms, 30s, 10m, 12h or 7d (a bare number: seconds), not 'soon'");
  CHECK(fault({"list", "--limit", "-1"}) == "--limit takes a number, not '-1'");
  CHECK(fault({"list", "--keys=yes"}) == "--keys takes no value");
  CHECK(fault({"status", "-o", "xml"}) == "--output takes 'table' or 'json', not 'xml'");
  CHECK(fault({"enqueue", "q", "--attribute", "=x"}) == "--attribute takes NAME=VALUE, not '=x'");
  CHECK(fault({"put", "k", "--content-type", "a\r\nb: c"}) ==
        "--content-type takes a media type such as text/plain, not 'a\\x0d\\x0ab: c'");
  CHECK(fault({"put", "k", "--idempotency-key", "a b"}) ==
        "--idempotency-key takes printable characters without blanks");
  CHECK(fault({"list", "--limit", "1", "--limit", "2"}) == "--limit is given twice");
  CHECK(good({"enqueue", "q", "x", "--attribute", "a=1", "--attribute", "b=2=3"}).texts("--attribute") ==
        std::vector<std::string>{"a=1", "b=2=3"});
}

TEST_CASE("a password on the command line is refused, and not repeated") {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--password", "hunter2", "status"}, {"--password=hunter2", "status"}, {"get", "k", "--password=hunter2"}}) {
    const std::string sentence = fault(words);
    CHECK(sentence.find("--password-file FILE or WORMHOLE_PASSWORD") != std::string::npos);
    CHECK(sentence.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("help, the version, the man page and completions") {
  const auto special = [](const std::vector<std::string>& words) {
    const Parsed parsed = parse_arguments(words);
    REQUIRE(std::holds_alternative<SpecialRequest>(parsed));
    return std::get<SpecialRequest>(parsed);
  };
  CHECK(special({"--help"}).word.empty());
  CHECK(special({"help"}).what == Special::help);
  CHECK(special({"help", "lock"}).word == "lock");
  CHECK(special({"lock", "-h"}).word == "lock");
  CHECK(special({"--version"}).what == Special::version);
  CHECK(special({"--man-page=2027-01-31"}).word == "2027-01-31");
  CHECK(special({"--completion", "zsh"}).word == "zsh");
  CHECK(fault({"--completion", "fish"}) == "--completion takes 'bash' or 'zsh'");
}

TEST_CASE("every row of the table is whole") {
  std::set<std::string_view> names;
  for (const CommandRow& command : commands()) {
    CAPTURE(command.name);
    CHECK(names.insert(command.name).second);
    CHECK(bool(command.run != nullptr));
    CHECK(!command.line.empty());
    CHECK(command.line.size() <= 90);
    CHECK(command.example.starts_with("wormhole-cli ") != command.example.starts_with("echo "));
    CHECK(command.example.find("wormhole-cli " + std::string(command.name)) != std::string_view::npos);
    CHECK(command.least <= command.most);
    CHECK((command.most == 0) == command.arguments.empty());
    std::set<std::string_view> options;
    for (const OptionRow& option : global_options()) options.insert(option.name);
    for (const OptionRow& option : command.options) {
      CAPTURE(option.name);
      CHECK(option.name.starts_with("--"));
      CHECK(options.insert(option.name).second);
      CHECK(!option.text.ends_with('.'));
    }
  }
}

}  // namespace
}  // namespace wh::cli
