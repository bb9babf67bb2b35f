// JSON Schema (2020-12, as OpenAPI 3.1 has it) from small parts. Pure; for openapi.cc and openapi_schemas.cc.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/parameter.h"

namespace wh::api {

// The members of a schema, without the braces around them.
struct Schema {
  std::string members;
  [[nodiscard]] std::string json() const { return "{" + members + "}"; }
};

// One member of an object. A name that ends in '?' need not be there.
struct SchemaMember {
  std::string name;
  Schema schema;
  std::string_view text{};  // a sentence; empty: none
};

[[nodiscard]] Schema string_schema();
[[nodiscard]] Schema base64_schema();
[[nodiscard]] Schema time_schema();
// As format_duration() writes it.
[[nodiscard]] Schema duration_schema();
[[nodiscard]] Schema integer_schema(uint64_t least = 0, uint64_t most = UINT64_MAX);
[[nodiscard]] Schema boolean_schema();
[[nodiscard]] Schema choice_schema(std::initializer_list<std::string_view> words);
// One of those in openapi_schemas.cc.
[[nodiscard]] Schema ref_schema(std::string_view name);
[[nodiscard]] Schema array_schema(const Schema& items, uint64_t least = 0, uint64_t most = UINT64_MAX);
// An object with any names.
[[nodiscard]] Schema map_schema(const Schema& values);
[[nodiscard]] Schema object_schema(const std::vector<SchemaMember>& members);
[[nodiscard]] Schema one_of(const std::vector<Schema>& all);
// The same, or null.
[[nodiscard]] Schema or_null(const Schema& schema);
// An object that has no other members.
[[nodiscard]] Schema closed(Schema object);
// Bytes: `name` where they are UTF-8, else `name`_base64; then these members.
[[nodiscard]] std::vector<SchemaMember> with_bytes(const std::string& name, std::vector<SchemaMember> members = {});
// Of such an object: one of the two is there.
[[nodiscard]] Schema has_bytes(Schema object, const std::string& name);

// What a parameter means, with those bounds that no keyword of its schema says.
[[nodiscard]] std::string description_of(const Parameter& parameter);
// A parameter's value in a query, a form or a header field; and as a member of a JSON object that a request brings.
[[nodiscard]] Schema text_schema(const Parameter& parameter);
[[nodiscard]] Schema member_schema(const Parameter& parameter);
// And of one that an answer brings, where it is a setting.
[[nodiscard]] Schema setting_schema(const Parameter& parameter);
// An object of such members, as a request brings it.
[[nodiscard]] Schema request_object(const Parameters& members);

}  // namespace wh::api
