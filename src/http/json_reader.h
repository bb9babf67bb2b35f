// Reads JSON of any form that a request may have: objects within arrays, numbers, null. json.h checks the text as a
// whole first; this file only walks through it, so that a long string without escapes is a view into the text, and a
// value can be taken as it was written.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace wh::http {

enum class JsonKind : uint8_t { null, boolean, number, string, array, object };

// Owns the strings that had escapes, for as long as views of them are used.
using KeptStrings = std::list<std::string>;

// A value within a text that is JSON. The text must outlive it.
class JsonValue {
 public:
  // `text` is one JSON value (check_json), or a part of it that these functions gave.
  explicit JsonValue(std::string_view text) : text_(text) {}

  [[nodiscard]] JsonKind kind() const;
  // As it was written, without blanks around it.
  [[nodiscard]] std::string_view text() const { return text_; }
  // Only of that kind (WH_ASSERT).
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] std::string_view string(KeptStrings& kept) const;
  [[nodiscard]] std::vector<JsonValue> items() const;
  // Names may be empty. The error names one that is given twice.
  [[nodiscard]] Result<std::vector<std::pair<std::string_view, JsonValue>>> members(KeptStrings& kept) const;
  // A whole number from 0 to 2^64-1 without fraction or exponent; nothing for any other value.
  [[nodiscard]] std::optional<uint64_t> number() const;

 private:
  std::string_view text_;
};

using JsonMembers = std::vector<std::pair<std::string_view, JsonValue>>;

// Checks the text and gives its one value.
[[nodiscard]] Result<JsonValue> parse_json(std::string_view text);

}  // namespace wh::http
