// Turns bytes into requests: inline lines, split as Redis's sdssplitargs does, and RESP2 arrays of bulk strings.
// Incremental: the outcome does not depend on where the bytes are cut. Owns the bytes not parsed yet and the request
// being read; knows no command and writes nothing. Called by the connection, one request at a time, so that a request
// can depend on the effect of the one before (AUTH lifts the limits of the next).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wh::debug {

// In bytes and counts; Redis's values where Redis has them (HAZARDS I2).
struct ParserLimits {
  size_t inline_bytes = 64 * 1024;      // an inline line, without its LF
  size_t bulk_bytes = 1024 * 1024;      // one argument
  size_t request_bytes = 1024 * 1024;   // all arguments of a request together
  size_t arguments = 1024;              // the command's name included
  size_t untrusted_bulk_bytes = 16384;  // before the password
  size_t untrusted_arguments = 10;      // before the password
  std::string_view bytes_set_by{};      // what sets bulk_bytes and request_bytes, for the errors; a literal
};

class Parser {
 public:
  enum class Outcome {
    need_more,  // no complete request is left
    request,    // take_arguments() gives it; never empty
    error,      // not the protocol: reason() is Redis's text. Final: every later call returns it too
    foreign,    // another protocol (debug/foreign.h): reason() says why. Final too
  };

  // `limits` are read at every step and must outlive the parser.
  explicit Parser(const ParserLimits& limits) : limits_(limits) {}

  // Adds bytes; parses nothing.
  void feed(std::string_view bytes);
  // Reads up to the end of the next request. `trusted`: the client needs no password, or gave it.
  Outcome next(bool trusted);
  // The request that next() has just found.
  [[nodiscard]] std::vector<std::string> take_arguments();
  [[nodiscard]] const std::string& reason() const { return reason_; }
  // Frees the memory: the parser is not asked again.
  void forget() {
    std::string().swap(buffer_);
    position_ = 0;
    arguments_.clear();
    request_size_ = 0;
    state_ = State::finished;
  }
  // Bytes fed and not parsed yet.
  [[nodiscard]] size_t unread_bytes() const { return buffer_.size() - position_; }
  // Memory held by these bytes and by the request being read.
  [[nodiscard]] size_t held_bytes() const { return buffer_.capacity() + request_size_; }

 private:
  enum class State { start, line, count, bulk_length, bulk_body, finished };
  using Step = std::optional<Outcome>;  // empty: continue with the next state

  [[nodiscard]] std::string_view rest() const { return std::string_view(buffer_).substr(position_); }
  Step read_start();
  Step read_line(bool trusted);
  Step read_first_word(std::string_view line);
  Step read_count(bool trusted);
  Step read_bulk_length(bool trusted);
  Step read_bulk_body();
  Step read_header(std::string_view what, std::optional<int64_t>& value);
  Step finish(Outcome outcome, std::string reason);
  [[nodiscard]] std::string set_by() const;

  const ParserLimits& limits_;
  std::string buffer_;
  size_t position_ = 0;  // where the bytes not parsed yet begin in buffer_
  State state_ = State::start;
  Outcome final_ = Outcome::need_more;
  std::string reason_;
  std::vector<std::string> arguments_;
  // Offsets in the line: how far it was searched, so that bytes that come one by one do not cost quadratic time.
  size_t searched_ = 0;
  size_t word_searched_ = 0;
  size_t word_begin_ = 0;
  bool word_done_ = false;
  // Of a RESP array.
  size_t arguments_left_ = 0;
  size_t bulk_size_ = 0;
  size_t request_size_ = 0;
};

// Splits a line as sdssplitargs does: blanks separate words; "..." with \n \r \t \b \a \xHH and \c for any other c;
// '...' with \' only; a closing quote ends its word. Empty when quotes do not match. Stops after `most` + 1 words.
std::optional<std::vector<std::string>> split_line(std::string_view line, size_t most);

}  // namespace wh::debug
