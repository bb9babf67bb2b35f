// What --check-config checks once the text of a config is valid: whether the files, folders and interfaces that it
// names exist and fit together, as a start would find them. Reads files, changes nothing. Called by main.
#pragma once

#include "base/result.h"
#include "config/options.h"

namespace wh::server {

// The error is what would make a start fail: a certificate, key or authority that is missing, unreadable or does not
// fit; a folder for `dir`, `logfile` or `pidfile` or an interface that does not exist. Warnings that the start would
// give go to the log, which is standard error where none was opened.
Status check_config_files(const config::Options& given);

}  // namespace wh::server
