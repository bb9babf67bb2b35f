// The config's only way to the file system: reads one file, lists what a pattern matches. Called through ConfigFiles.
#pragma once

#include <chrono>

#include "config/loader.h"

namespace wh {

// Reads files ("-": standard input) up to the size a config may have and one byte more, so that a larger one is noticed
// and a device without end is not read for ever; a FIFO, such as a shell's <(command), is waited for as long as
// `fifo_patience` at a time, and is an error then. Blocking: only before the loop runs.
ConfigFiles real_config_files(std::chrono::milliseconds fifo_patience = std::chrono::seconds(30));

// This process's environment, as load_config takes it.
std::vector<std::pair<std::string, std::string>> real_environment();

}  // namespace wh
