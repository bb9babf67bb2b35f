// The command line: what the operator asks main to do, and the text of --help. Pure. Called by main.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/loader.h"

namespace wh::config {

// The arguments of --simulate.
struct SimulateArguments {
  std::optional<uint64_t> seed;   // the first seed; none: a random one
  std::optional<uint32_t> nodes;  // 1 to 7; none: each seed chooses
  uint64_t seconds = 10;          // of real time, 1 to 86,400
  std::string faults;             // groups of faults, separated by commas; empty: each seed chooses
  bool trace = false;             // runs one seed and prints every event of it
};

struct CommandLine {
  enum class Mode { run, help, version, check_config, check_health, verify, restore, recover, simulate };
  Mode mode = Mode::run;
  std::string config;  // a path, "-" for standard input, or empty
  std::vector<GivenDirective> directives;
  std::string file;      // the argument of --verify and --restore
  bool yes = false;      // --recover: does not ask
  bool dry_run = false;  // --recover: changes nothing
  SimulateArguments simulate;
};

// `arguments` without the program's name: [CONFIG | -] [--DIRECTIVE VALUE ...], with --check-health, --restore FILE or
// --recover [--yes] [--dry-run] among them; --help, --version, --check-config CONFIG, --verify FILE or --simulate with
// its arguments. A directive's values reach to the next `--`; `--name=value` gives exactly one, whatever it begins
// with. The loader checks whether directives exist and what their values mean. Errors never repeat a value.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

// `help` for "help" or "hlep": the argument, without its dashes, most likely meant by a word in the place of a config
// file; empty when none is near.
std::string_view argument_for_word(std::string_view word);

// Usage, examples and every directive, in lines of at most 79 characters, each with its newline.
std::string help_text();

// One line, with its newline.
std::string version_text();

}  // namespace wh::config
