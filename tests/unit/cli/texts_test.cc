// What is made from the table: help, the man page, completions.
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "cli/arguments.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/man_page.h"

namespace wh::cli {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST_CASE("help names every command, option, variable and status, in lines that fit") {
  const std::string help = general_help();
  for (const CommandRow& command : commands()) CHECK(has(help, "  " + std::string(command.name)));
  for (const OptionRow& option : global_options()) {
    CHECK(has(help, option.name));
    CHECK(has(help, option.environment));
  }
  for (const char* name : {"WORMHOLE_PASSWORD", "NO_COLOR", "Exit status"}) CHECK(has(help, name));
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) CHECK_MESSAGE(line.size() <= 100, line);
}

TEST_CASE("each command's help has its usage, its options and its example") {
  for (const CommandRow& command : commands()) {
    CAPTURE(command.name);
    const std::string help = command_help(command);
    CHECK(has(help, "usage: " + usage_of(command)));
    for (const OptionRow& option : command.options) CHECK(has(help, option.name));
    CHECK(has(help, std::string(command.example.substr(0, command.example.find('\n')))));
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
      CHECK(line.size() <= 120);
      CHECK(!line.ends_with(' '));
    }
  }
}

TEST_CASE("the man page has every command and option, and nothing that roff would take for its own") {
  const std::string page = man_page("2027-01-31");
  CHECK(has(page, ".TH WORMHOLE\\-CLI 1 2027-01-31 "));
  for (const char* heading :
       {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "ENVIRONMENT", "EXIT STATUS", "SEE ALSO"})
    CHECK(has(page, std::string("\n.SH ") + heading + "\n"));
  for (const CommandRow& command : commands()) CHECK(has(page, "\n.B " + std::string(command.name.substr(0, 4))));
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(!line.starts_with('\''));
    // Requests that are ours.
    if (line.starts_with('.'))
      CHECK((line.starts_with(".\\\"") || line.starts_with(".TH ") || line.starts_with(".SH ") ||
             line.starts_with(".SS ") || line.starts_with(".B ") || line.starts_with(".BR ") || line == ".PP" ||
             line == ".TP" || line == ".nf" || line == ".fi" || line == ".RE" || line == ".RS 4"));
  }
}

TEST_CASE("completions know every command and its options") {
  for (const std::string& text : {bash_completion(), zsh_completion()}) {
    for (const CommandRow& command : commands()) {
      CHECK(has(text, command.name));
      for (const OptionRow& option : command.options) CHECK(has(text, option.name));
    }
    CHECK(has(text, "--endpoints"));
  }
}

}  // namespace
}  // namespace wh::cli
