// What --check-config looks at once the text of a config is good: whether what it names is there and fits together, as
// a start would find it. Reads files, changes nothing. Called by main.
#pragma once

#include "base/result.h"
#include "config/options.h"

namespace wh {

// The error is what would refuse the start: a certificate, key or authority that is missing, unreadable or does not
// fit; no folder for `dir`, `logfile` or `pidfile`; no such interface. What the start would warn of goes to the log,
// which is standard error where none was opened.
Status check_config_files(const Options& options);

}  // namespace wh
