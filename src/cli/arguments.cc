#include "cli/arguments.h"

#include <algorithm>
#include <charconv>

#include "base/duration.h"
#include "base/log.h"
#include "base/nearest.h"

namespace wh::cli {
namespace {

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string quoted(std::string_view text) { return "'" + printable(text) + "'"; }

// What a value must look like, by the name of its kind; empty: it does.
std::string fault_in(const OptionRow& option, std::string_view value) {
  const std::string subject = std::string(option.name) + " takes ";
  if (option.argument == "TIME" && !parse_duration(value))
    return subject + "a time such as 250ms, 30s, 10m, 12h or 7d (a bare number: seconds), not " + quoted(value);
  if (option.argument == "N" && !number_of(value)) return subject + "a number, not " + quoted(value);
  if (option.argument == "NAME=VALUE" && (value.find('=') == std::string_view::npos || value.starts_with('=')))
    return subject + "NAME=VALUE, not " + quoted(value);
  if (option.argument == "TYPE" &&
      (value.empty() || std::any_of(value.begin(), value.end(), [](char c) { return c < ' ' || c > '~'; })))
    return subject + "a media type such as text/plain, not " + quoted(value);
  if (option.argument == "KEY" && (value.empty() || value.size() > 255)) return subject + "1 to 255 characters";
  if (option.argument == "KEY" && std::any_of(value.begin(), value.end(), [](char c) { return c <= ' ' || c > '~'; }))
    return subject + "printable characters without blanks";
  if (option.argument == "table|json" && value != "table" && value != "json")
    return subject + "'table' or 'json', not " + quoted(value);
  return {};
}

// Reads the words from left to right.
class Reader {
 public:
  explicit Reader(const std::vector<std::string>& words) : words_(words) {}

  Parsed read() {
    while (at_ < words_.size() && !error_ && !special_) take(words_[at_++]);
    if (error_) return *error_;
    if (special_) return *special_;
    if (invocation_.command == nullptr) return UsageError{"no command is given"};
    return finish();
  }

 private:
  void fail(std::string sentence) { error_ = UsageError{std::move(sentence), invocation_.command}; }

  void take(const std::string& word) {
    const CommandRow* command = invocation_.command;
    if (word == "--" && command != nullptr && command->runs != RunsCommand::no) {
      invocation_.child.emplace(words_.begin() + static_cast<std::ptrdiff_t>(at_), words_.end());
      at_ = words_.size();
    } else if (word == "--" && !only_arguments_) {
      only_arguments_ = true;
    } else if (!only_arguments_ && word.size() > 1 && word.starts_with('-') && !is_number(word)) {
      take_option(word);
    } else if (command == nullptr) {
      take_command(word);
    } else {
      invocation_.arguments.push_back(word);
    }
  }

  static bool is_number(std::string_view word) { return number_of(word.substr(1)).has_value(); }

  void take_command(const std::string& word) {
    if (word == "help") {
      special_ = SpecialRequest{Special::help, at_ < words_.size() ? words_[at_] : std::string()};
      if (!special_->word.empty() && find_command(special_->word) == nullptr) unknown_command(special_->word);
      return;
    }
    if (word == "version") {
      special_ = SpecialRequest{Special::version, {}};
      return;
    }
    invocation_.command = find_command(word);
    if (invocation_.command == nullptr) unknown_command(word);
  }

  void unknown_command(const std::string& word) {
    Nearest nearest(word);
    for (const CommandRow& command : commands()) nearest.consider(command.name);
    std::string sentence = "there is no command " + quoted(word);
    if (!nearest.found().empty()) sentence += "; did you mean '" + std::string(nearest.found()) + "'?";
    fail(sentence);
  }

  // --name, --name=value, -x, -xVALUE
  void take_option(const std::string& word) {
    const size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const std::string name = word.starts_with("--") ? word.substr(0, equals) : word.substr(0, 2);
    std::optional<std::string> value;
    if (equals != std::string::npos) value = word.substr(equals + 1);
    if (!word.starts_with("--") && word.size() > 2) value = word.substr(2);
    if (take_special(name, value)) return;
    const OptionRow* option = find_option(name);
    if (option == nullptr) return unknown_option(name);
    if (option->argument.empty()) {
      if (value) return fail(std::string(option->name) + " takes no value");
      invocation_.options[std::string(option->name)];
      return;
    }
    if (!value) {
      if (at_ == words_.size())
        return fail(std::string(option->name) + " needs a value: " + std::string(option->argument));
      value = words_[at_++];
    }
    if (const std::string fault = fault_in(*option, *value); !fault.empty()) return fail(fault);
    auto& values = invocation_.options[std::string(option->name)];
    if (!values.empty() && !option->repeats) return fail(std::string(option->name) + " is given twice");
    values.push_back(*std::move(value));
  }

  bool take_special(const std::string& name, const std::optional<std::string>& value) {
    if (name == "--help" || name == "-h") {
      const CommandRow* command = invocation_.command;
      special_ = SpecialRequest{Special::help, command == nullptr ? std::string() : std::string(command->name)};
    } else if (name == "--version") {
      special_ = SpecialRequest{Special::version, {}};
    } else if (name == "--man-page") {
      special_ = SpecialRequest{Special::man_page, value.value_or(std::string())};
    } else if (name == "--completion") {
      const std::string shell = value.value_or(at_ < words_.size() ? words_[at_] : std::string());
      if (shell != "bash" && shell != "zsh") {
        fail("--completion takes 'bash' or 'zsh'");
        return true;
      }
      special_ = SpecialRequest{Special::completion, shell};
    } else if (name == "--password") {
      fail(
          "a password must not stand on the command line, as others can read it there: use --password-file FILE or "
          "WORMHOLE_PASSWORD");
    } else {
      return false;
    }
    return true;
  }

  [[nodiscard]] const OptionRow* find_option(std::string_view name) const {
    const auto find = [&](const std::vector<OptionRow>& options) -> const OptionRow* {
      const auto found = std::find_if(options.begin(), options.end(), [&](const OptionRow& option) {
        return option.name == name || (!option.letter.empty() && option.letter == name);
      });
      return found == options.end() ? nullptr : &*found;
    };
    const OptionRow* option = invocation_.command == nullptr ? nullptr : find(invocation_.command->options);
    return option != nullptr ? option : find(global_options());
  }

  void unknown_option(const std::string& name) {
    Nearest nearest(name);
    for (const OptionRow& option : global_options()) nearest.consider(option.name);
    std::string sentence = "there is no option " + quoted(name);
    if (invocation_.command != nullptr) {
      for (const OptionRow& option : invocation_.command->options) nearest.consider(option.name);
      sentence = "'" + std::string(invocation_.command->name) + "' has no option " + quoted(name);
    } else if (option_of_some_command(name)) {
      fail(sentence + " here: it stands after its command");
      return;
    }
    if (!nearest.found().empty()) sentence += "; did you mean '" + std::string(nearest.found()) + "'?";
    fail(sentence);
  }

  static bool option_of_some_command(std::string_view name) {
    for (const CommandRow& command : commands())
      for (const OptionRow& option : command.options)
        if (option.name == name) return true;
    return false;
  }

  Parsed finish() {
    const CommandRow& command = *invocation_.command;
    const size_t count = invocation_.arguments.size();
    if (count > command.most && command.runs != RunsCommand::no && !invocation_.child) {
      fail("'" + std::string(command.name) + "' takes no argument " + quoted(invocation_.arguments[command.most]) +
           " beyond " + std::string(command.arguments) + "; a command to run stands behind '--'");
    } else if (count < command.least) {
      fail("'" + std::string(command.name) + "' needs " + std::string(command.arguments));
    } else if (count > command.most) {
      fail("'" + std::string(command.name) + "' takes no argument " + quoted(invocation_.arguments[command.most]) +
           (command.most == 0 ? "" : " beyond " + std::string(command.arguments)) +
           "; one with blanks stands in quotes");
    } else if (invocation_.child ? invocation_.child->empty() : command.runs == RunsCommand::must) {
      fail("'" + std::string(command.name) + "' needs '--' and the command to run");
    }
    if (error_) return *error_;
    return std::move(invocation_);
  }

  const std::vector<std::string>& words_;
  size_t at_ = 0;
  bool only_arguments_ = false;
  Invocation invocation_;
  std::optional<UsageError> error_;
  std::optional<SpecialRequest> special_;
};

}  // namespace

std::string Invocation::text(std::string_view option) const {
  const auto& all = texts(option);
  return all.empty() ? std::string() : all.back();
}

const std::vector<std::string>& Invocation::texts(std::string_view option) const {
  static const std::vector<std::string> none;
  const auto found = options.find(option);
  return found == options.end() ? none : found->second;
}

std::optional<uint64_t> Invocation::number(std::string_view option) const {
  return has(option) ? number_of(text(option)) : std::nullopt;
}

std::optional<Millis> Invocation::duration(std::string_view option) const {
  return has(option) ? parse_duration(text(option)) : std::nullopt;
}

const CommandRow* find_command(std::string_view name) {
  const auto& all = commands();
  const auto found = std::find_if(all.begin(), all.end(), [&](const CommandRow& row) { return row.name == name; });
  return found == all.end() ? nullptr : &*found;
}

Parsed parse_arguments(const std::vector<std::string>& words) { return Reader(words).read(); }

std::string usage_of(const CommandRow& command) {
  std::string out = "wormhole-cli " + std::string(command.name);
  if (!command.options.empty()) out += " [OPTION...]";
  if (!command.arguments.empty()) out += " " + std::string(command.arguments);
  if (command.runs != RunsCommand::no) out += command.runs == RunsCommand::must ? " -- COMMAND..." : " [-- COMMAND...]";
  return out;
}

}  // namespace wh::cli
