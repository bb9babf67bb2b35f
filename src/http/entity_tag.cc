#include "http/entity_tag.h"

#include <algorithm>

namespace wh::http {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_tag_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0x21 || (byte >= 0x23 && byte != 0x7f);
}

}  // namespace

std::optional<std::string> joined_fields(const Request& request, std::string_view name) {
  std::optional<std::string> joined;
  for (const Header& field : request.headers) {
    if (!equals_ignoring_case(field.name, name)) continue;
    joined = joined ? *joined + "," + field.value : field.value;
  }
  return joined;
}

std::optional<EntityTags> parse_entity_tags(std::string_view value) {
  EntityTags found;
  const auto skip_blanks = [&] {
    while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
  };
  skip_blanks();
  if (value.starts_with('*')) {
    found.any = true;
    value.remove_prefix(1);
    skip_blanks();
    return value.empty() ? std::optional(found) : std::nullopt;
  }
  // RFC 9110 5.6.1.2: empty elements of a list are skipped.
  for (bool expects_comma = false;; skip_blanks()) {
    if (value.empty()) break;
    if (value.front() == ',') {
      value.remove_prefix(1);
      expects_comma = false;
      continue;
    }
    if (expects_comma) return std::nullopt;
    EntityTag tag;
    if (value.starts_with("W/")) {
      tag.weak = true;
      value.remove_prefix(2);
    }
    if (!value.starts_with('"')) return std::nullopt;
    value.remove_prefix(1);
    const size_t end = value.find('"');
    if (end == std::string_view::npos) return std::nullopt;
    tag.opaque = value.substr(0, end);
    if (!std::all_of(tag.opaque.begin(), tag.opaque.end(), is_tag_byte)) return std::nullopt;
    value.remove_prefix(end + 1);
    found.tags.push_back(tag);
    expects_comma = true;
  }
  return found.tags.empty() ? std::nullopt : std::optional(found);
}

bool if_match_holds(const EntityTags& wanted, std::string_view current) {
  if (current.empty()) return false;
  return wanted.any || std::any_of(wanted.tags.begin(), wanted.tags.end(),
                                   [&](const EntityTag& tag) { return !tag.weak && tag.opaque == current; });
}

bool if_none_match_holds(const EntityTags& unwanted, std::string_view current) {
  if (current.empty()) return true;
  return !unwanted.any && std::none_of(unwanted.tags.begin(), unwanted.tags.end(),
                                       [&](const EntityTag& tag) { return tag.opaque == current; });
}

}  // namespace wh::http
