// An answer, and the one writer of all answers: nothing else in the project puts HTTP bytes on a connection (HAZARDS
// H20).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "http/fields.h"
#include "http/stream.h"

namespace wh::http {

// A body too large to hold in memory, or to make in one turn: it comes in pieces, as the client takes them.
class BodySource {
 public:
  // Destroying it ends the reading: `ready` is not called any more.
  virtual ~BodySource() = default;
  // The size of all pieces together. Nothing: it is not known before the end; the pieces are sent in chunks.
  [[nodiscard]] virtual std::optional<uint64_t> size() const = 0;
  // What it keeps in memory for this client now.
  [[nodiscard]] virtual size_t held_bytes() const { return 0; }
  // Asks for the next piece, once the one before has come. Calls `ready` once, on the loop's thread, now or later, but
  // at once where size() says nothing. An empty piece is then the end; otherwise it means that the rest cannot be read,
  // which ends the connection.
  virtual void next(std::function<void(std::string piece)> ready) = 0;
};

struct Response {
  int status = 200;          // 200 to 599
  std::string content_type;  // sent only with a body; empty: none
  Fields headers;            // further fields, besides those that the writer adds (kWritersFields)
  Bytes body;
  std::shared_ptr<BodySource> source;  // set: sent in place of `body`
  // Set: sent in place of both, as the last answer of its connection.
  std::shared_ptr<Stream> stream;
  // Only for an answer to HEAD: GET would get a body whose size is not known yet (RFC 9110 8.6), or a stream.
  bool unknown_length = false;
};

// Makes all of a source without a size now, and the body of it.
void gather_source(Response& response);

// What the connection adds to an answer.
struct ResponseFraming {
  bool head = false;            // the request was HEAD: the same header section, no body
  bool close = false;           // the last answer of its connection
  bool keep_alive_1_0 = false;  // an HTTP/1.0 client asked to keep the connection, and it is kept
  bool chunked = false;         // for a stream; without it the end of the connection ends the stream (HTTP/1.0)
};

// RFC 9110's phrase; "Unknown" for a status it does not define.
[[nodiscard]] std::string_view reason_phrase(int status);

// Appends the answer's bytes to `out`; with a source or a stream only the header section.
void append_response(std::string& out, const Response& response, const ResponseFraming& framing);
// Appends a piece of a chunked body (RFC 9112 7.1), which must not be empty; and the end of the body.
void append_chunk(std::string& out, std::string_view piece);
void append_last_chunk(std::string& out);
// The interim answer that asks for a body.
void append_continue(std::string& out);

// {"error": "sentence"} as JSON, and a newline. The sentence must be UTF-8 (WH_ASSERT): pass a client's bytes through
// printable().
[[nodiscard]] Response error_response(int status, std::string_view sentence);

}  // namespace wh::http
