#include "debug/parser.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/escapes.h"
#include "debug/foreign.h"

namespace wh::debug {
namespace {

// "*<length>\r\n": the longest 64-bit integer takes 23 bytes.
constexpr size_t kLongestHeader = 32;
constexpr size_t kKeptCapacity = 64 * 1024;

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Like string2ll: each number has one spelling, so no plus sign and no leading zeros.
std::optional<int64_t> parse_length(std::string_view text) {
  const std::string_view digits = !text.empty() && text.front() == '-' ? text.substr(1) : text;
  if (digits.empty() || (digits.front() == '0' && text.size() > 1)) return std::nullopt;
  int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Reads the inside of quotes from `at`, just after the opening quote, to just after the closing one. False when there
// is no closing quote, or when the word goes on after it.
bool read_quoted(std::string_view line, size_t& at, char quote, std::string& word) {
  for (; at < line.size(); ++at) {
    const char c = line[at];
    if (c == quote) {
      ++at;
      return at == line.size() || is_blank(line[at]);
    }
    if (c == '\\' && at + 1 < line.size()) {
      if (quote == '"') {
        const std::optional<char> byte = line[at + 1] == 'x' ? hex_byte(line.substr(at + 2)) : std::nullopt;
        word += byte ? *byte : unescaped(line[at + 1]);
        at += byte ? 3 : 1;
        continue;
      }
      if (line[at + 1] == quote) {
        word += line[++at];
        continue;
      }
    }
    word += c;
  }
  return false;
}

}  // namespace

std::optional<std::vector<std::string>> split_line(std::string_view line, size_t most) {
  std::vector<std::string> words;
  size_t at = 0;
  while (words.size() <= most) {
    while (at < line.size() && is_blank(line[at])) ++at;
    if (at == line.size()) break;
    std::string word;
    while (at < line.size() && !ends_word(line[at])) {
      const char c = line[at++];
      if (c != '"' && c != '\'') {
        word += c;
        continue;
      }
      if (!read_quoted(line, at, c, word)) return std::nullopt;
      break;
    }
    words.push_back(std::move(word));
  }
  return words;
}

void Parser::feed(std::string_view bytes) {
  if (state_ == State::finished) return;
  buffer_.erase(0, position_);
  position_ = 0;
  buffer_.append(bytes);
}

Parser::Outcome Parser::next(bool trusted) {
  for (;;) {
    Step step;
    switch (state_) {
      case State::start:
        step = read_start();
        break;
      case State::line:
        step = read_line(trusted);
        break;
      case State::count:
        step = read_count(trusted);
        break;
      case State::bulk_length:
        step = read_bulk_length(trusted);
        break;
      case State::bulk_body:
        step = read_bulk_body();
        break;
      case State::finished:
        step = final_;
        break;
    }
    if (step) return *step;
  }
}

std::vector<std::string> Parser::take_arguments() {
  request_size_ = 0;
  return std::exchange(arguments_, {});
}

Parser::Step Parser::read_start() {
  if (position_ == buffer_.size()) {
    buffer_.clear();
    position_ = 0;
    if (buffer_.capacity() > kKeptCapacity) buffer_.shrink_to_fit();
    return Outcome::need_more;
  }
  const char first = buffer_[position_];
  if (const std::string_view why = foreign_first_byte(first); !why.empty())
    return finish(Outcome::foreign, std::string(why));
  arguments_.clear();
  state_ = first == '*' ? State::count : State::line;
  searched_ = word_searched_ = word_begin_ = 0;
  word_done_ = false;
  return std::nullopt;
}

// Looks at the first word as soon as it ends: the guard must not wait for the end of a line that never comes.
Parser::Step Parser::read_first_word(std::string_view line) {
  for (; !word_done_ && word_searched_ < std::min(line.size(), limits_.inline_bytes); ++word_searched_) {
    const char c = line[word_searched_];
    if (word_searched_ == word_begin_ && is_blank(c)) {
      ++word_begin_;
    } else if (ends_word(c)) {
      word_done_ = true;
      const std::string_view why = foreign_first_word(line.substr(word_begin_, word_searched_ - word_begin_));
      if (!why.empty()) return finish(Outcome::foreign, std::string(why));
    }
  }
  return std::nullopt;
}

// The checks are in the order in which bytes that arrive one by one meet them, so that no split changes the outcome.
Parser::Step Parser::read_line(bool trusted) {
  const std::string_view bytes = rest();
  const size_t newline = bytes.find('\n', searched_);
  const bool complete = newline != std::string_view::npos;
  if (Step step = read_first_word(complete ? bytes.substr(0, newline + 1) : bytes)) return step;
  std::string_view line = bytes.substr(0, newline);
  const std::string_view allowed = line.substr(0, limits_.inline_bytes);
  // Telnet's CR NUL, or a binary protocol. Redis would silently drop the rest of the line.
  if (searched_ < allowed.size() && allowed.find('\0', searched_) != std::string_view::npos)
    return finish(Outcome::error, "NUL byte in an inline request");
  if (line.size() > limits_.inline_bytes) return finish(Outcome::error, "too big inline request");
  if (!complete) {
    searched_ = bytes.size();
    return Outcome::need_more;
  }
  if (const std::string_view why = foreign_line(line); !why.empty()) return finish(Outcome::foreign, std::string(why));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const size_t most = trusted ? limits_.arguments : limits_.untrusted_arguments;
  auto words = split_line(line, most);
  if (!words) return finish(Outcome::error, "unbalanced quotes in request");
  if (words->size() > most)
    return finish(Outcome::error, trusted ? "too many arguments" : "unauthenticated multibulk length");
  if (!trusted && std::any_of(words->begin(), words->end(),
                              [&](const std::string& word) { return word.size() > limits_.untrusted_bulk_bytes; }))
    return finish(Outcome::error, "unauthenticated bulk length");
  position_ += newline + 1;
  state_ = State::start;
  if (words->empty()) return std::nullopt;
  arguments_ = std::move(*words);
  return Outcome::request;
}

// Reads a line of one type byte and a length; `value` stays empty when the length is no integer.
Parser::Step Parser::read_header(std::string_view what, std::optional<int64_t>& value) {
  const std::string_view head = rest().substr(0, kLongestHeader);
  const size_t newline = head.find('\n');
  if (newline == std::string_view::npos) {
    if (head.size() < kLongestHeader) return Outcome::need_more;
    return finish(Outcome::error, "too big " + std::string(what) + " count string");
  }
  if (newline >= 2 && head[newline - 1] == '\r') value = parse_length(head.substr(1, newline - 2));
  position_ += newline + 1;
  return std::nullopt;
}

Parser::Step Parser::read_count(bool trusted) {
  std::optional<int64_t> count;
  if (Step step = read_header("mbulk", count)) return step;
  if (!count) return finish(Outcome::error, "invalid multibulk length");
  if (*count > static_cast<int64_t>(limits_.arguments))
    return finish(Outcome::error, "invalid multibulk length: " + std::to_string(*count) +
                                      ", and a request has at most " + std::to_string(limits_.arguments) + " words");
  if (!trusted && *count > static_cast<int64_t>(limits_.untrusted_arguments))
    return finish(Outcome::error, "unauthenticated multibulk length");
  state_ = *count > 0 ? State::bulk_length : State::start;
  arguments_left_ = *count > 0 ? static_cast<size_t>(*count) : 0;
  request_size_ = 0;
  return std::nullopt;
}

Parser::Step Parser::read_bulk_length(bool trusted) {
  if (position_ == buffer_.size()) return Outcome::need_more;
  if (const char type = buffer_[position_]; type != '$')
    return finish(Outcome::error, std::string("expected '$', got '") + type + "'");
  std::optional<int64_t> size;
  if (Step step = read_header("bulk", size)) return step;
  if (!size || *size < 0) return finish(Outcome::error, "invalid bulk length");
  if (*size > static_cast<int64_t>(limits_.bulk_bytes))
    return finish(Outcome::error, "invalid bulk length: " + std::to_string(*size) + ", and an argument has at most " +
                                      std::to_string(limits_.bulk_bytes) + " bytes" + set_by());
  if (!trusted && *size > static_cast<int64_t>(limits_.untrusted_bulk_bytes))
    return finish(Outcome::error, "unauthenticated bulk length");
  bulk_size_ = static_cast<size_t>(*size);
  request_size_ += bulk_size_;
  if (request_size_ > limits_.request_bytes)
    return finish(Outcome::error,
                  "request of more than " + std::to_string(limits_.request_bytes) + " bytes" + set_by());
  state_ = State::bulk_body;
  return std::nullopt;
}

std::string Parser::set_by() const {
  return limits_.bytes_set_by.empty() ? std::string() : " (" + std::string(limits_.bytes_set_by) + ")";
}

Parser::Step Parser::read_bulk_body() {
  const std::string_view bytes = rest();
  if (bytes.size() < bulk_size_ + 2) return Outcome::need_more;
  if (bytes.substr(bulk_size_, 2) != "\r\n") return finish(Outcome::error, "expected CRLF after a bulk");
  arguments_.emplace_back(bytes.substr(0, bulk_size_));
  position_ += bulk_size_ + 2;
  state_ = --arguments_left_ > 0 ? State::bulk_length : State::start;
  if (state_ == State::start) return Outcome::request;
  return std::nullopt;
}

Parser::Step Parser::finish(Outcome outcome, std::string reason) {
  state_ = State::finished;
  final_ = outcome;
  reason_ = std::move(reason);
  buffer_ = {};
  arguments_.clear();
  position_ = 0;
  return outcome;
}

}  // namespace wh::debug
