// The texts of --help, made from the table. Pure. Called by main.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"

namespace wh::cli {

// What the exit statuses mean.
struct StatusRow {
  int status;
  std::string_view text;
};
const std::vector<StatusRow>& exit_statuses();

// All commands, the options that every command takes, the environment, the exit statuses.
std::string general_help();
// One command with its options and an example.
std::string command_help(const CommandRow& command);

}  // namespace wh::cli
