// What an event carries beside its bytes: its content type and its attributes (CONTRACT, Queues and CloudEvents). One
// packed form in commands, in the state, in snapshots and backups; the protocols make headers and JSON of it. Owns the
// bounds. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace wh::machine {

inline constexpr size_t kMaxContentTypeBytes = 255;
inline constexpr size_t kMaxAttributes = 64;
inline constexpr size_t kMaxAttributeNameBytes = 64;
inline constexpr size_t kMaxAttributeBytes = 8192;  // of all names and values, as encoded in headers

struct EventHeaders {
  bool cloud_event = false;       // its attributes leave as ce-*, not as Wormhole-Attribute-*
  std::string_view content_type;  // empty: none was given
  std::vector<std::pair<std::string_view, std::string_view>> attributes;  // by name, each once

  [[nodiscard]] std::optional<std::string_view> attribute(std::string_view name) const;
  friend bool operator==(const EventHeaders&, const EventHeaders&) = default;
};

// Whether they keep their bounds; the error names the attribute. The attributes must be sorted by name.
Status check_headers(const EventHeaders& headers);
// [a-z0-9._-]{1,64}
bool is_attribute_name(std::string_view name);
// How many bytes a value takes in a header, where CloudEvents HTTP binding 3.1.3.2 percent-encodes it.
size_t encoded_in_header(std::string_view value);

// The packed form; empty for headers that say nothing.
std::string pack_headers(const EventHeaders& headers);
// Nothing for bytes that pack_headers() did not write of headers within their bounds. The views point into `packed`.
std::optional<EventHeaders> unpack_headers(std::string_view packed);
// The value of one attribute in packed headers that are well-formed.
std::optional<std::string_view> attribute_in(std::string_view packed, std::string_view name);

}  // namespace wh::machine
