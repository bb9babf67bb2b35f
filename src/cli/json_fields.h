// Reads the JSON of answers: members of an object by their names. What is not there, or of another kind, reads as
// empty: an answer of a newer server must not break an older command line.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/json_reader.h"

namespace wh::cli {

class JsonFields {
 public:
  // Nothing for a text that is not a JSON object. Keeps a copy of the text.
  static std::optional<JsonFields> parse(std::string_view text);
  // The objects of a text that is an array of them; empty for any other.
  static std::vector<JsonFields> parse_array(std::string_view text);

  // Whether there is such a member that is not null.
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  // A string's text; of a number or a boolean as it was written; else empty.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::optional<uint64_t> number(std::string_view name) const;
  [[nodiscard]] bool boolean(std::string_view name) const;
  // The value as JSON; "null" when it is not there.
  [[nodiscard]] std::string json(std::string_view name) const;
  // The bytes of `name`, or those of `name`_base64.
  [[nodiscard]] std::string bytes(std::string_view name) const;
  [[nodiscard]] std::vector<JsonFields> objects(std::string_view name) const;
  [[nodiscard]] std::optional<JsonFields> object(std::string_view name) const;
  // The whole object as it came.
  [[nodiscard]] const std::string& whole() const { return *text_; }
  // All names, in their order.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  JsonFields() = default;
  [[nodiscard]] const http::JsonValue* find(std::string_view name) const;

  std::shared_ptr<std::string> text_ = std::make_shared<std::string>();
  std::shared_ptr<http::KeptStrings> kept_ = std::make_shared<http::KeptStrings>();
  http::JsonMembers members_;  // views into the two
};

}  // namespace wh::cli
