// Commands that go on while a test does other things.
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "harness.h"

namespace wh::testing {

// Processes that the shell started in the background; what is left of them ends here.
struct Background {
  explicit Background(const TempDir& within) : dir(within) {}
  ~Background() {
    for (const std::string& pid : pids) ::kill(std::stoi(pid), SIGKILL);
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  // Returns the process's id. What it prints goes into that file.
  std::string start(const std::string& command, const std::string& file) {
    const std::string pid = sh(dir, "exec " + command + " </dev/null >" + file + " 2>&1 & echo $!").out;
    pids.push_back(pid.substr(0, pid.size() - 1));
    return pids.back();
  }
  const TempDir& dir;
  std::vector<std::string> pids;
};

}  // namespace wh::testing
