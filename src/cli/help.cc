#include "cli/help.h"

#include <algorithm>

#include "cli/settings.h"

namespace wh::cli {
namespace {

constexpr size_t kWidth = 100;
constexpr size_t kColumn = 28;

// Words in lines of at most kWidth characters, each indented.
std::string wrapped(std::string_view text, size_t indent) {
  std::string out;
  size_t at = indent;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    if (at + word.size() > kWidth && at > indent) {
      out.pop_back();
      out += "\n" + std::string(indent, ' ');
      at = indent;
    }
    out += word;
    out += ' ';
    at += word.size() + 1;
    if (text.substr(end).starts_with("\n\n")) {
      out.pop_back();
      out += "\n\n" + std::string(indent, ' ');
      at = indent;
    }
    text.remove_prefix(end);
    while (text.starts_with(' ') || text.starts_with('\n')) text.remove_prefix(1);
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

// "  name    text", the text wrapped in its column.
std::string row(const std::string& name, std::string_view text) {
  std::string out = "  " + name;
  if (out.size() + 2 > kColumn)
    out += "\n" + std::string(kColumn, ' ');
  else
    out.resize(kColumn, ' ');
  return out + wrapped(text, kColumn) + "\n";
}

std::string option_name(const OptionRow& option) {
  std::string out = option.letter.empty() ? "" : std::string(option.letter) + ", ";
  out += option.name;
  if (!option.argument.empty()) out += " " + std::string(option.argument);
  return out;
}

std::string option_rows(const std::vector<OptionRow>& options) {
  std::string out;
  for (const OptionRow& option : options) {
    std::string text(option.text);
    if (!option.environment.empty()) text += " [" + std::string(option.environment) + "]";
    out += row(option_name(option), text);
  }
  return out;
}

}  // namespace

const std::vector<StatusRow>& exit_statuses() {
  static const std::vector<StatusRow> all{
      {0, "done"},
      {1, "refused, or what was asked for is not there; of status: a member is silent, or not one more may fail"},
      {2, "the command line is wrong"},
      {3, "nobody answered: no endpoint can be reached, or none of them can serve"},
      {4, "unknown whether it took effect: repeat it with the --idempotency-key that is named"},
  };
  return all;
}

std::string general_help() {
  std::string out =
      "wormhole-cli asks a Wormhole cluster, at any of its nodes.\n\n"
      "usage: wormhole-cli [OPTION...] COMMAND [ARGUMENT...]\n"
      "       wormhole-cli help COMMAND\n";
  std::string_view group;
  for (const CommandRow& command : commands()) {
    if (command.group != group) out += "\n" + std::string(command.group) + "\n";
    group = command.group;
    out += row(std::string(command.name) + (command.arguments.empty() ? "" : " " + std::string(command.arguments)),
               command.line);
  }
  out += "\nOptions, before or after the command\n" + option_rows(global_options());
  out += "\nEnvironment\n";
  for (const Variable& variable : other_variables()) out += row(std::string(variable.name), variable.text);
  out += row("[NAME]", "in the list above: what an option means, where the option is not given");
  out += "\nExit status\n";
  for (const StatusRow& status : exit_statuses()) out += row(std::to_string(status.status), status.text);
  return out;
}

std::string command_help(const CommandRow& command) {
  std::string out = "wormhole-cli " + std::string(command.name) + ": " + std::string(command.line) +
                    "\n\nusage: " + usage_of(command) + "\n";
  if (!command.more.empty()) out += "\n" + wrapped(command.more, 0) + "\n";
  if (!command.options.empty()) out += "\nOptions\n" + option_rows(command.options);
  out += "\nExample\n  ";
  for (const char c : command.example) out += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return out + "\n\n'wormhole-cli --help' has the options that every command takes, and the exit statuses.\n";
}

}  // namespace wh::cli
