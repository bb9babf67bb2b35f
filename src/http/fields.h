// The header fields of an answer, kept as the lines that are sent: adding one appends to one string, and sending all
// copies it; kept as names and values, and checked when sent, they took an eighth of the user time of a read. No byte
// of a value can end a line (HAZARDS H14).
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"
#include "http/token.h"

namespace wh::http {

// The name of a field of an answer: a token, and none of those that the writer of answers adds itself. One that the
// program spells out is checked when it is compiled.
class FieldName {
 public:
  template <typename Text>
  requires std::convertible_to<const Text&, std::string_view>
  consteval FieldName(const Text& name) : name_(name) {  // NOLINT(google-explicit-constructor)
    if (!is_allowed(name_)) throw "not the name of a field that may be added";
  }
  // One that is put together. It must be allowed (WH_ASSERT), and outlive this object.
  static FieldName of(std::string_view name);

  [[nodiscard]] std::string_view text() const { return name_; }

 private:
  struct Unchecked {};
  FieldName(std::string_view name, Unchecked) : name_(name) {}
  static constexpr bool is_allowed(std::string_view name);

  std::string_view name_;
};

// The fields that the writer of answers adds itself.
inline constexpr std::array<std::string_view, 6> kWritersFields{
    "Content-Length", "Content-Type", "Connection", "Transfer-Encoding", "X-Content-Type-Options", "Cache-Control"};

constexpr bool FieldName::is_allowed(std::string_view name) {
  if (name.empty()) return false;
  for (const char c : name)
    if (!is_token_byte(static_cast<unsigned char>(c))) return false;
  return std::none_of(kWritersFields.begin(), kWritersFields.end(),
                      [name](std::string_view own) { return equals_ignoring_case(name, own); });
}

// Appends `name: value`, with spaces in place of control bytes in the value, and ends the line.
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_field(std::string& out, std::string_view name, uint64_t value);

class Fields {
 public:
  struct Field {
    FieldName name;
    std::string_view value;
  };
  Fields() = default;
  Fields(std::initializer_list<Field> fields) {
    for (const auto& [name, value] : fields) add(name, value);
  }

  void add(FieldName name, std::string_view value);
  void add(FieldName name, uint64_t value);
  // Removes all fields of this name, which must be spelled as it was added.
  void remove(FieldName name);
  [[nodiscard]] bool empty() const { return lines_.empty(); }
  // The lines, each with its CRLF.
  [[nodiscard]] std::string_view lines() const { return lines_; }
  // Copies, for who wants to look at single fields.
  [[nodiscard]] std::vector<Header> list() const;

 private:
  std::string lines_;
};

}  // namespace wh::http
