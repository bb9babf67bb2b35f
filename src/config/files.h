// The config's only way to the file system: reads a file, lists matches of a pattern. Called through ConfigFiles.
#pragma once

#include <chrono>

#include "config/loader.h"

namespace wh {

// Reads files ("-": standard input) up to the largest size of a config plus one byte, so that the parser notices a
// larger one and a device without end is not read for ever. Waits up to `fifo_patience` at a time for data from a FIFO,
// such as a shell's <(command); then it is an error. Blocking: only before the loop runs.
ConfigFiles real_config_files(std::chrono::milliseconds fifo_patience = std::chrono::seconds(30));

// This process's environment, as load_config takes it.
std::vector<std::pair<std::string, std::string>> real_environment();

}  // namespace wh
