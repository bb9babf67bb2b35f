#include "cli/json_fields.h"

#include "base/base64.h"

namespace wh::cli {

std::optional<JsonFields> JsonFields::parse(std::string_view text) {
  JsonFields out;
  *out.text_ = text;
  const auto value = http::parse_json(*out.text_);
  if (!value || value->kind() != http::JsonKind::object) return std::nullopt;
  auto members = value->members(*out.kept_);
  if (!members) return std::nullopt;
  out.members_ = *std::move(members);
  return out;
}

std::vector<JsonFields> JsonFields::parse_array(std::string_view text) {
  std::vector<JsonFields> out;
  const auto value = http::parse_json(text);
  if (!value || value->kind() != http::JsonKind::array) return out;
  for (const http::JsonValue& item : value->items())
    if (auto fields = parse(item.text())) out.push_back(*std::move(fields));
  return out;
}

const http::JsonValue* JsonFields::find(std::string_view name) const {
  for (const auto& [known, value] : members_)
    if (known == name) return value.kind() == http::JsonKind::null ? nullptr : &value;
  return nullptr;
}

std::string JsonFields::text(std::string_view name) const {
  const http::JsonValue* value = find(name);
  if (value == nullptr) return {};
  switch (value->kind()) {
    case http::JsonKind::string: {
      http::KeptStrings kept;
      return std::string(value->string(kept));
    }
    case http::JsonKind::number:
    case http::JsonKind::boolean:
      return std::string(value->text());
    default:
      return {};
  }
}

std::optional<uint64_t> JsonFields::number(std::string_view name) const {
  const http::JsonValue* value = find(name);
  return value == nullptr || value->kind() != http::JsonKind::number ? std::nullopt : value->number();
}

bool JsonFields::boolean(std::string_view name) const {
  const http::JsonValue* value = find(name);
  return value != nullptr && value->kind() == http::JsonKind::boolean && value->boolean();
}

std::string JsonFields::json(std::string_view name) const {
  const http::JsonValue* value = find(name);
  return value == nullptr ? "null" : std::string(value->text());
}

std::string JsonFields::bytes(std::string_view name) const {
  if (has(name)) return text(name);
  return decode_base64(text(std::string(name) + "_base64")).value_or(std::string());
}

std::vector<JsonFields> JsonFields::objects(std::string_view name) const { return parse_array(json(name)); }

std::optional<JsonFields> JsonFields::object(std::string_view name) const { return parse(json(name)); }

std::vector<std::string> JsonFields::names() const {
  std::vector<std::string> out;
  out.reserve(members_.size());
  for (const auto& member : members_) out.emplace_back(member.first);
  return out;
}

}  // namespace wh::cli
