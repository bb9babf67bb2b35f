// The debug port's commands: one table that says how each becomes an operation, or a reply right away, and how the
// operation's answer becomes the reply. The rows and their functions are in commands_FAMILY.cc. Knows RESP's building
// blocks, no connection.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/calls.h"
#include "api/operations.h"
#include "debug/command_table.h"

namespace wh {

// What a command asks for; or the reply, where it asks nothing of the node.
using CommandCall = std::variant<Operation, std::string>;
using CommandBegun = OrRefusal<CommandCall>;

struct CommandSpec {
  debug::Command command;
  // `arguments`: the words, the command's own name first, as many as its arity says. The operation may hold views of
  // them.
  CommandBegun (*begin)(std::vector<std::string>& arguments);
  std::string (*finish)(const ApiContext&, const Answer&);
};

const std::vector<CommandSpec>& command_specs();
// The rows of the table for debug::CommandTable; `tag` is the index in command_specs().
std::vector<debug::Command> debug_commands();
// Puts `(redacted)` for what must stay unseen among a command's words, the name first: passwords, the values of secret
// directives.
void hide_secrets(const debug::Command& command, std::vector<std::string>& words);
// The reply to a command that was refused, or whose operation was.
std::string refusal_reply(const Refusal& refusal, bool write);

// --- for the files of commands

// Each file's rows.
std::span<const CommandSpec> key_commands();
std::span<const CommandSpec> queue_commands();
std::span<const CommandSpec> server_commands();

inline CommandBegun begun(Operation operation) { return CommandCall(std::move(operation)); }
// +OK
std::string finish_done(const ApiContext&, const Answer&);
// The number of a Count.
std::string finish_count(const ApiContext&, const Answer&);

}  // namespace wh
