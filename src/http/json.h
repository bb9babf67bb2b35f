// JSON (RFC 8259), strict: reading the one form clients send, an object of strings, and writing answers. simdjson
// parses (deps/README.md says why); what it leaves open is decided here: duplicate names, the depth, the type of each
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

// Values nested deeper than this are an error, whatever they are.
inline constexpr size_t kJsonDepth = 64;

using StringPairs = std::vector<std::pair<std::string, std::string>>;

// Reads one JSON object whose values are strings; order is kept, {} gives no pairs. An error, as one sentence: anything
// that is not JSON in UTF-8 (also a byte order mark, a lone surrogate, bytes after the end), a value that is not an
// object, a member that is not a string (named), a name given twice (after unescaping). Names may be empty here.
// With `numbers_too` a member may also be a whole number from 0 to 2^64-1, whose digits are given.
[[nodiscard]] Result<StringPairs> parse_json_strings(std::string_view text, bool numbers_too = false);

// `text` as a JSON string with its quotes; nothing when it is not UTF-8.
[[nodiscard]] std::optional<std::string> json_quote(std::string_view text);

// Builds one JSON value, putting commas and colons where they belong. Calls must nest properly (WH_ASSERT). A string
// that is not UTF-8 makes ok() false for good.
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
  [[nodiscard]] bool ok() const { return ok_; }
  // The text, once everything that was opened is closed.
  [[nodiscard]] std::string take();

 private:
  JsonWriter& open(char begin, char end);
  JsonWriter& close(char end);
  void separate();
  void append_quoted(std::string_view text);

  std::string out_;
  std::string open_;   // the brackets that are still to come, innermost last
  bool first_ = true;  // nothing stands yet in the innermost one
  bool after_key_ = false;
  bool ok_ = true;
};

}  // namespace wh::http
