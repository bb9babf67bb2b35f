// The table of the debug port's commands, of which dispatch, HELP and COMMAND are all made. Holds those the port itself
// answers (PING ECHO QUIT RESET SELECT AUTH HELP COMMAND) beside those its owner adds. Immutable once made; does no I/O
// and runs no command. Made by the server, read by every connection.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wh::debug {

// What a command may share its time with, on one connection.
enum class Overlap {
  alone,      // dispatched when all before it are answered; what follows waits for its answer
  write,      // as alone, but writes that follow each other may be in flight together
  immediate,  // touches nothing that commands share: waits for none and holds up none; its answer keeps its place
};

// Commands answered by the connection rather than by the handler.
enum class Builtin { none, ping, echo, quit, reset, select, auth, help, command };

// The texts are literals: they outlive the table.
struct Command {
  std::string_view name;  // lower case
  int arity = 1;          // words, the name included; negative: at least that many (Redis)
  Overlap overlap = Overlap::alone;
  bool before_auth = false;  // allowed without the password
  std::string_view flags;    // Redis's words for COMMAND, parted by spaces: "readonly fast"
  int first_key = 0;         // as in Redis's COMMAND
  int last_key = 0;
  int key_step = 0;
  std::string_view parameters;  // as HELP shows them: "key value"
  std::string_view summary;     // one sentence, without a full stop
  int tag = 0;                  // the owner's own, for its switch
  Builtin builtin = Builtin::none;
};

class CommandTable {
 public:
  // Adds the built-in commands. A name given twice, or not in lower case, is a bug.
  explicit CommandTable(std::vector<Command> commands);
  CommandTable(const CommandTable&) = delete;  // connections point into it
  CommandTable& operator=(const CommandTable&) = delete;

  // Whatever the case of `name`; nullptr: no such command.
  [[nodiscard]] const Command* find(std::string_view name) const;
  // In alphabetical order.
  [[nodiscard]] const std::vector<Command>& all() const { return commands_; }

  // Answers to HELP and COMMAND, RESP2. `arguments` are the request's, the name included.
  [[nodiscard]] std::string help_reply(const std::vector<std::string>& arguments) const;
  [[nodiscard]] std::string command_reply(const std::vector<std::string>& arguments) const;

 private:
  std::vector<Command> commands_;
};

// Whether `count` words, the name included, satisfy the command's arity.
[[nodiscard]] bool arity_fits(const Command& command, size_t count);

// Redis's errors, worded alike.
[[nodiscard]] std::string wrong_arity_reply(const Command& command);
[[nodiscard]] std::string unknown_command_reply(const std::vector<std::string>& arguments);

// ASCII only.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace wh::debug
