// `--check-health`: asks the server that runs with the same config whether it lives, so that a container needs no other
// program for it. Blocks, within a bound; no part of the server itself. Called by main.
#pragma once

#include <string>

#include "base/result.h"
#include "server/options.h"

namespace wh {

// GET /healthz on `port`; with `port 0`, PING on `debug-port`, where any answer counts. The value is what answered, the
// error why it is not healthy.
Result<std::string> check_health(const Options& options);

}  // namespace wh
