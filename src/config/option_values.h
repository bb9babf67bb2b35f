// The syntax of single values: numbers, sizes, addresses, names. Pure text, no look-ups. Called by the option table;
// the users of options also call parse_host_port and split_blanks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"

namespace wh::config {

// ASCII only: directive names and values have no other letters.
std::string to_lower(std::string_view text);

// A blank as defined by C's isspace in the "C" locale.
bool is_blank(char c);

std::string_view trim_blanks(std::string_view text);

// The parts of `text` between blanks; none is empty.
std::vector<std::string> split_blanks(std::string_view text);

// Decimal digits, no sign, no leading zero, at most 2^64-1.
std::optional<uint64_t> parse_unsigned(std::string_view text);

// A number and one of Redis's units, in either case: none or b; k, m, g (powers of 1000); kb, mb, gb (powers of 1024).
std::optional<uint64_t> parse_memory(std::string_view text);
// The shortest text for parse_memory that means exactly `bytes` ("256mb", "1500").
std::string format_memory(uint64_t bytes);

bool is_ipv4_literal(std::string_view text);
// Without brackets; a zone (`fe80::1%eth0`) is accepted.
bool is_ipv6_literal(std::string_view text);
// RFC 1123 2.1, and `_`; a name whose last label has only digits is refused as a mistyped address.
bool is_host_name(std::string_view text);

// An endpoint whose host is an address or a valid name; nothing when it is not one.
std::optional<Endpoint> parse_host_port(std::string_view text);

// Checks of one value each. The error says what was expected, as "must be ...".
Status check_bind_address(std::string_view text);
Status check_interface_name(std::string_view text);
Status check_join_address(std::string_view text);
Status check_announce_address(std::string_view text);
Status check_allowed_host(std::string_view text);
Status check_node_id(std::string_view text);
Status check_directory(std::string_view text);

}  // namespace wh::config
