#include "config/option_values.h"

#include <arpa/inet.h>
#include <charconv>
#include <iterator>

#include "base/utf8.h"

namespace wh::config {
namespace {

constexpr size_t kMaxNodeId = 128;
constexpr size_t kMaxInterfaceName = 15;  // IFNAMSIZ - 1

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The code point of a well-formed UTF-8 sequence (RFC 3629 3).
uint32_t decode(std::string_view sequence) {
  const auto first = static_cast<uint8_t>(sequence[0]);
  if (sequence.size() == 1) return first;
  uint32_t point = first & (0x7fU >> sequence.size());
  for (const char c : sequence.substr(1)) point = (point << 6) | (static_cast<uint8_t>(c) & 0x3fU);
  return point;
}

// Whether the character shows as a glyph. Control characters, white space, invisible characters and those that change
// the direction of writing do not: names with them could look the same in a log.
bool is_visible(uint32_t point) {
  struct Range {
    uint32_t low;
    uint32_t high;
  };
  static constexpr Range kInvisible[] = {{0, 0x20},        {0x7f, 0xa0},     {0xad, 0xad},       {0x61c, 0x61c},
                                         {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f},   {0x2028, 0x202f},
                                         {0x205f, 0x206f}, {0x3000, 0x3000}, {0xe000, 0xf8ff},   {0xfeff, 0xfeff},
                                         {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0x10ffff}};
  for (const Range& range : kInvisible) {
    if (point >= range.low && point <= range.high) return false;
  }
  return true;
}

// 0.0.0.0 or ::, in any notation.
bool is_wildcard(std::string_view text) {
  in6_addr v6{};
  return text == "0.0.0.0" ||
         (inet_pton(AF_INET6, std::string(text).c_str(), &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6));
}

bool is_host(std::string_view text) { return is_ipv4_literal(text) || is_ipv6_literal(text) || is_host_name(text); }

}  // namespace

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string> split_blanks(std::string_view text) {
  std::vector<std::string> parts;
  size_t i = 0;
  while (i < text.size()) {
    const size_t begin = i;
    while (i < text.size() && !is_blank(text[i])) ++i;
    if (i > begin) parts.emplace_back(text.substr(begin, i - begin));
    while (i < text.size() && is_blank(text[i])) ++i;
  }
  return parts;
}

std::optional<uint64_t> parse_unsigned(std::string_view text) {
  if (text.empty() || !is_digit(text[0]) || (text[0] == '0' && text.size() > 1)) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<uint64_t> parse_memory(std::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  const std::optional<uint64_t> number = parse_unsigned(text.substr(0, digits));
  if (!number) return std::nullopt;
  struct Unit {
    std::string_view name;
    uint64_t bytes;
  };
  static constexpr Unit kUnits[] = {{"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1024},
                                    {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};
  const std::string unit = to_lower(text.substr(digits));
  for (const Unit& known : kUnits) {
    if (unit != known.name) continue;
    if (*number > UINT64_MAX / known.bytes) return std::nullopt;
    return *number * known.bytes;
  }
  return std::nullopt;
}

std::string format_memory(uint64_t bytes) {
  static constexpr std::string_view kUnits[] = {"", "kb", "mb", "gb"};
  size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + std::string(kUnits[unit]);
}

bool is_ipv4_literal(std::string_view text) {
  in_addr address{};
  return text.find('\0') == std::string_view::npos && inet_pton(AF_INET, std::string(text).c_str(), &address) == 1;
}

bool is_ipv6_literal(std::string_view text) {
  const size_t percent = text.find('%');
  if (percent != std::string_view::npos && !check_interface_name(text.substr(percent + 1))) return false;
  text = text.substr(0, percent);
  in6_addr address{};
  return text.find('\0') == std::string_view::npos && inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

bool is_host_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);  // a fully qualified name
  if (text.empty() || text.size() > 253) return false;
  bool last_is_number = false;
  while (true) {
    const size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    last_is_number = true;
    for (const char c : label) {
      if (!is_digit(c) && !is_letter(c) && c != '-' && c != '_') return false;
      if (!is_digit(c)) last_is_number = false;
    }
    if (dot == std::string_view::npos) return !last_is_number;
    text.remove_prefix(dot + 1);
  }
}

std::optional<Endpoint> parse_host_port(std::string_view text) {
  std::optional<Endpoint> endpoint = parse_endpoint(text);
  if (!endpoint) return std::nullopt;
  const std::string& host = endpoint->host;
  const bool good = text.starts_with('[') ? is_ipv6_literal(host) : is_ipv4_literal(host) || is_host_name(host);
  return good ? endpoint : std::nullopt;
}

Status check_bind_address(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text == "*" || text == "::*" || is_ipv4_literal(text) || is_ipv6_literal(text)) return ok_status();
  return Error{
      "must be IP addresses (such as 127.0.0.1 or ::1, without brackets and port), '*' for every IPv4 or '::*' for "
      "every "
      "IPv6 address, each perhaps with a '-' before it"};
}

Status check_interface_name(std::string_view text) {
  bool good = !text.empty() && text.size() <= kMaxInterfaceName && text != "." && text != "..";
  for (const char c : text) good = good && c > ' ' && c < 0x7f && c != '/' && c != '%';
  if (good) return ok_status();
  return Error{"must be the name of a network interface, such as eth0 (15 characters at most)"};
}

Status check_join_address(std::string_view text) {
  if (parse_host_port(text)) return ok_status();
  return Error{
      "must be addresses of the form host:raft-port, such as 10.0.0.1:1112, node1.example.com:1112 or "
      "[2001:db8::1]:1112"};
}

Status check_announce_address(std::string_view text) {
  if (is_host(text) && !is_wildcard(text)) return ok_status();
  return Error{"must be a host name or an IP address that others can dial, without brackets, port or http://"};
}

Status check_allowed_host(std::string_view text) {
  if (is_host(text)) return ok_status();
  return Error{"must be host names, such as wormhole.example.com, without port, http:// or wildcard"};
}

Status check_node_id(std::string_view text) {
  bool good = !text.empty() && text.size() <= kMaxNodeId && text != "." && text != "..";
  while (good && !text.empty()) {
    const size_t length = utf8_sequence(text);
    good = length != 0 && text[0] != '/' && is_visible(decode(text.substr(0, length)));
    text.remove_prefix(length);
  }
  if (good) return ok_status();
  return Error{"must be a name of at most 128 bytes of UTF-8, without white space, control characters and '/'"};
}

Status check_directory(std::string_view text) {
  if (!text.empty()) return ok_status();
  return Error{"must be a directory, such as ./ or /var/lib/wormhole"};
}

}  // namespace wh::config
