#include "debug/foreign.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

namespace wh::debug {
namespace {

char upper(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }

bool same_word(std::string_view word, std::string_view upper_case) {
  return std::equal(word.begin(), word.end(), upper_case.begin(), upper_case.end(),
                    [](char a, char b) { return upper(a) == b; });
}

// The IANA registry of HTTP methods, and others in use (UPnP, caches, RTSP). None is a command here, so
// RTSP's PAUSE and HTTP's own UNLINK are not among them: such a line is told by its end.
constexpr std::array<std::string_view, 55> kMethods = {"ACL",
                                                       "ANNOUNCE",
                                                       "BASELINE-CONTROL",
                                                       "BIND",
                                                       "CHECKIN",
                                                       "CHECKOUT",
                                                       "CONNECT",
                                                       "COPY",
                                                       "DELETE",
                                                       "DESCRIBE",
                                                       "FLUSH",
                                                       "GET_PARAMETER",
                                                       "HEAD",
                                                       "LABEL",
                                                       "LINK",
                                                       "LOCK",
                                                       "M-SEARCH",
                                                       "MERGE",
                                                       "MKACTIVITY",
                                                       "MKCALENDAR",
                                                       "MKCOL",
                                                       "MKREDIRECTREF",
                                                       "MKWORKSPACE",
                                                       "MOVE",
                                                       "NOTIFY",
                                                       "OPTIONS",
                                                       "ORDERPATCH",
                                                       "PATCH",
                                                       "PLAY",
                                                       "POST",
                                                       "PRI",
                                                       "PROPFIND",
                                                       "PROPPATCH",
                                                       "PURGE",
                                                       "PUT",
                                                       "QUERY",
                                                       "REBIND",
                                                       "RECORD",
                                                       "REDIRECT",
                                                       "REPORT",
                                                       "SEARCH",
                                                       "SETUP",
                                                       "SET_PARAMETER",
                                                       "SOURCE",
                                                       "SUBSCRIBE",
                                                       "TEARDOWN",
                                                       "TRACE",
                                                       "UNBIND",
                                                       "UNCHECKOUT",
                                                       "UNLOCK",
                                                       "UNSUBSCRIBE",
                                                       "UPDATE",
                                                       "UPDATEREDIRECTREF",
                                                       "VERSION-CONTROL",
                                                       "PUSH"};

}  // namespace

std::string_view foreign_first_byte(char byte) {
  const auto value = static_cast<uint8_t>(byte);
  if (value == 0x16) return "it begins like TLS";
  if (value > 127) return "it begins with a byte above 127";
  return {};
}

std::string_view foreign_first_word(std::string_view word) {
  if (word.empty()) return {};
  if (word.back() == ':') return "a line begins like an HTTP header";
  // Commands after it would count as the proxy's, though it forwards them for somebody else.
  if (same_word(word, "PROXY")) return "a line begins like the PROXY protocol";
  for (const std::string_view method : kMethods)
    if (same_word(word, method)) return "a line begins with an HTTP method";
  return {};
}

std::string_view foreign_line(std::string_view line) {
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.remove_suffix(1);
  size_t begin = line.size();
  while (begin > 0 && !ends_word(line[begin - 1])) --begin;
  const std::string_view last = line.substr(begin);
  constexpr std::string_view kVersion = "HTTP/1.";
  if (last.size() > kVersion.size() && same_word(last.substr(0, kVersion.size()), kVersion) &&
      std::all_of(last.begin() + kVersion.size(), last.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return "a line ends like an HTTP request line";
  // IAC and a command (RFC 854). 0xff alone, or twice, is a byte of a value.
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    const auto second = static_cast<uint8_t>(line[i + 1]);
    if (static_cast<uint8_t>(line[i]) == 0xff && second >= 0xf0 && second != 0xff) return "it carries a telnet command";
  }
  return {};
}

}  // namespace wh::debug
