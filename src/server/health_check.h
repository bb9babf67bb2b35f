// `--check-health`: asks the server that runs with the same config whether it is alive, so that a container needs no
// other program for it. Blocks for a bounded time; not part of the running server. Called by main.
#pragma once

#include <string>

#include "base/result.h"
#include "config/options.h"

namespace wh::server {

// Sends GET /healthz to `port`. With `port 0`, sends it to `tls-port`, showing this node's certificate and verifying
// none, as nothing secret is sent; without either port, or when HTTPS does not answer, sends INFO to `debug-port`, then
// to `tls-debug-port`, where a refusal counts as alive. Tries the addresses of `bind` that this machine has, one after
// the other, for five seconds in all. Another node's answer does not count: one whose name is not `node-id`, if that is
// configured; and none counts while no process uses `dir`, if that can be checked. The value says what answered, the
// error why the server is not healthy.
Result<std::string> check_health(const config::Options& options);

}  // namespace wh::server
