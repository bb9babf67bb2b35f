// An answer, and the one writer of all answers: nothing else in the project puts HTTP bytes on a connection (HAZARDS
// H20).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "http/request.h"

namespace wh::http {

struct Response {
  int status = 200;          // 200 to 599
  std::string content_type;  // sent only with a body; empty: none
  // Further fields. Names are tokens chosen by the program; in values control bytes become spaces. Content-Length,
  // Content-Type, Connection, Transfer-Encoding and X-Content-Type-Options are the writer's own and must not be here.
  std::vector<Header> headers;
  Bytes body;
};

// What the connection adds to an answer.
struct ResponseFraming {
  bool head = false;            // the request was HEAD: the same header section, no body
  bool close = false;           // the last answer of its connection
  bool keep_alive_1_0 = false;  // an HTTP/1.0 client asked to keep the connection, and it is kept
};

// RFC 9110's phrase; "Unknown" for a status it does not define.
[[nodiscard]] std::string_view reason_phrase(int status);

// Appends the answer's bytes to `out`.
void append_response(std::string& out, const Response& response, const ResponseFraming& framing);
// The interim answer that asks for a body.
void append_continue(std::string& out);

// {"error": "sentence"} as JSON. The sentence is UTF-8 (WH_ASSERT): a client's bytes go into it by way of printable().
[[nodiscard]] Response error_response(int status, std::string_view sentence);

}  // namespace wh::http
