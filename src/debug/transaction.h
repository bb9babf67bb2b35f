// What a client says between MULTI and EXEC, and the keys that it watches until then: values that the connection keeps
// and that the handler of EXEC is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "debug/command_table.h"

namespace wh::debug {

// Of one transaction: as many commands as a transaction of the log has operations, and bytes of their words.
inline constexpr size_t kMaxTransactionCommands = 1'000;
inline constexpr size_t kMaxTransactionBytes = size_t{4} << 20;
inline constexpr size_t kMaxWatchedKeys = 128;

struct Transaction {
  struct Queued {
    const Command* command = nullptr;
    std::vector<std::string> arguments;  // the words, the command's name first
    std::string reply;                   // not empty: this is the answer, whatever becomes of the others
  };
  std::vector<Queued> commands;
  size_t bytes = 0;      // of memory that the words take
  bool refused = false;  // a command was refused, so EXEC is too
};

struct WatchedKey {
  std::string key;
  uint64_t mod_index = 0;  // when it was watched; 0: it was not there
};

}  // namespace wh::debug
