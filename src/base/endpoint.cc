#include "base/endpoint.h"

#include <charconv>

namespace wh {

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return std::nullopt;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc() || stop != end || port == 0) return std::nullopt;
  return Endpoint{std::string(host), port};
}

std::string bracketed(std::string_view host) {
  return host.find(':') == std::string_view::npos || host.starts_with('[') ? std::string(host)
                                                                           : "[" + std::string(host) + "]";
}

std::string endpoint_text(std::string_view host, uint16_t port) { return bracketed(host) + ":" + std::to_string(port); }

std::string_view host_part(std::string_view endpoint) { return endpoint.substr(0, endpoint.rfind(':')); }

std::string_view port_part(std::string_view endpoint) { return endpoint.substr(endpoint.rfind(':') + 1); }

std::string with_host(std::string_view endpoint, std::string_view host) {
  return std::string(host) + ":" + std::string(port_part(endpoint));
}

bool is_loopback_host(std::string_view host) {
  return host.starts_with("127.") || host == "::1" || host == "[::1]" || host == "localhost";
}

bool is_literal_host(std::string_view host) {
  return host.find(':') != std::string_view::npos || host.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string endpoint_key(std::string_view endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos) return std::string(endpoint);
  std::string_view host = endpoint.substr(0, colon);
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string key(host);
  for (char& c : key)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return key.append(endpoint.substr(colon));
}

}  // namespace wh
