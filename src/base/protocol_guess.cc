#include "base/protocol_guess.h"

#include <algorithm>

#include "base/hex.h"

namespace wh {
namespace {

struct Opening {
  std::string_view bytes;
  std::string_view protocol;
};
using namespace std::string_view_literals;
constexpr Opening kOpenings[] = {
    {"\x16\x03"sv, "TLS"},
    {"\xf0WHP"sv, "the protocol of raft-port"},
    {"GET "sv, "HTTP"},
    {"HEAD "sv, "HTTP"},
    {"POST "sv, "HTTP"},
    {"PUT "sv, "HTTP"},
    {"DELETE "sv, "HTTP"},
    {"OPTIONS "sv, "HTTP"},
    {"PATCH "sv, "HTTP"},
    {"CONNECT "sv, "HTTP"},
    {"PRI * HTTP/2"sv, "HTTP/2"},
    {"SSH-"sv, "SSH"},
    {"PROXY "sv, "the PROXY protocol"},
    {"\r\n\r\n\0\r\nQUIT"sv, "the PROXY protocol"},
    {"EHLO "sv, "SMTP"},
    {"HELO "sv, "SMTP"},
    {"\xff\xfb"sv, "telnet"},
    {"\xff\xfd"sv, "telnet"},
    {"PING\r"sv, "Redis's protocol"},
    {"PING\n"sv, "Redis's protocol"},
    {"AUTH "sv, "Redis's protocol"},
    {"INFO"sv, "Redis's protocol"},
};

// "*2\r\n$": an array of bulk strings.
bool is_resp(std::string_view bytes) {
  if (bytes.size() < 3 || bytes[0] != '*') return false;
  const size_t end = bytes.find_first_not_of("0123456789", 1);
  return end != std::string_view::npos && end > 1 && bytes[end] == '\r';
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += "\\x";
    append_hex(text, static_cast<uint8_t>(c));
  }
  return text;
}

}  // namespace

std::string protocol_guess(std::string_view first_bytes) {
  for (const Opening& opening : kOpenings)
    if (first_bytes.starts_with(opening.bytes)) return std::string(opening.protocol);
  if (is_resp(first_bytes)) return "Redis's protocol";
  if (first_bytes.empty()) return "nothing";
  return "an unknown protocol (it begins with " + hex(first_bytes.substr(0, 8)) + ")";
}

}  // namespace wh
