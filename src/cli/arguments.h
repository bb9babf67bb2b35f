// The one table of commands, and what a command line is by it. Help, usage errors, the man page and the shells'
// completions are all made from the table. Pure. Called by main, help.h, man_page.h, completion.h and the commands.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace wh::cli {

class Cluster;
class Invocation;

struct OptionRow {
  std::string_view name;      // "--ttl"
  std::string_view argument;  // "TIME"; empty: takes none
  std::string_view text;      // one sentence without a full stop
  std::string_view letter{};  // "-o"; empty: none
  std::string_view environment{};
  bool repeats = false;
};

enum class RunsCommand : uint8_t { no, may, must };

struct CommandRow {
  std::string_view group;  // a heading
  std::string_view name;
  std::string_view arguments;  // "KEY [VALUE]", as usage shows it
  size_t least = 0;            // how many arguments
  size_t most = 0;
  RunsCommand runs = RunsCommand::no;  // whether a command follows `--`
  std::string_view line;               // what it does: one line, no full stop
  std::string_view more;               // whole sentences; paragraphs are separated by empty lines
  std::string_view example;            // lines of shell
  std::vector<OptionRow> options;
  // Returns the exit status.
  int (*run)(Cluster& cluster, const Invocation& invocation) = nullptr;
};

const std::vector<CommandRow>& commands();
const std::vector<OptionRow>& global_options();
const CommandRow* find_command(std::string_view name);

// The value of a variable of the environment, or nothing.
using Environment = std::optional<std::string> (*)(const char* name);

// A command line that fits the table.
class Invocation {
 public:
  const CommandRow* command = nullptr;
  std::vector<std::string> arguments;
  std::optional<std::vector<std::string>> child;  // what follows `--` of a command that runs one
  std::map<std::string, std::vector<std::string>, std::less<>> options;

  [[nodiscard]] bool has(std::string_view option) const { return options.contains(option); }
  // Empty when it is not given.
  [[nodiscard]] std::string text(std::string_view option) const;
  [[nodiscard]] const std::vector<std::string>& texts(std::string_view option) const;
  // Nothing when it is not given.
  [[nodiscard]] std::optional<uint64_t> number(std::string_view option) const;
  [[nodiscard]] std::optional<Millis> duration(std::string_view option) const;
  [[nodiscard]] bool json() const { return text("--output") == "json"; }
};

// What the words ask for.
enum class Special : uint8_t { help, version, man_page, completion };
struct SpecialRequest {
  Special what;
  std::string word;  // help: the command, or empty; man page: the date, or empty; completion: the shell
};
struct UsageError {
  std::string sentence;
  const CommandRow* command = nullptr;  // whose usage helps; may be null
};
using Parsed = std::variant<Invocation, SpecialRequest, UsageError>;

// `words` without the program's name. Values of options are checked by their argument's kind: TIME, N, NAME=VALUE.
Parsed parse_arguments(const std::vector<std::string>& words);

// "wormhole-cli put KEY [VALUE]", with " [OPTION...]" where it has some.
std::string usage_of(const CommandRow& command);

}  // namespace wh::cli
