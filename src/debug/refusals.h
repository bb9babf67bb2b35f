// Redis commands that this port lacks and that change the meaning of the commands after them: when a client sends
// several at once, the later ones must not run as if the first had not been there. Follows one connection's commands in
// order; runs none. Called by the connection, once for each command.
//
//   MULTI                  refused, and so is everything up to EXEC (-EXECABORT) or DISCARD; nothing of it is run
//   SELECT of 1 and more   refused, and so is everything up to SELECT 0: there is one keyspace
//   CLIENT REPLY OFF|SKIP  refused, and the connection ends: its client would take answers for those of other commands
//
// QUIT and RESET run at any time, and RESET ends a refusal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wh::debug {

class Refusals {
 public:
  struct Refusal {
    std::string answer;    // a whole reply
    bool is_last = false;  // nothing after it is to be read
  };
  // `arguments` are the command's, including its name. Nothing: the command runs as usual.
  std::optional<Refusal> judge(const std::vector<std::string>& arguments);

 private:
  Refusal within_transaction(std::string_view name);
  bool in_transaction_ = false;
  bool other_database_ = false;
};

}  // namespace wh::debug
