// Which of this machine's addresses the server has: those it announces, and those --check-health asks. Of the addresses
// of `bind` only those that this machine has count. Called by server.cc and health_check.cc.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/options.h"
#include "net/address.h"

namespace wh::server {

// The host that others are told. `listening`: the addresses of a Listener, "host:port". It is `announce-address` when
// that is set; else the first listening address that is neither loopback nor link-local, or else the first one; among
// equals, one that `bind` has without '-' comes first. Empty with a wildcard: others are then told the address that
// their connection came to.
std::string announced_host(const config::Options& options, const std::vector<std::string>& listening);

// Where this machine reaches a server with these options, with port 0: the addresses of `bind` or `bind-interface` that
// the machine has, in that order, loopback for a wildcard. An error when there are none.
Result<net::Addresses> reachable_addresses(const config::Options& options);

}  // namespace wh::server
