// The debug port's commands: one table that says how each becomes an operation, or an immediate reply, and how the
// operation's answer becomes the reply. The rows and their functions are in commands_FAMILY.cc. Knows how to build
// RESP, knows no connection.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/calls.h"
#include "api/operations.h"
#include "debug/command_table.h"

namespace wh::api {

// The operation that a command asks for; or the reply, where it asks nothing of the node.
using CommandCall = std::variant<Operation, std::string>;
using CommandBegun = OrRefusal<CommandCall>;

struct CommandSpec {
  debug::Command command;
  // `arguments`: the words, the command's own name first, as many as its arity allows. The operation may hold views of
  // them.
  CommandBegun (*begin)(std::vector<std::string>& arguments);
  std::string (*finish)(const Context&, const Answer&);
};

const std::vector<CommandSpec>& command_specs();
// The rows of the table for debug::CommandTable; `tag` is the index in command_specs().
std::vector<debug::Command> debug_commands();
// Replaces a command's words that must stay hidden by `(redacted)`: passwords, the values of secret directives. The
// name is the first word.
void hide_secrets(const debug::Command& command, std::vector<std::string>& words);
// The reply to a command that was refused, itself or its operation.
std::string refusal_reply(const Refusal& refusal, bool write);

// --- for the files of commands

// Each file's rows.
std::span<const CommandSpec> key_commands();
std::span<const CommandSpec> queue_commands();
std::span<const CommandSpec> server_commands();

inline CommandBegun begun(Operation operation) { return CommandCall(std::move(operation)); }
// +OK
std::string finish_done(const Context&, const Answer&);
// The number of a Count.
std::string finish_count(const Context&, const Answer&);

}  // namespace wh::api
