// Reads a backup file and trusts nothing in it: checks its integrity (by SQLite's own check), that its tables are a
// backup's, every row's type and range, the counts and checksums, and that the rows make the state whose digest it
// names. Used by --verify and --restore; blocking.
#pragma once

#include <cstdint>
#include <string>

#include "backup/format.h"
#include "base/result.h"
#include "machine/state.h"

namespace wh::backup {

struct Backup {
  BackupInfo info;
  machine::State state;
  uint64_t file_bytes = 0;
};

// The error is one sentence that begins with the path.
Result<Backup> read_backup(const std::string& path);

}  // namespace wh::backup
