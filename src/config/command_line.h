// The command line: what main is asked to do, and the text of --help. Pure. Called by main.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/loader.h"

namespace wh {

// What --simulate is to do.
struct SimulateArguments {
  std::optional<uint64_t> seed;   // the first; none: by chance
  std::optional<uint32_t> nodes;  // 1 to 7; none: each seed its own
  uint64_t seconds = 10;          // of real time, 1 to 86,400
  std::string faults;             // groups, with commas between; empty: as each seed has it
  bool trace = false;             // one seed, with all that happens in it
};

struct CommandLine {
  enum class Mode { run, help, version, check_config, check_health, verify, restore, recover, simulate };
  Mode mode = Mode::run;
  std::string config;  // a path, "-" for standard input, or empty
  std::vector<GivenDirective> directives;
  std::string file;      // of --verify and --restore
  bool yes = false;      // --recover: do not ask
  bool dry_run = false;  // --recover: only look
  SimulateArguments simulate;
};

// `arguments` without the program's name: [CONFIG | -] [--DIRECTIVE VALUE ...], with --check-health, --restore FILE or
// --recover [--yes] [--dry-run] among them; --help, --version, --check-config CONFIG,
// --verify FILE or --simulate with its arguments. The values of a
// directive reach to the next `--`; `--name=value` gives exactly one, whatever it begins with. Whether directives exist
// and what their values mean is the loader's to say. Never repeats a value in an error.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

// `help` for "help" or "hlep": the argument, without its dashes, that a word in the place of a config file is most
// likely meant to be; empty when none is near.
std::string_view argument_for_word(std::string_view word);

// Usage, examples and every directive, in lines of at most 79 characters, each with its newline.
std::string help_text();

// One line, with its newline.
std::string version_text();

}  // namespace wh
