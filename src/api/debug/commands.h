// The debug port's commands: one table that says how each becomes an operation, or an immediate reply, and how the
// operation's answer becomes the reply. The rows and their functions are in commands_FAMILY.cc. Knows how to build
// RESP, knows no connection.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/calls.h"
#include "api/front_connections.h"
#include "api/operations.h"
#include "debug/command_table.h"
#include "debug/connection.h"

namespace wh::api {

using CommandFinish = std::function<std::string(const Context&, const Answer&)>;
using PortConnections = FrontConnections<debug::Connection>;
// The reply to a command about the port's connections, `asking` among them.
using ConnectionsFinish = std::function<std::string(debug::Connection& asking, PortConnections& all)>;

// The reply to a command that changes what its own connection remembers.
using ClientFinish = std::function<std::string(debug::Connection& client, const Context&, const Answer&)>;

// What a command asks for.
struct CommandCall {
  // None: `reply` is the reply. Several, each a Settle, go out together, and their outcomes are one answer.
  std::vector<Operation> operations;
  std::string reply{};
  CommandFinish finish{};              // in place of the row's
  ConnectionsFinish of_connections{};  // in place of both: makes the reply once the operations are answered
  ClientFinish for_client{};           // in place of all of them
  // Asked first, as of the state of this node; may complete the operations.
  std::function<std::optional<Refusal>(const Context&, std::vector<Operation>& operations)> check{};
  bool none_where_absent = false;  // jobs of a queue that is not there are gone, as if it were there and empty
};
using CommandBegun = OrRefusal<CommandCall>;

struct CommandSpec {
  debug::Command command;
  // `arguments`: the words, the command's own name first, as many as its arity allows. The operations may hold views of
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
// Whether it may change something: what it was refused for says whether it did.
bool is_write(const debug::Command& command);
// The reply to a command that was refused, itself or its operation.
std::string refusal_reply(const Refusal& refusal, bool write);
// A sentence of the machine, in the words that client libraries look for.
std::string_view reworded(std::string_view sentence);

// --- for the files of commands

// Each file's rows.
std::span<const CommandSpec> key_commands();
std::span<const CommandSpec> string_commands();
std::span<const CommandSpec> expiry_commands();
std::span<const CommandSpec> list_commands();
std::span<const CommandSpec> job_commands();
std::span<const CommandSpec> server_commands();
std::span<const CommandSpec> client_commands();
std::span<const CommandSpec> transaction_commands();
std::span<const CommandSpec> monitor_commands();

inline CommandBegun begun(Operation operation, CommandFinish finish = {}) {
  CommandCall call;
  call.operations.push_back(std::move(operation));
  call.finish = std::move(finish);
  return call;
}
inline CommandBegun answered(std::string reply) { return CommandCall{.operations = {}, .reply = std::move(reply)}; }
// Redis's errors.
inline constexpr std::string_view kNoInteger = "value is not an integer or out of range";
inline constexpr std::string_view kSyntaxError = "syntax error";
// The whole word as a number.
std::optional<int64_t> number_of(std::string_view word);
// +OK
std::string finish_done(const Context&, const Answer&);
// The number of a Count.
std::string finish_count(const Context&, const Answer&);

}  // namespace wh::api
