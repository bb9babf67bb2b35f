// The cross-protocol guard (CONTRACT "The debug port", HAZARDS I1): detects input of another protocol, so that a web
// page, whose body could carry commands, cannot drive the port. Pure functions over the raw bytes of an inline request,
// before quotes are removed: a quoted word is a value and never foreign, and the inside of RESP is not checked. Called
// by the parser for every request of a connection. Each returns the reason; empty: not foreign.
#pragma once

#include <string_view>

namespace wh::debug {

// The bytes that end a word of an inline line, besides the line's own end.
inline bool ends_word(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0'; }

// The first byte is foreign when it is a TLS record's or above 127 (telnet's negotiation, binary protocols).
std::string_view foreign_first_byte(char byte);

// The first word is foreign: an HTTP method other than GET and UNLINK, in any case, PROXY, or a header's name with its
// colon.
std::string_view foreign_first_word(std::string_view word);

// A whole line is foreign when its last word is HTTP/1.x, or it carries a telnet command (HAZARDS I4).
std::string_view foreign_line(std::string_view line);

}  // namespace wh::debug
