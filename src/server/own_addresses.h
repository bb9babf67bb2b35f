// Which of this machine's addresses the server is at: what it tells others of itself, and where --check-health asks. Of
// the addresses of `bind` only those that are there count. Called by server.cc and health_check.cc.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/options.h"
#include "net/address.h"

namespace wh {

// The host that others are told. `listening`: what a Listener says of itself, "host:port". `announce-address` when it
// is set; else, of the addresses that are listened on, the first one that is neither loopback nor link-local, or else
// the first, and of equal ones one that `bind` has without '-'. Empty with a wildcard: then it is the address that a
// connection was made to.
std::string announced_host(const Options& options, const std::vector<std::string>& listening);

// Where this machine reaches a server with these options, port 0: the addresses of `bind` or of `bind-interface` that
// it has, in that order, loopback for a wildcard. An error when there is none.
Result<net::Addresses> reachable_addresses(const Options& options);

}  // namespace wh
