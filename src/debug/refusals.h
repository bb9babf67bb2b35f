// Redis commands that this port lacks and that change the meaning of the commands after them: when a client sends
// several at once, the later ones must not run as if the first had not been there. Follows one connection's commands in
// order; runs none. Called by the connection, once for each command that it knows.
//
//   SELECT of 1 and more   refused, and so is everything up to SELECT 0: there is one keyspace
//   CLIENT REPLY OFF|SKIP  refused, and the connection ends: its client would take answers for those of other commands
//
// QUIT and RESET run at any time, and RESET ends a refusal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "debug/command_table.h"

namespace wh::debug {

class Refusals {
 public:
  struct Refusal {
    std::string answer;    // a whole reply
    bool is_last = false;  // nothing after it is to be run
  };
  // `arguments` are the command's, including its name. Within a transaction a refused SELECT takes just that with it.
  // Nothing: the command runs as usual.
  std::optional<Refusal> judge(const Command& command, const std::vector<std::string>& arguments, bool in_transaction);

 private:
  bool other_database_ = false;
};

}  // namespace wh::debug
