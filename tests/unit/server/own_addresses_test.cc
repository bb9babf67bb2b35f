#include "server/own_addresses.h"

#include <doctest/doctest.h>

namespace wh::server {
namespace {

config::Options bound_to(std::vector<std::string> bind) {
  config::Options options;
  options.bind = std::move(bind);
  return options;
}

}  // namespace

TEST_CASE("the announced host is the first that is there and that others can reach") {
  const config::Options any =
      bound_to({"127.0.0.1", "-::1", "-169.254.1.1", "-10.0.0.1", "192.0.2.1", "-fe80::1", "2001:db8::1"});
  CHECK(announced_host(any, {"127.0.0.1:1", "[::1]:1"}) == "127.0.0.1");
  CHECK(announced_host(any, {"[::1]:1", "127.0.0.1:1"}) == "127.0.0.1");  // it must be there, ::1 may
  CHECK(announced_host(any, {"[::1]:1"}) == "::1");
  CHECK(announced_host(any, {"127.0.0.1:1", "169.254.1.1:1", "10.0.0.1:1", "192.0.2.1:1"}) == "192.0.2.1");
  CHECK(announced_host(any, {"127.0.0.1:1", "169.254.1.1:1", "10.0.0.1:1"}) == "10.0.0.1");
  CHECK(announced_host(any, {"[fe80::1]:1", "[2001:db8::1]:1"}) == "2001:db8::1");
  CHECK(announced_host(any, {}).empty());
  CHECK(announced_host(bound_to({"*", "-::*"}), {"0.0.0.0:1", "[::]:1"}).empty());
  CHECK(announced_host(bound_to({"127.0.0.1", "::*"}), {"127.0.0.1:1", "[::]:1"}).empty());

  config::Options options = any;
  options.bind_interface = "eth0";  // whose addresses come in any order
  CHECK(announced_host(options, {"[fe80::1]:1", "[2001:db8::1]:1", "10.0.0.1:1"}) == "2001:db8::1");
  options.announce_address = "node1.example.com";
  CHECK(announced_host(options, {"10.0.0.1:1"}) == "node1.example.com");
}

TEST_CASE("reachable are the addresses of `bind` that this machine has, each once, loopback for a wildcard") {
  const auto hosts = [](const config::Options& options) {
    std::string text;
    const Result<net::Addresses> addresses = reachable_addresses(options);
    if (!addresses) return addresses.error();
    for (const net::Address& address : *addresses) text += address.host() + " ";
    return text;
  };
  CHECK(hosts(bound_to({"-192.0.2.77", "127.0.0.3", "127.0.0.1"})) == "127.0.0.3 127.0.0.1 ");
  CHECK(hosts(bound_to({"*", "127.0.0.1"})) == "127.0.0.1 ");
  CHECK(hosts(bound_to({"-192.0.2.77"})) == "this machine has none of the addresses of 'bind'");
  config::Options options = bound_to({"127.0.0.1"});
  options.bind_interface = "nosuch0";
  CHECK(hosts(options).find("network interface nosuch0") == 0);
}

}  // namespace wh::server
