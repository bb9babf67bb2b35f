// The config's only way to the file system: reads a file, lists matches of a pattern. Called through config::Files.
#pragma once

#include <chrono>

#include "config/loader.h"

namespace wh::config {

// Reads files ("-": standard input) up to the largest size of a config plus one byte, so that the parser notices a
// larger one and a device without end is not read for ever. Waits up to `fifo_patience` at a time for data from a FIFO,
// such as a shell's <(command); then it is an error. Blocking: only before the loop runs.
Files real_files(std::chrono::milliseconds fifo_patience = std::chrono::seconds(30));

// This process's environment, as config::load takes it.
std::vector<std::pair<std::string, std::string>> real_environment();

}  // namespace wh::config
