// The bounds on what one client may make a connection hold, and the form of a refusal. Values only; the server fills
// the configurable ones from its directives (HAZARDS 8.3).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace wh::http {

// The owner may change them while connections are open.
struct ConnectionLimits {
  // With its CRLF; beyond it: 414. A list's next page names a prefix, a key and an end of 4,096 bytes each, of which
  // each may be percent-encoded.
  size_t request_line_bytes = 40 * 1024;
  size_t header_bytes = 16 * 1024;               // all field lines and the empty line; beyond: 431
  size_t header_count = 100;                     // field lines; beyond: 431
  uint64_t body_bytes = 1024 * 1024;             // decoded body; beyond: 413
  size_t chunk_extension_bytes = 256;            // of one body; beyond: 400
  size_t in_flight = 128;                        // unanswered requests of one connection
  size_t requests_at_once = 16;                  // then other connections have their turn
  size_t output_soft_bytes = 64 * 1024;          // while more than this is unsent no further request is taken up
  size_t output_piece_bytes = 64 * 1024;         // a larger body is sent this much at a time, as the client takes it
  size_t output_hard_bytes = 8 * 1024 * 1024;    // an answer given while more than this is unsent ends the connection
  Millis source_deadline_ms = 60'000;            // for taking a body sent in pieces, plus what the rate below earns
  uint64_t source_bytes_per_second = 16 * 1024;  // bytes of it that earn one more second when taken; not 0
  Millis stream_keep_alive_ms = 15'000;          // how long a stream sends nothing before a keep-alive
  Millis output_stall_ms = 60'000;               // unsent bytes that do not move for this long end the connection
  Millis header_deadline_ms = 10'000;     // from a request's first byte to the end of its header section; then 408
  Millis body_deadline_ms = 30'000;       // from there to the end of its body, plus what the rate below earns; then 408
  uint64_t body_bytes_per_second = 1024;  // bytes of body that earn one more second on arrival; not 0
  Millis idle_timeout_ms = 0;             // silence between requests after which the connection is closed; 0: never
};

// Why a request is refused: the status to answer and one sentence. Status 0: not refused.
struct Refusal {
  int status = 0;
  const char* sentence = "";
  explicit operator bool() const { return status != 0; }
};

}  // namespace wh::http
