#include "net/address.h"

#include <arpa/inet.h>
#include <cstring>
#include <net/if.h>

#include <uv.h>

namespace wh::net {

namespace {
const sockaddr_in& as_v4(const sockaddr_storage& storage) { return reinterpret_cast<const sockaddr_in&>(storage); }
const sockaddr_in6& as_v6(const sockaddr_storage& storage) { return reinterpret_cast<const sockaddr_in6&>(storage); }
}  // namespace

Address::Address(const sockaddr* raw) {
  if (raw->sa_family == AF_INET) std::memcpy(&storage_, raw, sizeof(sockaddr_in));
  if (raw->sa_family == AF_INET6) std::memcpy(&storage_, raw, sizeof(sockaddr_in6));
}

std::optional<Address> Address::parse(const std::string& text, uint16_t port) {
  if (text.find('\0') != std::string::npos) return std::nullopt;
  Address result;
  if (uv_ip4_addr(text.c_str(), port, reinterpret_cast<sockaddr_in*>(&result.storage_)) == 0) return result;
  result.storage_ = {};
  if (uv_ip6_addr(text.c_str(), port, reinterpret_cast<sockaddr_in6*>(&result.storage_)) == 0) return result;
  return std::nullopt;
}

bool Address::is_loopback() const {
  if (storage_.ss_family == AF_INET) return (ntohl(as_v4(storage_).sin_addr.s_addr) >> 24) == 127;
  if (storage_.ss_family != AF_INET6) return false;
  const in6_addr& v6 = as_v6(storage_).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

uint64_t Address::group() const {
  if (is_loopback()) return 127;
  const auto* raw = as_v6(storage_).sin6_addr.s6_addr;
  uint64_t bits = 0;
  if (storage_.ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&as_v6(storage_).sin6_addr)) {
    for (int i = 0; i < 8; ++i) bits = bits << 8 | raw[i];
    return bits | uint64_t{1} << 63;
  }
  if (storage_.ss_family == AF_INET6)
    for (int i = 12; i < 16; ++i) bits = bits << 8 | raw[i];
  else
    bits = ntohl(as_v4(storage_).sin_addr.s_addr);
  return bits;
}

uint16_t Address::port() const { return ntohs(is_ipv6() ? as_v6(storage_).sin6_port : as_v4(storage_).sin_port); }

Address Address::with_port(uint16_t port) const {
  Address result = *this;
  if (is_ipv6())
    reinterpret_cast<sockaddr_in6&>(result.storage_).sin6_port = htons(port);
  else
    reinterpret_cast<sockaddr_in&>(result.storage_).sin_port = htons(port);
  return result;
}

std::string Address::host() const {
  char name[INET6_ADDRSTRLEN] = "";
  if (uv_ip_name(raw(), name, sizeof name) != 0) return {};
  return name;
}

std::string Address::bytes() const {
  if (is_ipv6()) {
    const in6_addr& v6 = as_v6(storage_).sin6_addr;
    return {reinterpret_cast<const char*>(v6.s6_addr), sizeof v6.s6_addr};
  }
  if (storage_.ss_family != AF_INET) return {};
  const in_addr& v4 = as_v4(storage_).sin_addr;
  return {reinterpret_cast<const char*>(&v4), sizeof v4};
}

Address Address::unmapped() const {
  if (!is_ipv6() || !IN6_IS_ADDR_V4MAPPED(&as_v6(storage_).sin6_addr)) return *this;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = as_v6(storage_).sin6_port;
  std::memcpy(&v4.sin_addr, &as_v6(storage_).sin6_addr.s6_addr[12], sizeof v4.sin_addr);
  return Address(reinterpret_cast<const sockaddr*>(&v4));
}

std::string Address::text() const {
  const std::string number = std::to_string(port());
  if (!is_ipv6()) return host() + ":" + number;
  char interface[IF_NAMESIZE + 1] = "%";
  const bool scoped =
      as_v6(storage_).sin6_scope_id != 0 && ::if_indextoname(as_v6(storage_).sin6_scope_id, interface + 1) != nullptr;
  return "[" + host() + (scoped ? interface : "") + "]:" + number;
}

bool operator==(const Address& a, const Address& b) {
  if (a.storage_.ss_family != b.storage_.ss_family || a.port() != b.port()) return false;
  if (a.is_ipv6()) {
    const sockaddr_in6& x = as_v6(a.storage_);
    const sockaddr_in6& y = as_v6(b.storage_);
    return std::memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0 && x.sin6_scope_id == y.sin6_scope_id;
  }
  return as_v4(a.storage_).sin_addr.s_addr == as_v4(b.storage_).sin_addr.s_addr;
}

}  // namespace wh::net
