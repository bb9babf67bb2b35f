#include "config/command_line.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/nearest.h"
#include "config/option_table.h"

namespace wh::config {
namespace {

constexpr size_t kWidth = 79;

// "name=value" or "name", without the leading dashes.
struct LongArgument {
  std::string name;
  bool has_value = false;
  std::string value;
};

LongArgument split_long(std::string_view argument) {
  argument.remove_prefix(2);
  const size_t equals = argument.find('=');
  if (equals == std::string_view::npos) return {std::string(argument), false, ""};
  return {std::string(argument.substr(0, equals)), true, std::string(argument.substr(equals + 1))};
}

void append_wrapped(std::string& out, size_t indent, std::string_view text) {
  size_t room = kWidth - indent;
  while (text.size() > room) {
    size_t cut = text.rfind(' ', room);
    if (cut == std::string_view::npos || cut == 0) cut = room;
    out.append(text.substr(0, cut)).append("\n").append(indent, ' ');
    text.remove_prefix(cut);
    while (text.starts_with(' ')) text.remove_prefix(1);
  }
  out.append(text).append("\n");
}

struct ModeSpec {
  std::string_view name;
  CommandLine::Mode mode;
  std::string_view value;  // what its value is; empty: it takes none
};
constexpr ModeSpec kModes[] = {
    {"check-config", CommandLine::Mode::check_config, "config file"},
    {"check-health", CommandLine::Mode::check_health, ""},
    {"verify", CommandLine::Mode::verify, "backup file"},
    {"restore", CommandLine::Mode::restore, "backup file"},
    {"recover", CommandLine::Mode::recover, ""},
    {"simulate", CommandLine::Mode::simulate, ""},
};

// Reads one whole number, the value of an argument of --simulate.
template <typename Number>
Status take_number(const GivenDirective& given, Number& out) {
  const std::string value = given.values.size() == 1 ? given.values[0] : "";
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (error != std::errc{} || end != value.data() + value.size())
    return Error{"'--" + given.name + "' takes one number"};
  return Nothing{};
}

// True when the argument belongs to --simulate.
Result<bool> take_simulate(const GivenDirective& given, SimulateArguments& simulate) {
  Status status = Nothing{};
  if (given.name == "seed") {
    status = take_number(given, simulate.seed.emplace());
  } else if (given.name == "nodes") {
    status = take_number(given, simulate.nodes.emplace());
  } else if (given.name == "seconds") {
    status = take_number(given, simulate.seconds);
  } else if (given.name == "faults") {
    if (given.values.size() != 1 || given.values[0].empty())
      return Error{"'--faults' takes one list, with commas and no spaces"};
    simulate.faults = given.values[0];
  } else if (given.name == "trace") {
    if (!given.values.empty()) return Error{"'--trace' takes no value"};
    simulate.trace = true;
  } else {
    return false;
  }
  if (!status) return Error{status.error()};
  return true;
}

// True when the argument is no directive but chooses what to do or how.
Result<bool> take_mode(GivenDirective& given, CommandLine& line) {
  if (given.name == "yes" || given.name == "dry-run") {
    if (!given.values.empty()) return Error{"'--" + given.name + "' takes no value"};
    (given.name == "yes" ? line.yes : line.dry_run) = true;
    return true;
  }
  for (const ModeSpec& spec : kModes) {
    if (given.name != spec.name) continue;
    if (line.mode == spec.mode) return Error{"'--" + given.name + "' was given twice"};
    if (line.mode != CommandLine::Mode::run) return Error{"'--" + given.name + "' stands beside another thing to do"};
    if (spec.value.empty() ? !given.values.empty() : given.values.size() != 1 || given.values[0].empty())
      return Error{"'--" + given.name + "' takes " +
                   (spec.value.empty() ? "no value" : "one " + std::string(spec.value))};
    if (spec.mode == CommandLine::Mode::check_config && !line.config.empty())
      return Error{"'--check-config' takes one config file, and nothing stands before it"};
    line.mode = spec.mode;
    if (!spec.value.empty())
      (spec.mode == CommandLine::Mode::check_config ? line.config : line.file) = std::move(given.values[0]);
    return true;
  }
  return false;
}

// The arguments after two dashes that are neither directives nor modes.
constexpr std::string_view kOtherArguments[] = {"help",  "version", "yes",    "dry-run", "seed",
                                                "nodes", "seconds", "faults", "trace"};

void consider_arguments(Nearest& nearest) {
  for (const std::string_view name : kOtherArguments) nearest.consider(name);
  for (const ModeSpec& spec : kModes) nearest.consider(spec.name);
}

// The argument most likely meant by an unknown one; empty where a directive is nearer, or none is near.
std::string_view meant_argument(std::string_view name) {
  Nearest nearest(name);
  for (const OptionSpec& spec : option_table()) nearest.consider(spec.name);
  const std::string_view directive = nearest.found();
  consider_arguments(nearest);
  return nearest.found() == directive ? std::string_view() : nearest.found();
}

}  // namespace

std::string_view argument_for_word(std::string_view word) {
  Nearest nearest(word);
  consider_arguments(nearest);
  return nearest.found();
}

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  size_t i = 0;
  const auto is_value = [&](size_t at) { return at < arguments.size() && !arguments[at].starts_with("--"); };

  if (is_value(0)) {
    const std::string& first = arguments[0];
    if (first == "-h" || first == "-v") {
      line.mode = first == "-h" ? CommandLine::Mode::help : CommandLine::Mode::version;
      return line;
    }
    if (first.empty()) return Error{"the path of the config file is empty"};
    if (first.size() > 1 && first[0] == '-')
      return Error{"unknown option '-" + shown_name(std::string_view(first).substr(1)) +
                   "': directives begin with two dashes"};
    line.config = first;
    i = 1;
    if (is_value(i)) return Error{"only one config file can be given; directives begin with two dashes"};
  }

  bool simulates = false;  // an argument of --simulate was given
  while (i < arguments.size()) {
    LongArgument argument = split_long(arguments[i]);
    ++i;
    if (argument.name == "help" || argument.name == "version") {
      if (argument.has_value) return Error{"'--" + argument.name + "' takes no value"};
      CommandLine answer;
      answer.mode = argument.name == "help" ? CommandLine::Mode::help : CommandLine::Mode::version;
      return answer;
    }
    GivenDirective given{std::move(argument.name), {}};
    if (argument.has_value) given.values.push_back(std::move(argument.value));
    for (; is_value(i); ++i) {
      if (argument.has_value)
        return Error{"unexpected value after '--" + printable(given.name.substr(0, 64)) + "=...'"};
      given.values.push_back(arguments[i]);
    }
    if (given.name.empty()) return Error{"'--' must be followed by the name of a directive"};
    const Result<bool> taken = take_mode(given, line);
    if (!taken) return Error{taken.error()};
    if (*taken) continue;
    const Result<bool> of_simulate = take_simulate(given, line.simulate);
    if (!of_simulate) return Error{of_simulate.error()};
    simulates |= *of_simulate;
    if (const std::string_view meant = *of_simulate ? std::string_view() : meant_argument(given.name); !meant.empty())
      return Error{"unknown argument '--" + printable(given.name.substr(0, 64)) + "'; did you mean '--" +
                   std::string(meant) + "'?"};
    if (!*of_simulate) line.directives.push_back(std::move(given));
  }
  if ((line.yes || line.dry_run) && line.mode != CommandLine::Mode::recover)
    return Error{"'--yes' and '--dry-run' go with '--recover'"};
  if (simulates && line.mode != CommandLine::Mode::simulate)
    return Error{"'--seed', '--nodes', '--seconds', '--faults' and '--trace' go with '--simulate'"};
  if (line.mode == CommandLine::Mode::simulate) {
    if (!line.config.empty() || !line.directives.empty())
      return Error{"'--simulate' takes no config and no directives: it opens no port and no file"};
    const SimulateArguments& simulate = line.simulate;
    if (simulate.nodes && (*simulate.nodes < 1 || *simulate.nodes > 7)) return Error{"'--nodes' takes 1 to 7"};
    if (simulate.seconds < 1 || simulate.seconds > 86'400) return Error{"'--seconds' takes 1 to 86400"};
    if (simulate.trace && !simulate.seed) return Error{"'--trace' shows one run: it goes with '--seed'"};
  }
  if (line.mode == CommandLine::Mode::verify && (!line.config.empty() || !line.directives.empty()))
    return Error{"'--verify' takes a backup file, and nothing stands beside it"};
  return line;
}

std::string help_text() {
  std::string out =
      "Usage: wormhole-server [CONFIG | -] [--DIRECTIVE VALUE ...]\n"
      "       wormhole-server --check-config CONFIG [--DIRECTIVE VALUE ...]\n"
      "       wormhole-server [CONFIG] --check-health [--DIRECTIVE VALUE ...]\n"
      "       wormhole-server [CONFIG] [--DIRECTIVE VALUE ...] --restore FILE\n"
      "       wormhole-server [CONFIG] [--DIRECTIVE VALUE ...] --recover\n"
      "                       [--dry-run | --yes]\n"
      "       wormhole-server --verify FILE\n"
      "       wormhole-server --simulate [--seed N] [--nodes N] [--seconds N]\n"
      "                       [--faults LIST] [--trace]\n"
      "       wormhole-server --help | --version\n"
      "\n"
      "A distributed event queue and key-value store, replicated with Raft.\n"
      "Without arguments: a cluster of one node on loopback, data in the current\n"
      "directory. With '-' the config is read from standard input. --check-health\n"
      "asks the server of that config whether it lives: status 0 or 1.\n"
      "\n"
      "--verify looks whether a backup (GET /backup) is good. --restore makes a new\n"
      "cluster of one node of it, in an empty dir. --recover is for the last node of\n"
      "a cluster whose quorum is gone for good: it shows what is in dir, asks (with\n"
      "--yes it does not; with --dry-run it only shows), and makes a new cluster of\n"
      "that node alone. None of them starts the server. docs/operations.md says when\n"
      "to use which.\n"
      "\n"
      "--simulate runs clusters of this very server in virtual time through crashes,\n"
      "partitions and worse, and looks after every event whether all promises hold:\n"
      "for --seconds (10), from --seed on, with --nodes and --faults LIST where they\n"
      "are given, a comma between two: crashes, pauses, partitions, network, disks,\n"
      "clocks, members, transfers; all; none. With --trace: all that happens in the\n"
      "one --seed.\n"
      "\n"
      "Examples:\n"
      "  wormhole-server\n"
      "  wormhole-server /etc/wormhole/wormhole.conf\n"
      "  wormhole-server wormhole.conf --port 9000 --raft-port 10000\n"
      "  wormhole-server --dir /tmp/node2 --port 8081 --raft-port 1122 \\\n"
      "                  --debug-port 0 --join 127.0.0.1:1112\n"
      "  echo 'loglevel verbose' | wormhole-server - --bind 10.0.0.1 -::1\n"
      "  WORMHOLE_RAFT_PORT=10000 wormhole-server\n"
      "  wormhole-server --verify backup.db\n"
      "  wormhole-server wormhole.conf --dir /var/lib/wormhole --restore backup.db\n"
      "  wormhole-server wormhole.conf --recover --dry-run\n"
      "  wormhole-server --simulate --nodes 5 --faults crashes,partitions\n"
      "\n"
      "A directive counts from the command line before the environment, from the\n"
      "environment (WORMHOLE_ and its name in capitals, '_' for '-') before the config\n"
      "file, and from there before its default. Use --NAME=VALUE for a value that\n"
      "begins with '--'. Secrets belong into a file: the config file, or one that a\n"
      "variable names (WORMHOLE_REQUIREPASS_FILE=/run/secrets/password); 'ps' may show\n"
      "a command line. conf/wormhole.conf explains every directive.\n";
  constexpr size_t kNames = 27;
  std::string_view section;
  for (const OptionSpec& spec : option_table()) {
    if (spec.section != section) {
      section = spec.section;
      out.append("\n").append(section).append("\n");
    }
    std::string row = "  " + std::string(spec.name);
    row.resize(kNames, ' ');
    std::string text(spec.doc);
    if (!spec.choices.empty()) text += " (" + std::string(spec.choices) + ")";
    if (const std::string value = default_text(spec); value != "\"\"" && !value.empty()) text += " [" + value + "]";
    out += row;
    append_wrapped(out, kNames, text);
  }
  return out;
}

std::string version_text() { return "wormhole-server " WORMHOLE_VERSION "\n"; }

}  // namespace wh::config
