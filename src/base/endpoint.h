// Texts that name an endpoint, `host:port`; an IPv6 address stands in brackets. An empty host, as a node with a
// wildcard bind announces it, is for whoever reads it to fill in. The one place that takes such texts apart; whether a
// host is a good name is for others. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wh {

struct Endpoint {
  std::string host;  // without brackets
  uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Nothing for a text without a host, with an IPv6 address that has no brackets, or a port that is not 1 to 65535.
std::optional<Endpoint> parse_endpoint(std::string_view text);
// `host` without brackets.
std::string endpoint_text(std::string_view host, uint16_t port);
// As it stands in a text: an IPv6 address gets its brackets.
std::string bracketed(std::string_view host);

// Up to the last colon, and behind it: the whole text where there is none. The host keeps its brackets.
std::string_view host_part(std::string_view endpoint);
std::string_view port_part(std::string_view endpoint);
// The same endpoint at another host, which has its brackets.
std::string with_host(std::string_view endpoint, std::string_view host);

// `localhost` or a loopback address, with or without brackets.
bool is_loopback_host(std::string_view host);
// Whether a host is written as an address and not as a name; with or without brackets.
bool is_literal_host(std::string_view host);

// Equal for two spellings of one endpoint: letters small, no dot at a name's end.
std::string endpoint_key(std::string_view endpoint);

}  // namespace wh
