#include "cli/completion.h"

#include <algorithm>

#include "cli/arguments.h"

namespace wh::cli {
namespace {

bool takes_file(const OptionRow& option) { return option.argument == "FILE"; }
bool takes_word(const OptionRow& option) {
  return !option.argument.empty() && option.argument.find('|') != std::string_view::npos;
}

std::string words_of(std::string_view alternatives) {
  std::string out(alternatives);
  std::replace(out.begin(), out.end(), '|', ' ');
  return out;
}

// All rows of options, those of every command first.
std::vector<OptionRow> all_options() {
  std::vector<OptionRow> out = global_options();
  for (const CommandRow& command : commands()) out.insert(out.end(), command.options.begin(), command.options.end());
  return out;
}

// For each option whose argument is one of some words: a case of the shell that offers them, between these two texts.
std::string cases_of_words(const std::string& before, const std::string& behind) {
  std::string cases;
  std::vector<std::string_view> done;
  for (const OptionRow& option : all_options()) {
    if (!takes_word(option) || std::find(done.begin(), done.end(), option.name) != done.end()) continue;
    done.push_back(option.name);
    const std::string names =
        std::string(option.name) + (option.letter.empty() ? "" : "|" + std::string(option.letter));
    cases += "      " + names + ") " + before + words_of(option.argument) + behind + " ;;\n";
  }
  return cases;
}

// "--a|--b", of the options that `wanted` picks, each once.
template <typename Wanted>
std::string pattern(Wanted wanted) {
  std::vector<std::string> names;
  for (const OptionRow& option : all_options()) {
    if (!wanted(option)) continue;
    for (const std::string_view name : {option.name, option.letter})
      if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  }
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : "|") + name;
  return out;
}

std::string option_words(const std::vector<OptionRow>& options) {
  std::string out;
  for (const OptionRow& option : options) out += (out.empty() ? "" : " ") + std::string(option.name);
  return out;
}

std::string command_words() {
  std::string out = "help version";
  for (const CommandRow& command : commands()) out += " " + std::string(command.name);
  return out;
}

// Commands whose argument is a file.
std::string file_commands() {
  std::string out;
  for (const CommandRow& command : commands())
    if (command.arguments.find("FILE") != std::string_view::npos)
      out += (out.empty() ? "" : "|") + std::string(command.name);
  return out;
}

// Text in single quotes of a zsh array, where `:` separates.
std::string described(std::string_view name, std::string_view text) {
  std::string out = "'" + std::string(name) + ":";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : c == ':' ? std::string("\\:") : std::string(1, c);
  return out + "'";
}

}  // namespace

std::string bash_completion() {
  std::string out =
      "# bash completion for wormhole-cli. Made by wormhole-cli --completion bash.\n"
      "_wormhole_cli() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= word expects= at\n"
      "  COMPREPLY=()\n"
      "  for ((at = 1; at < COMP_CWORD; ++at)); do\n"
      "    word=${COMP_WORDS[at]}\n"
      "    if [[ -n $expects ]]; then expects=; continue; fi\n"
      "    case $word in\n"
      "      " +
      pattern([](const OptionRow& option) { return !option.argument.empty(); }) +
      ") expects=1 ;;\n"
      "      --) [[ -n $command ]] && { COMPREPLY=($(compgen -c -- \"$cur\")); return; } ;;\n"
      "      -*) ;;\n"
      "      *) [[ -z $command ]] && command=$word ;;\n"
      "    esac\n"
      "  done\n"
      "  if [[ -n $expects ]]; then\n"
      "    case $prev in\n"
      "      " +
      pattern(takes_file) + ") compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n";
  out += cases_of_words("COMPREPLY=($(compgen -W '", "' -- \"$cur\"))");
  out +=
      "    esac\n"
      "    return\n"
      "  fi\n"
      "  if [[ $cur == -* ]]; then\n"
      "    local options='" +
      option_words(global_options()) +
      "'\n"
      "    case $command in\n";
  for (const CommandRow& command : commands())
    if (!command.options.empty())
      out += "      " + std::string(command.name) + ") options+=' " + option_words(command.options) + "' ;;\n";
  out +=
      "    esac\n"
      "    COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
      "    return\n"
      "  fi\n"
      "  case $command in\n"
      "    ''|help) COMPREPLY=($(compgen -W '" +
      command_words() +
      "' -- \"$cur\")) ;;\n"
      "    " +
      file_commands() +
      ") compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
      "  esac\n"
      "}\n"
      "complete -F _wormhole_cli wormhole-cli\n";
  return out;
}

std::string zsh_completion() {
  std::string out =
      "#compdef wormhole-cli\n"
      "# zsh completion for wormhole-cli. Made by wormhole-cli --completion zsh.\n"
      "_wormhole_cli() {\n"
      "  local command= word expects= at\n"
      "  local -a commands options\n"
      "  commands=(\n"
      "    'help:shows a command'\n";
  for (const CommandRow& command : commands()) out += "    " + described(command.name, command.line) + "\n";
  out += "  )\n  options=(\n";
  for (const OptionRow& option : global_options()) out += "    " + described(option.name, option.text) + "\n";
  out +=
      "  )\n"
      "  for ((at = 2; at < CURRENT; ++at)); do\n"
      "    word=${words[at]}\n"
      "    if [[ -n $expects ]]; then expects=; continue; fi\n"
      "    case $word in\n"
      "      " +
      pattern([](const OptionRow& option) { return !option.argument.empty(); }) +
      ") expects=$word ;;\n"
      "      --) [[ -n $command ]] && { shift at words; (( CURRENT -= at )); _normal; return; } ;;\n"
      "      -*) ;;\n"
      "      *) [[ -z $command ]] && command=$word ;;\n"
      "    esac\n"
      "  done\n"
      "  if [[ -n $expects ]]; then\n"
      "    case $expects in\n"
      "      " +
      pattern(takes_file) + ") _files ;;\n";
  out += cases_of_words("compadd ", "");
  out +=
      "    esac\n"
      "    return\n"
      "  fi\n"
      "  if [[ ${words[CURRENT]} == -* ]]; then\n"
      "    case $command in\n";
  for (const CommandRow& command : commands()) {
    if (command.options.empty()) continue;
    out += "      " + std::string(command.name) + ") options+=(";
    for (const OptionRow& option : command.options) out += " " + described(option.name, option.text);
    out += " ) ;;\n";
  }
  out +=
      "    esac\n"
      "    _describe option options\n"
      "    return\n"
      "  fi\n"
      "  case $command in\n"
      "    ''|help) _describe command commands ;;\n"
      "    " +
      file_commands() +
      ") _files ;;\n"
      "  esac\n"
      "}\n"
      "_wormhole_cli \"$@\"\n";
  return out;
}

}  // namespace wh::cli
