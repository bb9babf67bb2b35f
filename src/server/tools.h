// What the program does besides serving: verifies a backup, restores one as a new cluster of one node, makes a cluster
// of the last node left. Each prints what it found and did, and returns the exit status. Called by main; blocking.
#pragma once

#include "config/command_line.h"
#include "config/options.h"

namespace wh::server {

// --verify FILE
int verify_backup(const config::CommandLine& line);
// --restore FILE
int restore_backup(const config::CommandLine& line, const config::Options& options);
// --recover
int recover_node(const config::CommandLine& line, const config::Options& options);

}  // namespace wh::server
