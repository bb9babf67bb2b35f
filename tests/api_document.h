// GET /openapi.json for tests: a tree of JSON, references, and a check of a value against a schema. Of JSON Schema it
// knows what the document uses; another keyword fails the check.
#pragma once

#include <algorithm>
#include <cstdint>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/json.h"
#include "http/json_reader.h"

namespace wh::testing {

struct Json {
  http::JsonKind kind = http::JsonKind::null;
  std::string text;  // a string, or as it is written
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> members;

  [[nodiscard]] const Json* find(std::string_view name) const {
    for (const auto& [own, value] : members)
      if (own == name) return &value;
    return nullptr;
  }
  // An empty value where it is not there.
  [[nodiscard]] const Json& at(std::string_view name) const {
    static const Json none;
    const Json* found = find(name);
    return found == nullptr ? none : *found;
  }
  [[nodiscard]] std::string json() const {
    if (kind == http::JsonKind::string) return *http::json_quote(text);
    std::string out;
    for (const Json& item : items) out += (out.empty() ? "" : ",") + item.json();
    if (kind == http::JsonKind::array) return "[" + out + "]";
    for (const auto& [name, value] : members)
      out += (out.empty() ? "" : ",") + *http::json_quote(name) + ":" + value.json();
    return kind == http::JsonKind::object ? "{" + out + "}" : text;
  }
};

inline Json tree_of(const http::JsonValue& value) {
  http::KeptStrings kept;
  Json tree{.kind = value.kind(), .text = std::string(value.text()), .items = {}, .members = {}};
  if (tree.kind == http::JsonKind::string) tree.text = value.string(kept);
  if (tree.kind == http::JsonKind::array)
    for (const http::JsonValue& item : value.items()) tree.items.push_back(tree_of(item));
  if (tree.kind == http::JsonKind::object)
    if (const auto members = value.members(kept))
      for (const auto& [name, member] : *members) tree.members.emplace_back(std::string(name), tree_of(member));
  return tree;
}

// An empty value for text that is no JSON.
inline Json read_json(std::string_view text) {
  const auto value = http::parse_json(text);
  return value ? tree_of(*value) : Json{};
}

class ApiDocument {
 public:
  explicit ApiDocument(std::string_view text) : root_(read_json(text)) {}

  [[nodiscard]] const Json& root() const { return root_; }
  // What a reference names, else the value itself; an empty one for a reference to nothing.
  [[nodiscard]] const Json& resolved(const Json& value) const {
    const Json* ref = value.find("$ref");
    if (ref == nullptr) return value;
    const Json* at = &root_;
    if (!ref->text.starts_with("#/")) return root_.at("no such reference");
    for (size_t from = 2; from <= ref->text.size();) {
      const size_t end = std::min(ref->text.find('/', from), ref->text.size());
      at = &at->at(ref->text.substr(from, end - from));
      from = end + 1;
    }
    return *at;
  }
  // Each operation, with its path and its method in capitals.
  template <typename Use>
  void each_operation(Use use) const {
    for (const auto& [path, item] : root_.at("paths").members)
      for (const auto& [method, operation] : item.members) {
        std::string capitals = method;
        std::transform(capitals.begin(), capitals.end(), capitals.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        use(path, capitals, operation);
      }
  }
  // What is wrong with the value, a line each; empty: nothing. An object has no members but those that are described,
  // whether or not the schema allows others.
  [[nodiscard]] std::string faults(const Json& schema, const Json& value, const std::string& where = "") const {
    if (schema.find("$ref") != nullptr) return faults(resolved(schema), value, where);
    std::string out;
    for (const auto& [keyword, rule] : schema.members) out += fault(schema, keyword, rule, value, where);
    return out;
  }

 private:
  static bool is_integer(const Json& value) {
    return value.kind == http::JsonKind::number && value.text.find_first_of(".eE") == std::string::npos;
  }
  static bool is_of(std::string_view type, const Json& value) {
    if (type == "integer") return is_integer(value);
    constexpr std::pair<std::string_view, http::JsonKind> kKinds[] = {{"null", http::JsonKind::null},
                                                                      {"boolean", http::JsonKind::boolean},
                                                                      {"string", http::JsonKind::string},
                                                                      {"object", http::JsonKind::object},
                                                                      {"array", http::JsonKind::array}};
    return std::any_of(std::begin(kKinds), std::end(kKinds),
                       [&](const auto& one) { return one.first == type && one.second == value.kind; });
  }
  static std::string line(const std::string& where, const std::string& what) {
    return (where.empty() ? "the value" : where) + " " + what + "\n";
  }

  std::string fault_of_object(const Json& schema, std::string_view keyword, const Json& rule, const Json& value,
                              const std::string& where) const {
    std::string out;
    if (value.kind != http::JsonKind::object) return out;
    if (keyword == "required")
      for (const Json& name : rule.items)
        if (value.find(name.text) == nullptr) out += line(where, "has no " + name.text);
    if (keyword == "properties")
      for (const auto& [name, member] : value.members) {
        const Json* described = rule.find(name);
        if (described != nullptr)
          out += faults(*described, member, where + "." + name);
        else if (const Json* more = schema.find("additionalProperties"); more == nullptr || more->text == "false")
          out += line(where, "has the member " + name + ", which is not described");
      }
    if (keyword == "additionalProperties")
      for (const auto& [name, member] : value.members) {
        if (schema.at("properties").find(name) != nullptr) continue;
        if (rule.text == "false") out += line(where, "has the member " + name + ", which it must not have");
        if (rule.kind == http::JsonKind::object) out += faults(rule, member, where + "." + name);
      }
    return out;
  }

  std::string fault(const Json& schema, const std::string& keyword, const Json& rule, const Json& value,
                    const std::string& where) const {
    static const std::set<std::string> kSaysNothing{"description", "format", "contentEncoding", "default", "examples"};
    if (kSaysNothing.contains(keyword)) return "";
    if (keyword == "type") {
      const bool fits = rule.kind == http::JsonKind::array
                            ? std::any_of(rule.items.begin(), rule.items.end(),
                                          [&](const Json& type) { return is_of(type.text, value); })
                            : is_of(rule.text, value);
      return fits ? "" : line(where, "is no " + rule.json() + ": " + value.json());
    }
    if (keyword == "enum")
      return std::any_of(rule.items.begin(), rule.items.end(),
                         [&](const Json& one) { return one.json() == value.json(); })
                 ? ""
                 : line(where, "is none of " + rule.json() + ": " + value.json());
    if (keyword == "pattern")
      return value.kind != http::JsonKind::string || std::regex_search(value.text, std::regex(rule.text))
                 ? ""
                 : line(where, "is not like " + rule.text + ": " + value.json());
    if (keyword == "minimum" || keyword == "maximum") {
      if (!is_integer(value)) return "";
      const bool negative = value.text.starts_with('-');
      const uint64_t bound = std::stoull(rule.text);
      const uint64_t number = negative ? 0 : std::stoull(value.text);
      const bool fits = keyword == "minimum" ? !negative && number >= bound : negative || number <= bound;
      return fits ? "" : line(where, "is beyond the " + keyword + " " + rule.text + ": " + value.text);
    }
    if (keyword == "items" || keyword == "minItems" || keyword == "maxItems") {
      std::string out;
      if (value.kind != http::JsonKind::array) return out;
      if (keyword == "minItems" && value.items.size() < std::stoull(rule.text)) out = line(where, "has too few items");
      if (keyword == "maxItems" && value.items.size() > std::stoull(rule.text)) out = line(where, "has too many items");
      if (keyword == "items")
        for (size_t i = 0; i < value.items.size(); ++i)
          out += faults(rule, value.items[i], where + "[" + std::to_string(i) + "]");
      return out;
    }
    if (keyword == "oneOf") {
      const auto fit = std::count_if(rule.items.begin(), rule.items.end(),
                                     [&](const Json& one) { return faults(one, value, where).empty(); });
      if (fit == 1) return "";
      std::string out = line(where, "fits " + std::to_string(fit) + " of " + std::to_string(rule.items.size()) +
                                        " forms: " + value.json());
      if (fit == 0 && rule.items.size() <= 2)
        for (const Json& one : rule.items) out += "  " + faults(one, value, where);
      return out;
    }
    if (keyword == "required" || keyword == "properties" || keyword == "additionalProperties")
      return fault_of_object(schema, keyword, rule, value, where);
    return line(where, "has a schema with the keyword " + keyword + ", which this check does not know");
  }

  Json root_;
};

}  // namespace wh::testing
