// The guards that read a request's raw bytes before llhttp does. They know only framing: where the header section and a
// chunked body end, and which bytes they may hold (RFC 9112, read strictly). They store no bytes and do not know what
// methods, fields or limits mean. RequestParser calls them and gives llhttp only bytes that they passed, so that a
// request is accepted only where two independent readers agree on its end (HAZARDS 8.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/connection_limits.h"

namespace wh::http {

// Follows one header section, from the first byte of a request to its empty line. Refuses: LF without CR, CR without
// LF, a request line that is not `method SP target SP HTTP/1.0|1.1`, bytes outside 0x21..0x7e in a target, a field line
// that begins with SP or HT (obs-fold), an empty field name, bytes outside RFC 9110's tchar in a name (so SP before the
// colon, and bytes above 127), control bytes other than HT in a value, and input over its limits. Skips one empty line
// before the request line (RFC 9112 2.2).
class HeaderGuard {
 public:
  explicit HeaderGuard(const ConnectionLimits& limits) : limits_(limits) {}

  // Reads up to the end of the section, a fault or the end of `bytes`, whichever comes first; returns the number of
  // bytes read. Must not be called again after a fault.
  size_t accept(std::string_view bytes);

  [[nodiscard]] bool complete() const { return state_ == State::complete; }
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }
  // Whether a byte of a request line was seen; an empty line before it does not count.
  [[nodiscard]] bool started() const { return state_ > State::leading_lf; }
  // Starts over for the next request.
  void reset();

 private:
  enum class State {
    leading,
    leading_lf,
    method,
    target_begin,
    target,
    version,
    line_cr,
    line_lf,
    field_begin,
    name,
    value,
    value_lf,
    end_lf,
    complete,
  };
  // Takes one byte; false after setting refusal_.
  bool take(unsigned char c);
  // Takes the bytes of a method, a target, a name or a value that only count, up to the first that does more, or the
  // usual end of a request line; returns how many. They are most of a section: taken one by one they cost three times
  // as much.
  size_t take_plain(std::string_view bytes);
  bool refuse(int status, const char* sentence);

  const ConnectionLimits& limits_;
  State state_ = State::leading;
  bool skipped_line_ = false;
  size_t line_bytes_ = 0;
  size_t header_bytes_ = 0;
  size_t fields_ = 0;
  size_t version_bytes_ = 0;
  Refusal refusal_;
};

// Follows one chunked body, from the first byte of its first chunk size to the CRLF after its last chunk. Refuses: a
// size that is not 1 to 16 hexadecimal digits, bare CR or LF, anything but CRLF after a chunk's data, control bytes in
// an extension, extensions over their limit, any trailer field, and a body over its limit (as soon as the size is
// known).
class ChunkGuard {
 public:
  explicit ChunkGuard(const ConnectionLimits& limits) : limits_(limits) {}

  // Like HeaderGuard::accept.
  size_t accept(std::string_view bytes);

  [[nodiscard]] bool complete() const { return state_ == State::complete; }
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }
  void reset();

 private:
  enum class State { size, extension, size_lf, data, data_cr, data_lf, end_cr, end_lf, complete };
  bool take(unsigned char c);
  bool take_size(unsigned char c);
  bool refuse(int status, const char* sentence);

  const ConnectionLimits& limits_;
  State state_ = State::size;
  size_t digits_ = 0;
  uint64_t chunk_left_ = 0;
  uint64_t body_bytes_ = 0;
  size_t extension_bytes_ = 0;
  Refusal refusal_;
};

}  // namespace wh::http
