// The table, and what the commands share.
#include "api/debug/commands.h"

#include <charconv>

#include "config/option_table.h"
#include "debug/resp.h"

namespace wh::api {

const std::vector<CommandSpec>& command_specs() {
  static const std::vector<CommandSpec> specs = [] {
    std::vector<CommandSpec> all;
    for (const auto& family : {key_commands(), string_commands(), expiry_commands(), list_commands(), job_commands(),
                               server_commands(), client_commands(), transaction_commands(), monitor_commands()})
      all.insert(all.end(), family.begin(), family.end());
    return all;
  }();
  return specs;
}

std::vector<debug::Command> debug_commands() {
  std::vector<debug::Command> commands;
  for (const CommandSpec& spec : command_specs()) {
    commands.push_back(spec.command);
    commands.back().tag = static_cast<int>(commands.size()) - 1;
  }
  return commands;
}

void hide_secrets(const debug::Command& command, std::vector<std::string>& words) {
  size_t first = words.size();
  if (command.builtin == debug::Builtin::auth) first = 1;
  if (command.builtin == debug::Builtin::hello) first = 2;
  // Also in the form with several pairs, which is refused, but was sent.
  if (command.name == "config" && words.size() > 3 && debug::lower_case(words[1]) == "set")
    for (size_t i = 2; i + 1 < words.size() && first == words.size(); ++i)
      if (config::hides_value(words[i])) first = i + 1;
  for (size_t i = first; i < words.size(); ++i) words[i] = "(redacted)";
}

namespace {

// What client libraries look for, in place of the machine's sentences.
struct Rewording {
  std::string_view sentence;
  std::string_view of_redis;
};
constexpr Rewording kRewordings[] = {
    {machine::kNoNumber, kNoInteger},
    {machine::kSumTooLarge, "increment or decrement would overflow"},
};

}  // namespace

std::string_view reworded(std::string_view sentence) {
  for (const Rewording& one : kRewordings)
    if (one.sentence == sentence) return one.of_redis;
  return sentence;
}

std::string refusal_reply(const Refusal& refusal, bool write) {
  using debug::ErrorWord;
  const auto word = [&] {
    if (!refusal.not_applied) return ErrorWord::unknown;
    switch (refusal.kind) {
      case RefusalKind::unauthenticated:
        return ErrorWord::noauth;
      case RefusalKind::forbidden:
        return ErrorWord::denied;
      case RefusalKind::no_room:
        return ErrorWord::oom;
      case RefusalKind::unavailable:
      case RefusalKind::overloaded:
      case RefusalKind::elsewhere:
      case RefusalKind::unsupported:
        return write ? ErrorWord::notapplied : ErrorWord::err;
      default:
        return ErrorWord::err;
    }
  };
  return debug::error_reply(word(), reworded(refusal.sentence));
}

bool is_write(const debug::Command& command) { return command.flags.starts_with("write"); }

std::optional<int64_t> number_of(std::string_view word) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return number;
}

std::string finish_done(const Context&, const Answer&) { return debug::simple_reply("OK"); }

std::string finish_count(const Context&, const Answer& answer) {
  return debug::integer_reply(static_cast<int64_t>(std::get<Count>(answer.body).count));
}

}  // namespace wh::api
