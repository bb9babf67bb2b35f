#include "http/guard.h"

#include <algorithm>
#include <array>

#include "base/escapes.h"
#include "http/token.h"

namespace wh::http {

namespace {

constexpr std::string_view kVersionPrefix = "HTTP/";
constexpr std::string_view kUsualLineEnd = "HTTP/1.1\r\n";
constexpr const char* kBadLine = "The request line is not `method target HTTP/1.1`";
constexpr const char* kBareLf = "A line must end with CR LF";
constexpr const char* kTooManyHeaders = "The header section is too large";

bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

constexpr bool is_target_byte(unsigned char c) { return c > 0x20 && c < 0x7f; }

template <typename Is>
constexpr std::array<bool, 256> table_of(Is is) {
  std::array<bool, 256> table{};
  for (size_t c = 0; c < table.size(); ++c) table[c] = is(static_cast<unsigned char>(c));
  return table;
}

constexpr std::array<bool, 256> kTargetBytes = table_of(is_target_byte);

size_t bytes_of(const std::array<bool, 256>& table, std::string_view bytes) {
  size_t count = 0;
  while (count < bytes.size() && table[static_cast<unsigned char>(bytes[count])]) ++count;
  return count;
}

}  // namespace

bool HeaderGuard::refuse(int status, const char* sentence) {
  refusal_ = {status, sentence};
  return false;
}

void HeaderGuard::reset() {
  state_ = State::leading;
  skipped_line_ = false;
  line_bytes_ = header_bytes_ = fields_ = version_bytes_ = 0;
  refusal_ = {};
}

size_t HeaderGuard::accept(std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && state_ != State::complete && !refusal_) {
    taken += take_plain(bytes.substr(taken));
    if (taken == bytes.size() || !take(static_cast<unsigned char>(bytes[taken]))) break;
    ++taken;
  }
  return taken;
}

size_t HeaderGuard::take_plain(std::string_view bytes) {
  const bool in_line = state_ <= State::version;
  size_t& counted = in_line ? line_bytes_ : header_bytes_;
  const size_t limit = in_line ? limits_.request_line_bytes : limits_.header_bytes;
  const std::string_view within = bytes.substr(0, limit - std::min(limit, counted));
  size_t taken = 0;
  switch (state_) {
    case State::method:
    case State::name:
      taken = bytes_of(kTokenBytes, within);
      break;
    case State::target:
      taken = bytes_of(kTargetBytes, within);
      break;
    case State::value:
      taken = bytes_before_control(within);
      break;
    case State::version:
      if (version_bytes_ != 0 || !within.starts_with(kUsualLineEnd)) return 0;
      taken = kUsualLineEnd.size();
      state_ = State::field_begin;
      break;
    default:
      return 0;
  }
  counted += taken;
  return taken;
}

bool HeaderGuard::take(unsigned char c) {
  if (state_ >= State::field_begin) {
    if (++header_bytes_ > limits_.header_bytes) return refuse(431, kTooManyHeaders);
  } else if (state_ >= State::method || (state_ == State::leading && c != '\r')) {
    if (++line_bytes_ > limits_.request_line_bytes) return refuse(414, "The request line is too long");
  }
  switch (state_) {
    case State::leading:
      if (c == '\r' && !skipped_line_) {
        state_ = State::leading_lf;
        return true;
      }
      if (!is_token_byte(c)) return refuse(400, kBadLine);
      state_ = State::method;
      return true;
    case State::leading_lf:
      if (c != '\n') return refuse(400, kBareLf);
      skipped_line_ = true;
      state_ = State::leading;
      return true;
    case State::method:
      if (c == ' ') {
        state_ = State::target_begin;
        return true;
      }
      return is_token_byte(c) || refuse(400, kBadLine);
    case State::target_begin:
      state_ = State::target;
      return is_target_byte(c) || refuse(400, kBadLine);
    case State::target:
      if (c == ' ') {
        state_ = State::version;
        return true;
      }
      return is_target_byte(c) || refuse(400, "The request target holds a byte that must be percent-encoded");
    case State::version: {
      // HTTP/d.d; a well-formed version other than 1.0 and 1.1 does not make the line malformed.
      const size_t at = version_bytes_++;
      if (at < kVersionPrefix.size())
        return c == static_cast<unsigned char>(kVersionPrefix[at]) || refuse(400, kBadLine);
      if (at == 6) return c == '.' || refuse(400, kBadLine);
      if (!is_digit(c)) return refuse(400, kBadLine);
      if (at == 5) return c == '1' || refuse(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here");
      state_ = State::line_cr;
      return c <= '1' || refuse(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    case State::line_cr:
      state_ = State::line_lf;
      return c == '\r' || refuse(400, c == '\n' ? kBareLf : kBadLine);
    case State::line_lf:
      state_ = State::field_begin;
      return c == '\n' || refuse(400, kBareLf);
    case State::field_begin:
      if (c == '\r') {
        state_ = State::end_lf;
        return true;
      }
      if (c == ' ' || c == '\t') return refuse(400, "A header line must not begin with a space");
      if (c == ':') return refuse(400, "A header has no name");
      if (++fields_ > limits_.header_count) return refuse(431, kTooManyHeaders);
      state_ = State::name;
      [[fallthrough]];
    case State::name:
      if (c == ':') {
        state_ = State::value;
        return true;
      }
      return is_token_byte(c) || refuse(400, "A header name holds a byte that is not allowed there");
    case State::value:
      if (c == '\r') {
        state_ = State::value_lf;
        return true;
      }
      if (c == '\n') return refuse(400, kBareLf);
      return c == '\t' || !is_control(c) || refuse(400, "A header value holds a control byte");
    case State::value_lf:
      state_ = State::field_begin;
      return c == '\n' || refuse(400, kBareLf);
    case State::end_lf:
      state_ = State::complete;
      return c == '\n' || refuse(400, kBareLf);
    case State::complete:
      break;
  }
  return false;
}

bool ChunkGuard::refuse(int status, const char* sentence) {
  refusal_ = {status, sentence};
  return false;
}

void ChunkGuard::reset() {
  state_ = State::size;
  digits_ = 0;
  chunk_left_ = body_bytes_ = 0;
  extension_bytes_ = 0;
  refusal_ = {};
}

size_t ChunkGuard::accept(std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && state_ != State::complete && !refusal_) {
    if (state_ == State::data) {
      const size_t part = static_cast<size_t>(std::min<uint64_t>(chunk_left_, bytes.size() - taken));
      taken += part;
      chunk_left_ -= part;
      if (chunk_left_ == 0) state_ = State::data_cr;
      continue;
    }
    if (!take(static_cast<unsigned char>(bytes[taken]))) break;
    ++taken;
  }
  return taken;
}

bool ChunkGuard::take_size(unsigned char c) {
  constexpr const char* kBadSize = "A chunk size is malformed";
  if (const int digit = hex_digit(static_cast<char>(c)); digit >= 0) {
    // 16 digits fill 64 bits: more could only be an overflow or an endless row of zeros.
    if (++digits_ > 16) return refuse(400, kBadSize);
    chunk_left_ = chunk_left_ * 16 + static_cast<uint64_t>(digit);
    return true;
  }
  if (digits_ == 0 || (c != ';' && c != '\r')) return refuse(400, kBadSize);
  // The limit may have been lowered since the body began.
  if (body_bytes_ > limits_.body_bytes || chunk_left_ > limits_.body_bytes - body_bytes_)
    return refuse(413, "The body is too large");
  body_bytes_ += chunk_left_;
  digits_ = 0;
  state_ = State::size_lf;
  if (c == '\r') return true;
  state_ = State::extension;
  return take(c);
}

bool ChunkGuard::take(unsigned char c) {
  constexpr const char* kBadEnd = "A chunk must end with CR LF";
  switch (state_) {
    case State::size:
      return take_size(c);
    case State::extension:
      if (c == '\r') {
        state_ = State::size_lf;
        return true;
      }
      if ((is_control(c) && c != '\t') || c >= 0x80)
        return refuse(400, "A chunk extension holds a byte that is not allowed there");
      return ++extension_bytes_ <= limits_.chunk_extension_bytes || refuse(400, "The chunk extensions are too long");
    case State::size_lf:
      state_ = chunk_left_ == 0 ? State::end_cr : State::data;
      return c == '\n' || refuse(400, kBadEnd);
    case State::data_cr:
      state_ = State::data_lf;
      return c == '\r' || refuse(400, kBadEnd);
    case State::data_lf:
      state_ = State::size;
      return c == '\n' || refuse(400, kBadEnd);
    case State::end_cr:
      // A field after the last chunk could carry a second Content-Length (HAZARDS H5).
      state_ = State::end_lf;
      return c == '\r' || refuse(400, "Trailer fields are not accepted");
    case State::end_lf:
      state_ = State::complete;
      return c == '\n' || refuse(400, kBadEnd);
    case State::data:
    case State::complete:
      break;
  }
  return false;
}

}  // namespace wh::http
