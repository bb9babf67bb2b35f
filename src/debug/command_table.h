// The table of the debug port's commands, from which dispatch, HELP and COMMAND are all made. Holds the commands that
// the port itself answers (Builtin) and those that its owner adds. Immutable once made; does no I/O and runs no
// command. Made by the server, read by every connection.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wh::debug {

// Which other commands of its connection a command may run together with.
enum class Overlap {
  alone,      // dispatched when all commands before it are answered; those after it wait for its answer
  write,      // like alone, but consecutive writes may be in flight together
  immediate,  // touches nothing that commands share: neither waits nor makes others wait; its answer keeps its place
};

// Commands that the connection answers itself, without the handler.
enum class Builtin { none, ping, echo, quit, reset, select, auth, hello, help, command, multi, exec, discard, unwatch };

// The Redis whose commands and replies clients are to expect, as HELLO and INFO tell them.
inline constexpr std::string_view kRedisVersion = "7.0.0";

// The texts are literals: they outlive the table.
struct Command {
  std::string_view name;  // lower case
  int arity = 1;          // words, including the name; negative: at least that many (Redis)
  Overlap overlap = Overlap::alone;
  bool before_auth = false;  // allowed without the password
  std::string_view flags;    // Redis's words for COMMAND, separated by spaces: "readonly fast"
  int first_key = 0;         // as in Redis's COMMAND
  int last_key = 0;
  int key_step = 0;
  std::string_view parameters;         // as HELP shows them: "key value"
  std::string_view summary;            // one sentence, without a full stop
  std::string_view group = "generic";  // for redis-cli's `help @group`
  int tag = 0;                         // for the owner's switch
  Builtin builtin = Builtin::none;
};

class CommandTable {
 public:
  // Adds the built-in commands. A name that occurs twice, or is not in lower case, is a bug.
  explicit CommandTable(std::vector<Command> commands);
  CommandTable(const CommandTable&) = delete;  // connections point into it
  CommandTable& operator=(const CommandTable&) = delete;

  // Finds a command; `name` in any case. nullptr: no such command.
  [[nodiscard]] const Command* find(std::string_view name) const;
  // In alphabetical order.
  [[nodiscard]] const std::vector<Command>& all() const { return commands_; }

  // Answers to HELP and COMMAND. `arguments` are the request's, including the name.
  [[nodiscard]] std::string help_reply(const std::vector<std::string>& arguments) const;
  [[nodiscard]] std::string command_reply(const std::vector<std::string>& arguments) const;

 private:
  std::vector<Command> commands_;
};

// Whether `count` words, including the name, satisfy the command's arity.
[[nodiscard]] bool arity_fits(const Command& command, size_t count);

// One command in the answer to COMMAND DOCS: its name, then what there is to say of it.
[[nodiscard]] std::string docs_reply(const Command& command);

// Redis's errors, in Redis's words.
[[nodiscard]] std::string wrong_arity_reply(const Command& command);
[[nodiscard]] std::string unknown_command_reply(const std::vector<std::string>& arguments);

// ASCII only.
[[nodiscard]] std::string lower_case(std::string_view text);
[[nodiscard]] std::string upper_case(std::string_view text);

}  // namespace wh::debug
