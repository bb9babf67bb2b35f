#include "api/http/openapi/json_schema.h"

#include "base/duration.h"
#include "http/json.h"

namespace wh::api {
namespace {

constexpr std::string_view kDuration = "^[0-9]+(ms|s|m|h|d)?$";

std::string quoted(std::string_view text) { return http::json_quote(text).value_or("\"\""); }

Schema of_type(std::string_view type) { return {R"("type":")" + std::string(type) + '"'}; }

void add(Schema& schema, std::string_view name, std::string_view json) {
  if (!schema.members.empty()) schema.members += ',';
  schema.members += '"' + std::string(name) + "\":" + std::string(json);
}

void add_bounds(Schema& schema, std::string_view least_name, uint64_t least, std::string_view most_name,
                uint64_t most) {
  add(schema, least_name, std::to_string(least));
  if (most != UINT64_MAX) add(schema, most_name, std::to_string(most));
}

Schema words_schema(const Parameter& parameter) {
  Schema schema = of_type("string");
  if (!parameter.pattern.empty()) add(schema, "pattern", quoted(parameter.pattern));
  if (parameter.choices[0].empty()) return schema;
  std::string words;
  for (const std::string_view choice : parameter.choices)
    if (!choice.empty()) words += (words.empty() ? "" : ",") + quoted(choice);
  add(schema, "enum", "[" + words + "]");
  return schema;
}

Schema number_schema(const Parameter& parameter) {
  Schema schema =
      parameter.type == ParameterType::integer ? of_type("integer") : integer_schema(parameter.least, parameter.most);
  if (parameter.type == ParameterType::integer) add(schema, "format", R"("int64")");
  if (parameter.standard) add(schema, "default", std::to_string(*parameter.standard));
  return schema;
}

}  // namespace

Schema string_schema() { return of_type("string"); }

Schema base64_schema() { return {R"("type":"string","contentEncoding":"base64")"}; }

Schema time_schema() { return {R"("type":"string","format":"date-time")"}; }

Schema duration_schema() {
  Schema schema = of_type("string");
  add(schema, "pattern", quoted(kDuration));
  return schema;
}

Schema integer_schema(uint64_t least, uint64_t most) {
  Schema schema = of_type("integer");
  add_bounds(schema, "minimum", least, "maximum", most);
  return schema;
}

Schema boolean_schema() { return of_type("boolean"); }

Schema choice_schema(std::initializer_list<std::string_view> words) {
  Schema schema = of_type("string");
  std::string all;
  for (const std::string_view word : words) all += (all.empty() ? "" : ",") + quoted(word);
  add(schema, "enum", "[" + all + "]");
  return schema;
}

Schema ref_schema(std::string_view name) { return {R"("$ref":"#/components/schemas/)" + std::string(name) + '"'}; }

Schema array_schema(const Schema& items, uint64_t least, uint64_t most) {
  Schema schema = of_type("array");
  add(schema, "items", items.json());
  if (least != 0 || most != UINT64_MAX) add_bounds(schema, "minItems", least, "maxItems", most);
  return schema;
}

Schema map_schema(const Schema& values) {
  Schema schema = of_type("object");
  add(schema, "additionalProperties", values.json());
  return schema;
}

Schema object_schema(const std::vector<SchemaMember>& members) {
  Schema properties;
  std::string required;
  for (const auto& [name, schema, text] : members) {
    const bool optional = name.ends_with('?');
    const std::string bare = name.substr(0, name.size() - (optional ? 1 : 0));
    Schema member = schema;
    if (!text.empty()) add(member, "description", quoted(text));
    add(properties, bare, member.json());
    if (!optional) required += (required.empty() ? "" : ",") + quoted(bare);
  }
  Schema object = of_type("object");
  if (!properties.members.empty()) add(object, "properties", properties.json());
  if (!required.empty()) add(object, "required", "[" + required + "]");
  return object;
}

Schema one_of(const std::vector<Schema>& all) {
  std::string list;
  for (const Schema& one : all) list += (list.empty() ? "" : ",") + one.json();
  return {R"("oneOf":[)" + list + "]"};
}

Schema or_null(const Schema& schema) { return one_of({schema, of_type("null")}); }

Schema closed(Schema object) {
  add(object, "additionalProperties", "false");
  return object;
}

std::vector<SchemaMember> with_bytes(const std::string& name, std::vector<SchemaMember> members) {
  members.insert(members.begin(), {{name + "?", string_schema()}, {name + "_base64?", base64_schema()}});
  return members;
}

Schema has_bytes(Schema object, const std::string& name) {
  add(object, "oneOf", R"([{"required":[")" + name + R"("]},{"required":[")" + name + R"(_base64"]}])");
  return object;
}

std::string description_of(const Parameter& parameter) {
  std::string text(parameter.text);
  const bool keywords = parameter.type != ParameterType::duration && parameter.type != ParameterType::size;
  if (keywords || parameter.most == UINT64_MAX) return text;
  const auto bound = [&](uint64_t value) {
    return parameter.type == ParameterType::duration ? format_duration(value) : std::to_string(value);
  };
  return text + (text.empty() ? "" : " ") + "From " + bound(parameter.least) + " to " + bound(parameter.most) + ".";
}

Schema text_schema(const Parameter& parameter) {
  switch (parameter.type) {
    case ParameterType::number:
    case ParameterType::integer:
      return number_schema(parameter);
    case ParameterType::duration:
      return duration_schema();
    case ParameterType::time:
      return time_schema();
    case ParameterType::flag:
      return {R"("type":"string","enum":["","1","true"])"};
    case ParameterType::base64:
      return base64_schema();
    case ParameterType::strings:
      return map_schema(string_schema());
    case ParameterType::size:
    case ParameterType::text:
      break;
  }
  return words_schema(parameter);
}

Schema member_schema(const Parameter& parameter) {
  Schema schema = text_schema(parameter);
  if (parameter.type == ParameterType::duration)
    schema.members = R"("type":["string","integer"],"minimum":0,"pattern":)" + quoted(kDuration);
  if (parameter.type == ParameterType::size) schema.members = R"("type":["integer","string"],"minimum":0)";
  if (!parameter.example.empty()) add(schema, "examples", "[" + quoted(parameter.example) + "]");
  if (const std::string text = description_of(parameter); !text.empty()) add(schema, "description", quoted(text));
  return schema;
}

Schema setting_schema(const Parameter& parameter) {
  return parameter.type == ParameterType::size ? integer_schema() : text_schema(parameter);
}

Schema request_object(const Parameters& members) {
  std::vector<SchemaMember> all;
  for (const Parameter* one : members)
    all.push_back({std::string(one->name) + (one->required ? "" : "?"), member_schema(*one)});
  return closed(object_schema(all));
}

}  // namespace wh::api
