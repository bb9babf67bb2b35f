// `--check-health`: asks the server that runs with the same config whether it lives, so that a container needs no other
// program for it. Blocks, within a bound; no part of the server itself. Called by main.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/options.h"

namespace wh {

// The header of /healthz that tells nodes apart without telling a stranger their names, and its value for one of them.
inline constexpr std::string_view kNodeDigestHeader = "Wormhole-Node-Digest";
std::string node_digest(std::string_view node_id);

// GET /healthz on `port`; with `port 0` on `tls-port`, where the own certificate is shown and none is verified, as
// nothing secret is said; with neither, and where HTTPS does not answer, INFO on `debug-port`, where a refusal counts
// as life. Asked are the addresses of `bind` that this machine has, one after the other, five seconds in all. Another
// node's answer does not count: one that is not called `node-id`, where that is configured; nor any while no process
// uses `dir`, where that is a data directory that may be looked into. The value says what answered, the error why it is
// not healthy.
Result<std::string> check_health(const Options& options);

}  // namespace wh
