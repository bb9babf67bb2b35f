// `--check-health`: asks the server that runs with the same config whether it lives, so that a container needs no other
// program for it. Blocks, within a bound; no part of the server itself. Called by main.
#pragma once

#include <string>

#include "base/result.h"
#include "config/options.h"

namespace wh {

// GET /healthz on `port`; with `port 0` on `tls-port`, where the own certificate is shown and none is verified, as
// nothing secret is said; with neither, and where HTTPS does not answer, INFO on `debug-port`, where a refusal counts
// as life. Asked are the addresses of `bind` that this machine has, one after the other, five seconds in all. Another
// node's answer does not count: one that is not called `node-id`, where that is configured; nor any while no process
// uses `dir`, where that is a data directory that may be looked into. The value says what answered, the error why it is
// not healthy.
Result<std::string> check_health(const Options& options);

}  // namespace wh
