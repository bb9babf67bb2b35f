#include "server/own_names.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "net/listener.h"

namespace wh::server {
namespace {

using Texts = std::vector<std::string>;

config::Options at_port(uint16_t raft_port) {
  config::Options options;
  options.raft_port = raft_port;
  return options;
}

bool contains(const Texts& texts, const std::string& text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

}  // namespace

TEST_CASE("a node is named by where it listens, by its node-id, its machine and localhost, each with its raft port") {
  config::Options options = at_port(1112);
  options.node_id = "Node-1";
  const node::OwnNames own = own_names(options, {"192.0.2.1:1112", "[2001:db8::1]:1112"}, "DB1.example.");
  CHECK(own.addresses == Texts{"192.0.2.1:1112", "[2001:db8::1]:1112"});
  // As endpoint_key writes them: in lower case, without the dot at the end.
  CHECK(own.names == Texts{"node-1:1112", "db1.example:1112", "localhost:1112"});
}

TEST_CASE("loopback is this node's at its port, unless it listens there itself and others may beside it") {
  CHECK(own_names(at_port(1112), {"192.0.2.1:1112"}, "").loopback_port == 1112);
  CHECK(own_names(at_port(1112), {"0.0.0.0:1112"}, "").loopback_port == 1112);
  CHECK(own_names(at_port(1112), {}, "").loopback_port == 1112);
  CHECK(own_names(at_port(1112), {"127.0.0.1:1112"}, "").loopback_port == 0);
  CHECK(own_names(at_port(1112), {"192.0.2.1:1112", "[::1]:1112"}, "").loopback_port == 0);
  CHECK(own_names(at_port(1112), {"127.0.0.3:1112"}, "").addresses == Texts{"127.0.0.3:1112"});
}

TEST_CASE("a wildcard stands for what the machine has of that family, at the port that it listens on") {
  const node::OwnNames own = own_names(at_port(1112), {"0.0.0.0:1112"}, "");
  CHECK(contains(own.addresses, "127.0.0.1:1112"));
  CHECK_FALSE(contains(own.addresses, "0.0.0.0:1112"));
  for (const std::string& address : own.addresses) {
    CHECK_FALSE(address.starts_with('['));
    CHECK(address.ends_with(":1112"));
  }
  size_t of_family[2] = {};
  for (const net::Address& each : net::machine_addresses()) ++of_family[each.is_ipv6() ? 1 : 0];
  CHECK(own.addresses.size() == of_family[0]);
  const node::OwnNames six = own_names(at_port(1112), {"[::]:1112"}, "");
  CHECK(six.addresses.size() == of_family[1]);
  for (const std::string& address : six.addresses) CHECK(address.starts_with('['));
}

TEST_CASE("what is announced counts with the port that is announced; a literal is an address, all else a name") {
  config::Options options = at_port(1112);
  options.announce_raft_port = 31'112;
  options.announce_address = "Public.example.COM";
  node::OwnNames own = own_names(options, {"192.0.2.1:1112"}, "");
  CHECK(own.names == Texts{"public.example.com:31112", "localhost:1112"});
  CHECK(own.addresses == Texts{"192.0.2.1:1112"});

  options.announce_address = "203.0.113.7";
  own = own_names(options, {"192.0.2.1:1112"}, "");
  CHECK(own.names == Texts{"localhost:1112"});
  CHECK(own.addresses == Texts{"192.0.2.1:1112", "203.0.113.7:31112"});

  options.announce_raft_port = 0;
  options.announce_address = "2001:db8::7";
  CHECK(own_names(options, {}, "").addresses == Texts{"[2001:db8::7]:1112"});
  // An IPv4 address written as IPv6 is that IPv4 address.
  options.announce_address = "::ffff:203.0.113.7";
  CHECK(own_names(options, {"[::ffff:192.0.2.1]:1112"}, "").addresses == Texts{"192.0.2.1:1112", "203.0.113.7:1112"});
  // So may a node-id be one, or the machine's name.
  options.announce_address.clear();
  options.node_id = "192.0.2.9";
  own = own_names(options, {}, "192.0.2.10");
  CHECK(own.addresses == Texts{"192.0.2.9:1112", "192.0.2.10:1112"});
  CHECK(own.names == Texts{"localhost:1112"});
}

TEST_CASE("what is no address is left out") {
  CHECK(own_names(at_port(1112), {"", "nonsense", "192.0.2.1"}, "").addresses.empty());
  CHECK(own_names(at_port(1112), {"nonsense"}, "").loopback_port == 1112);
}

}  // namespace wh::server
