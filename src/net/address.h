// One IP address with a port, in the form that the kernel's socket calls take and as text for people. A value; knows no
// sockets and never asks a name server. Used by tcp, dial, resolver and listener.
#pragma once

#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace wh::net {

class Address {
 public:
  Address() = default;
  // `raw` is an AF_INET or AF_INET6 address; anything else makes an empty one.
  explicit Address(const sockaddr* raw);
  // Parses a numeric IPv4 or IPv6 address without brackets; '%' and an interface may follow. Nothing for other text.
  static std::optional<Address> parse(const std::string& text, uint16_t port);

  [[nodiscard]] const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] bool is_ipv6() const { return storage_.ss_family == AF_INET6; }
  // 127.0.0.0/8, ::1, and an IPv4-mapped 127.0.0.0/8.
  [[nodiscard]] bool is_loopback() const;
  // Equal for all addresses that one machine may choose from freely: an IPv4 address, also IPv4-mapped; the first 64
  // bits of an IPv6 address.
  [[nodiscard]] uint64_t group() const;
  [[nodiscard]] uint16_t port() const;
  // An IPv4-mapped IPv6 address as the IPv4 address; others unchanged.
  [[nodiscard]] Address unmapped() const;
  [[nodiscard]] Address with_port(uint16_t port) const;
  // The address without the port ("::1"); empty for an empty address.
  [[nodiscard]] std::string host() const;
  // The address as it is on the wire: 4 bytes, or 16.
  [[nodiscard]] std::string bytes() const;
  // With the port, IPv6 in brackets, a link-local one with its interface: "[::1]:8080", "[fe80::1%eth0]:8080".
  [[nodiscard]] std::string text() const;
  // Same family, address and port.
  friend bool operator==(const Address& a, const Address& b);

 private:
  sockaddr_storage storage_{};
};

using Addresses = std::vector<Address>;

}  // namespace wh::net
