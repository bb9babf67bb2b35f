// Strict JSON (RFC 8259): reads the one form that clients send, an object of strings, and writes answers. simdjson
// parses (deps/README.md says why); this file decides what it leaves open: duplicate names, the depth, the type of each
// value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace wh::http {

// Any value nested deeper than this is an error.
inline constexpr size_t kJsonDepth = 64;

using StringPairs = std::vector<std::pair<std::string, std::string>>;

// Reads one JSON object whose values are strings; order is kept, {} gives no pairs. The error is one sentence. Errors:
// anything that is not JSON in UTF-8 (also a byte order mark, a lone surrogate, bytes after the end), a value that is
// not an object, a member that is not a string (the error names it), a name given twice (after unescaping). Names may
// be empty here. With `numbers_too` a member may also be a whole number from 0 to 2^64-1, returned as its digits.
[[nodiscard]] Result<StringPairs> parse_json_strings(std::string_view text, bool numbers_too = false);

// Whether `text` is JSON as above, of any kind of value; names may be given twice.
[[nodiscard]] Status check_json(std::string_view text);

// `text` as a JSON string with its quotes; nothing when it is not UTF-8.
[[nodiscard]] std::optional<std::string> json_quote(std::string_view text);

// Builds one JSON value, and puts commas and colons where they belong. Calls must nest properly (WH_ASSERT). After a
// string that is not UTF-8 ok() stays false.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{', '}'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('[', ']'); }
  JsonWriter& end_array() { return close(']'); }
  // A member's name; its value follows.
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view value);
  JsonWriter& number(uint64_t value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  // A value that is JSON already.
  JsonWriter& raw(std::string_view json);
  // A string of bytes that need not be text.
  JsonWriter& base64(std::string_view bytes);
  [[nodiscard]] bool ok() const { return ok_; }
  // How long the text is so far.
  [[nodiscard]] size_t size() const { return out_.size(); }
  // The text, once all objects and arrays are closed.
  [[nodiscard]] std::string take();

 private:
  JsonWriter& open(char begin, char end);
  JsonWriter& close(char end);
  void separate();
  void append_quoted(std::string_view text);

  std::string out_;
  std::string open_;   // the closing brackets still to come, innermost last
  bool first_ = true;  // the innermost object or array is still empty
  bool after_key_ = false;
  bool ok_ = true;
};

}  // namespace wh::http
