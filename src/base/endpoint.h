// Texts that name an endpoint, `host:port`; an IPv6 address stands in brackets. The host may be empty, as a node with a
// wildcard bind announces it; the reader fills it in. Only this file takes such texts apart; callers judge whether a
// host is a good name. Pure.
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
// A host as endpoint texts write it: an IPv6 address gets brackets.
std::string bracketed(std::string_view host);

// The text before the last colon, and after it; both are the whole text when there is none. The host keeps its
// brackets.
std::string_view host_part(std::string_view endpoint);
std::string_view port_part(std::string_view endpoint);
// The same endpoint at another host, given with its brackets.
std::string with_host(std::string_view endpoint, std::string_view host);

// `localhost` or a loopback address, with or without brackets.
bool is_loopback_host(std::string_view host);
// Whether a host is written as an address and not as a name; with or without brackets.
bool is_literal_host(std::string_view host);

// Equal for all spellings of one endpoint: letters small, no dot at a name's end.
std::string endpoint_key(std::string_view endpoint);

}  // namespace wh
