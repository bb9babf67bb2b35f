// The debug port's commands: one table that says how each becomes a call on the node, or an answer right away, and how
// the call's completion becomes the reply. Knows RESP's building blocks, no connection.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/calls.h"
#include "api/slowlog.h"
#include "config/options.h"
#include "debug/command_table.h"
#include "node/node.h"

namespace wh {

// What the commands may look at and change.
struct CommandContext {
  const Options& options;
  const node::Node& node;
  std::function<std::string(std::span<const std::string> sections)> info;
  // CONFIG SET, with its side effects.
  std::function<Status(const std::string& name, const std::string& value)> configure;
  // CONFIG RESETSTAT.
  std::function<void()> reset_counters;
  SlowLog& slow_log;
};

struct CommandState {
  std::vector<std::string> names;  // the key, or keys, or the queue
};

using CommandBegun = std::variant<std::pair<Call, CommandState>, std::string>;

struct CommandSpec {
  debug::Command command;
  CommandBegun (*begin)(const CommandContext&, std::vector<std::string>& arguments);
  // Called for an applied call only; nullptr where begin always answers.
  std::string (*finish)(const CommandContext&, const CommandState&, const node::Completion&);
};

const std::vector<CommandSpec>& command_specs();
// The rows of the table for debug::CommandTable; `tag` is the index in command_specs().
std::vector<debug::Command> debug_commands();
// Puts `(redacted)` for what must stay unseen among a command's words, the name first: passwords, the values of secret
// directives.
void hide_secrets(const debug::Command& command, std::vector<std::string>& words);
// The reply to a call that was not applied.
std::string outcome_reply(const node::Completion& completion, bool write);

}  // namespace wh
