#include "server/own_names.h"

#include "base/endpoint.h"
#include "net/listener.h"
#include "net/peers.h"

namespace wh::server {
namespace {

std::optional<net::Address> parsed(const std::string& text) {
  const auto parts = parse_endpoint(text);
  return parts ? net::Address::parse(parts->host, parts->port) : std::nullopt;
}

bool is_wildcard(const net::Address& address) { return address.host() == "0.0.0.0" || address.host() == "::"; }

}  // namespace

node::OwnNames own_names(const config::Options& options, const std::vector<std::string>& bound,
                         const std::string& machine) {
  node::OwnNames own;
  const uint16_t announced = options.announce_raft_port != 0 ? options.announce_raft_port : options.raft_port;
  own.loopback_port = options.raft_port;
  for (const std::string& text : bound) {
    const std::optional<net::Address> address = parsed(text);
    if (!address) continue;
    if (address->is_loopback()) own.loopback_port = 0;
    if (!is_wildcard(*address)) {
      own.addresses.push_back(address->unmapped().text());
      continue;
    }
    for (const net::Address& each : net::machine_addresses())
      if (each.is_ipv6() == address->is_ipv6()) own.addresses.push_back(each.with_port(address->port()).text());
  }
  const auto add_name = [&](const std::string& host, uint16_t port) {
    if (host.empty()) return;
    if (const std::optional<net::Address> literal = net::Address::parse(host, port)) {
      own.addresses.push_back(literal->unmapped().text());
    } else {
      own.names.push_back(endpoint_key(endpoint_text(host, port)));
    }
  };
  add_name(options.announce_address, announced);
  add_name(options.node_id, options.raft_port);
  add_name(machine, options.raft_port);
  add_name("localhost", options.raft_port);
  return own;
}

}  // namespace wh::server
