#include "server/own_addresses.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "config/option_values.h"
#include "net/listener.h"

namespace wh::server {
namespace {

std::string numeric(std::string_view item) {
  if (item.starts_with('-')) item.remove_prefix(1);
  if (item == "*") return "0.0.0.0";
  if (item == "::*") return "::";
  const std::optional<net::Address> address = net::Address::parse(std::string(item), 0);
  return address ? address->host() : std::string(item);
}

bool is_wildcard(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

// Whether other machines cannot use the address. A link-local one (RFC 4291 2.5.6, RFC 3927) does not help them even
// with an interface's name in it, as their interfaces have other names.
bool is_local_only(const std::string& host) {
  const std::optional<net::Address> address = net::Address::parse(host, 0);
  if (!address) return false;
  return address->is_loopback() || host.starts_with("169.254.") ||
         (address->is_ipv6() && host.size() > 3 && host.starts_with("fe") &&
          std::string_view("89ab").find(host[2]) != std::string_view::npos);
}

}  // namespace

std::string announced_host(const config::Options& options, const std::vector<std::string>& listening) {
  if (!options.announce_address.empty()) return options.announce_address;
  const auto optional = [&](const std::string& host) {
    return options.bind_interface.empty() &&
           std::none_of(options.bind.begin(), options.bind.end(),
                        [&](const std::string& item) { return !item.starts_with('-') && numeric(item) == host; });
  };
  std::string best;
  std::pair<bool, bool> best_rank;  // lower is better
  for (const std::string& text : listening) {
    const std::optional<Endpoint> at = config::parse_host_port(text);
    if (!at) continue;
    const std::pair<bool, bool> rank{is_local_only(at->host), optional(at->host)};
    if (!best.empty() && rank >= best_rank) continue;
    best = at->host;
    best_rank = rank;
  }
  return is_wildcard(best) ? std::string() : best;
}

Result<net::Addresses> reachable_addresses(const config::Options& options) {
  if (!options.bind_interface.empty()) return net::interface_addresses(options.bind_interface);
  net::Addresses result;
  for (const std::string& item : options.bind) {
    std::string host = numeric(item);
    if (is_wildcard(host)) host = host == "::" ? "::1" : "127.0.0.1";
    const std::optional<net::Address> address = net::Address::parse(host, 0);
    if (!address) return Error{"'bind' has what is no address: " + item};
    if (!net::is_own(*address) || std::find(result.begin(), result.end(), *address) != result.end()) continue;
    result.push_back(*address);
  }
  if (result.empty()) return Error{"this machine has none of the addresses of 'bind'"};
  return result;
}

}  // namespace wh::server
