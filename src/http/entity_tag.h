// Entity tags, as If-Match and If-None-Match list them (RFC 9110 8.8.3, 13.1). Pure. Called by the routes that evaluate
// these preconditions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"

namespace wh::http {

struct EntityTag {
  bool weak = false;
  std::string_view opaque;  // between the quotes
};

struct EntityTags {
  bool any = false;  // `*`; then there are no tags
  std::vector<EntityTag> tags;
};

// The values of all fields of this name, joined by commas (RFC 9110 5.3); nothing without one.
[[nodiscard]] std::optional<std::string> joined_fields(const Request& request, std::string_view name);

// Nothing when the value is neither `*` nor a list of at least one tag. The tags point into `value`.
[[nodiscard]] std::optional<EntityTags> parse_entity_tags(std::string_view value);

// Whether the precondition holds. `current`: the strong tag of the present value; empty: there is no value. If-Match
// compares strongly, so that a weak tag matches nothing; If-None-Match compares weakly (RFC 9110 8.8.3.2).
[[nodiscard]] bool if_match_holds(const EntityTags& wanted, std::string_view current);
[[nodiscard]] bool if_none_match_holds(const EntityTags& unwanted, std::string_view current);

}  // namespace wh::http
