#include "machine/command/event_headers.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/utf8.h"

namespace wh::machine {
namespace {

constexpr uint8_t kCloudEvent = 1;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// RFC 9110 5.6.2
bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// type "/" subtype, then parameters in printable ASCII (RFC 9110 8.3.1).
bool is_content_type(std::string_view type) {
  if (type.size() > kMaxContentTypeBytes) return false;
  if (!std::all_of(type.begin(), type.end(), [](char c) { return c >= 0x20 && c <= 0x7e; })) return false;
  const std::string_view media = type.substr(0, type.find_first_of("; "));
  const size_t slash = media.find('/');
  if (slash == 0 || slash == std::string_view::npos || slash + 1 == media.size()) return false;
  return std::all_of(media.begin(), media.end(), [&](char c) { return c == '/' || is_token_char(c); }) &&
         media.find('/', slash + 1) == std::string_view::npos;
}

}  // namespace

std::optional<std::string_view> EventHeaders::attribute(std::string_view name) const {
  const auto at = std::lower_bound(attributes.begin(), attributes.end(), name,
                                   [](const auto& one, std::string_view wanted) { return one.first < wanted; });
  return at != attributes.end() && at->first == name ? std::optional(at->second) : std::nullopt;
}

bool is_attribute_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxAttributeNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

size_t encoded_in_header(std::string_view value) {
  size_t size = 0;
  for (const char c : value) size += c > 0x20 && c < 0x7f && c != '"' && c != '%' ? 1 : 3;
  return size;
}

Status check_headers(const EventHeaders& headers) {
  if (!headers.content_type.empty() && !is_content_type(headers.content_type))
    return Error{"a content type is TYPE/SUBTYPE with parameters, at most " + std::to_string(kMaxContentTypeBytes) +
                 " printable ASCII characters"};
  if (headers.attributes.size() > kMaxAttributes)
    return Error{"an event has at most " + std::to_string(kMaxAttributes) + " attributes"};
  size_t size = 0;
  std::string_view before;
  for (const auto& [name, value] : headers.attributes) {
    if (!is_attribute_name(name)) return Error{"an attribute's name has 1 to 64 characters of a-z 0-9 . _ -"};
    if (!before.empty() && name <= before)
      return Error{name == before ? "the attribute " + std::string(name) + " is given twice"
                                  : std::string("attributes come by name")};
    if (!is_utf8(value) || std::any_of(value.begin(), value.end(), is_control))
      return Error{"the attribute " + std::string(name) + " is no UTF-8 text without control characters"};
    before = name;
    size += name.size() + encoded_in_header(value);
  }
  if (size > kMaxAttributeBytes)
    return Error{"an event's attributes have at most " + std::to_string(kMaxAttributeBytes) +
                 " bytes, names and values as encoded in headers together"};
  return ok_status();
}

std::string pack_headers(const EventHeaders& headers) {
  std::string out;
  if (!headers.cloud_event && headers.content_type.empty() && headers.attributes.empty()) return out;
  Writer w(out);
  w.u8(headers.cloud_event ? kCloudEvent : 0);
  w.u8(static_cast<uint8_t>(headers.content_type.size()));
  w.raw(headers.content_type);
  for (const auto& [name, value] : headers.attributes) {
    w.u8(static_cast<uint8_t>(name.size()));
    w.raw(name);
    w.u16(static_cast<uint16_t>(value.size()));
    w.raw(value);
  }
  return out;
}

std::optional<EventHeaders> unpack_headers(std::string_view packed) {
  EventHeaders headers;
  if (packed.empty()) return headers;
  Reader in(packed);
  const uint8_t flags = in.u8();
  if (flags > kCloudEvent) return std::nullopt;
  headers.cloud_event = flags == kCloudEvent;
  headers.content_type = in.raw(in.u8());
  while (in.ok() && in.left() != 0) {
    const std::string_view name = in.raw(in.u8());
    const std::string_view value = in.raw(in.u16());
    headers.attributes.emplace_back(name, value);
    if (headers.attributes.size() > kMaxAttributes) return std::nullopt;
  }
  const bool says_nothing = !headers.cloud_event && headers.content_type.empty() && headers.attributes.empty();
  if (!in.complete() || says_nothing || !check_headers(headers)) return std::nullopt;
  return headers;
}

std::optional<std::string_view> attribute_in(std::string_view packed, std::string_view name) {
  if (packed.empty()) return std::nullopt;
  Reader in(packed);
  (void)in.u8();
  (void)in.raw(in.u8());
  while (in.ok() && in.left() != 0) {
    const std::string_view one = in.raw(in.u8());
    const std::string_view value = in.raw(in.u16());
    if (in.ok() && one == name) return value;
  }
  return std::nullopt;
}

}  // namespace wh::machine
