// What a request or an answer carries under a name, described once: a parameter of the query, a field of a form, a
// member of a JSON object, a header field. Routes list theirs (inputs.h), readers take the bounds from them (params.h),
// and openapi.cc describes them. Values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/short_list.h"

namespace wh::api {

enum class ParameterType : uint8_t {
  text,
  number,    // whole, from `least` to `most`
  integer,   // of 64 bits, with a sign
  duration,  // from `least` to `most` ms; as text 500ms or 2s, as a number seconds
  size,      // from `least` to `most` bytes: a number, or text such as 256mb
  time,      // RFC 3339
  flag,      // there, or not
  base64,
  strings,  // an object of strings
};

struct Parameter {
  std::string_view name;
  std::string_view text;  // what it means: a sentence
  ParameterType type = ParameterType::text;
  uint64_t least = 0;
  uint64_t most = UINT64_MAX;                 // that: no bound but its type's
  std::optional<uint64_t> standard{};         // a number that counts where none is given
  std::array<std::string_view, 3> choices{};  // of text: the only values; none: any
  std::string_view pattern{};                 // of text: a regular expression
  std::string_view example{};
  bool required = false;
};

using Parameters = ShortList<const Parameter*, 16>;

// Null for an unknown name.
[[nodiscard]] constexpr const Parameter* find_parameter(const Parameters& all, std::string_view name) {
  for (const Parameter* one : all)
    if (one->name == name) return one;
  return nullptr;
}

}  // namespace wh::api
