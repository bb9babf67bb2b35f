#include "api/http/formats/cloud_events.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "config/option_values.h"
#include "http/shown.h"
#include "http/url.h"
#include "security/sha256.h"

namespace wh::api {
namespace {

constexpr std::string_view kHeaderPrefix = "ce-";
constexpr std::string_view kAnyType = "application/cloudevents";
constexpr std::string_view kVersion = "1.0";

// Those of the specification and of its extension for partitions: no number and no boolean is one.
constexpr std::array<std::string_view, 9> kStrings{"dataschema",  "datacontenttype", "id",   "partitionkey", "source",
                                                   "specversion", "subject",         "time", "type"};

bool has_prefix(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() && http::equals_ignoring_case(name.substr(0, prefix.size()), prefix);
}

std::string_view media_type(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return type;
}

// No type counts as JSON in the JSON format (3.1.1).
bool is_json_type(std::string_view content_type) {
  const std::string type = config::to_lower(media_type(content_type));
  return type.empty() || type.ends_with("/json") || type.ends_with("+json");
}

bool is_text_type(std::string_view content_type) {
  const std::string type = config::to_lower(media_type(content_type));
  return type.starts_with("text/") || type.ends_with("/xml") || type.ends_with("+xml");
}

Refusal bad(std::string_view attribute, const std::string& what) {
  return malformed("the CloudEvents attribute " + http::shown(attribute) + " " + what);
}

// Lower-case letters and digits (CloudEvents 1.0, 3.1).
std::optional<Refusal> bad_name(std::string_view name) {
  const bool good = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
  if (!good) return bad(name, "has a name with other characters than a-z and 0-9");
  if (name == "data") return bad(name, "is not allowed: it is the event's payload");
  return std::nullopt;
}

// A URI or a reference to one: what no grammar of it has anywhere is refused.
bool is_reference(std::string_view text) {
  return !text.empty() && text.find_first_of(" <>\"{}|\\^`") == std::string_view::npos;
}

bool is_uri(std::string_view text) {
  const size_t colon = text.find(':');
  return is_reference(text) && colon != 0 && colon != std::string_view::npos && text.find('/') >= colon;
}

// What the specification says of the attributes it knows; `headers` is sorted by name.
std::optional<Refusal> breaks_specification(const machine::EventHeaders& headers) {
  for (const auto& [name, value] : headers.attributes) {
    if (auto refusal = bad_name(name)) return refusal;
    if (has_control_or_noncharacter(value))  // CloudEvents 1.0, 3.2
      return bad(name, "has a character that no string of CloudEvents may have: a control character or a noncharacter");
  }
  const auto version = headers.attribute("specversion");
  if (!version) return bad("specversion", "is missing");
  if (*version != kVersion) return bad("specversion", "is 1.0 here, not " + http::shown(*version));
  for (const std::string_view name : {"id", "source", "type"}) {
    const auto value = headers.attribute(name);
    if (!value) return bad(name, "is missing");
    if (value->empty()) return bad(name, "must not be empty");
  }
  if (!is_reference(*headers.attribute("source"))) return bad("source", "is a URI-reference");
  if (const auto subject = headers.attribute("subject"); subject && subject->empty())
    return bad("subject", "must not be empty where it is there");
  if (const auto time = headers.attribute("time"); time && !parse_timestamp(*time))
    return bad("time", "is a time as RFC 3339 has it, not " + http::shown(*time));
  if (const auto schema = headers.attribute("dataschema"); schema && !is_uri(*schema))
    return bad("dataschema", "is an absolute URI");
  if (headers.attribute("datacontenttype")) return bad("datacontenttype", "is the header Content-Type in binary mode");
  if (const auto key = headers.attribute("partitionkey");
      key && (key->empty() || key->size() > machine::kMaxGroupBytes))
    return bad("partitionkey",
               "is the event's group, so it has 1 to " + std::to_string(machine::kMaxGroupBytes) + " bytes");
  return std::nullopt;
}

// Of an event that came as none. What the specification's own attributes mean, such an attribute does not say.
bool can_be_extension(std::string_view name, std::string_view value) {
  return !bad_name(name) && !has_control_or_noncharacter(value) &&
         std::find(kStrings.begin(), kStrings.end(), name) == kStrings.end();
}

std::optional<Refusal> finish(machine::EventHeaders headers, http::KeptStrings& kept, machine::NewEvent& event) {
  std::sort(headers.attributes.begin(), headers.attributes.end());
  headers.cloud_event = true;
  if (auto refusal = breaks_specification(headers)) return refusal;
  if (const auto key = headers.attribute("partitionkey")) event.group = *key;
  return set_headers(std::move(headers), kept, event);
}

// An attribute of the JSON format, as text: a string, a boolean, or a whole number of 32 bits.
OrRefusal<std::string_view> attribute_text(std::string_view name, const http::JsonValue& value,
                                           http::KeptStrings& kept) {
  switch (value.kind()) {
    case http::JsonKind::string:
      return value.string(kept);
    case http::JsonKind::boolean:
      return value.text();
    case http::JsonKind::number: {
      int32_t number = 0;
      const std::string_view text = value.text();
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error == std::errc() && end == text.data() + text.size() && text != "-0") return text;
      return bad(name, "is a whole number of 32 bits where it is a number");
    }
    case http::JsonKind::null:
    case http::JsonKind::array:
    case http::JsonKind::object:
      break;
  }
  return bad(name, "is a string, a boolean or a whole number");
}

// The payload of the JSON format (3.1). `"data": null` is a payload where the type is JSON (3.1.1); elsewhere it says
// that there is none.
std::optional<Refusal> read_data(const http::JsonValue* data, const http::JsonValue* base64,
                                 machine::EventHeaders& headers, http::KeptStrings& kept, machine::NewEvent& event) {
  if (data != nullptr && data->kind() == http::JsonKind::null &&
      (base64 != nullptr || !is_json_type(headers.content_type)))
    data = nullptr;
  if (data != nullptr && base64 != nullptr) return malformed("a CloudEvent has data or data_base64, not both");
  if (base64 != nullptr) {
    std::optional<std::string> bytes;
    if (base64->kind() == http::JsonKind::string) bytes = decode_base64(base64->string(kept));
    if (!bytes) return malformed("data_base64 is base64 with its padding (RFC 4648)");
    event.bytes = kept.emplace_back(std::move(*bytes));
  } else if (data != nullptr) {
    if (is_json_type(headers.content_type)) {
      event.bytes = data->text();
      if (headers.content_type.empty()) headers.content_type = "application/json";
    } else if (data->kind() == http::JsonKind::string) {
      event.bytes = data->string(kept);
    } else {
      return malformed("data is a string where datacontenttype is not JSON, but " + http::shown(headers.content_type));
    }
  }
  return std::nullopt;
}

OrRefusal<machine::NewEvent> read_object(const http::JsonValue& value, http::KeptStrings& kept) {
  if (value.kind() != http::JsonKind::object) return malformed("a CloudEvent is one JSON object");
  const auto members = value.members(kept);
  if (!members) return malformed(printable(members.error()));
  machine::EventHeaders headers;
  machine::NewEvent event;
  const http::JsonValue* data = nullptr;
  const http::JsonValue* base64 = nullptr;
  for (const auto& [name, member] : *members) {
    if (name == "data") {
      data = &member;
    } else if (member.kind() == http::JsonKind::null) {
      continue;  // an attribute that is null is as if it were not there (JSON format, 2.2)
    } else if (name == "data_base64") {
      base64 = &member;
    } else {
      if (member.kind() != http::JsonKind::string &&
          std::find(kStrings.begin(), kStrings.end(), name) != kStrings.end())
        return bad(name, "is a string");
      const auto text = attribute_text(name, member, kept);
      if (!text) return text.error();
      if (name == "datacontenttype") {
        if (text->empty()) return bad(name, "must not be empty where it is there");
        headers.content_type = *text;
      } else {
        headers.attributes.emplace_back(name, *text);
      }
    }
  }
  if (auto refusal = read_data(data, base64, headers, kept, event)) return std::move(*refusal);
  if (auto refusal = finish(std::move(headers), kept, event)) return std::move(*refusal);
  return event;
}

}  // namespace

CloudEventMode cloud_event_mode(const http::Request& request) {
  if (const std::string* type = request.header("Content-Type")) {
    if (http::is_media_type(*type, kStructuredType)) return CloudEventMode::structured;
    if (http::is_media_type(*type, kBatchedType)) return CloudEventMode::batched;
    if (has_prefix(*type, kAnyType)) return CloudEventMode::unknown_format;
  }
  const bool named = std::any_of(request.headers.begin(), request.headers.end(),
                                 [](const http::Header& field) { return has_prefix(field.name, kHeaderPrefix); });
  return named ? CloudEventMode::binary : CloudEventMode::none;
}

OrRefusal<machine::NewEvent> read_binary_event(const http::Request& request, http::KeptStrings& kept) {
  machine::NewEvent event{.bytes = request.body};
  machine::EventHeaders headers;
  for (const http::Header& field : request.headers) {
    if (http::equals_ignoring_case(field.name, "Content-Type")) headers.content_type = field.value;
    if (has_prefix(field.name, kAttributePrefix))
      return malformed("a CloudEvent's attributes are ce-* headers, not " + printable(field.name));
    if (!has_prefix(field.name, kHeaderPrefix)) continue;
    const std::string& name =
        kept.emplace_back(config::to_lower(std::string_view(field.name).substr(kHeaderPrefix.size())));
    OrRefusal<std::string> value = decode_attribute(name, field.value);
    if (!value) return value.error();
    headers.attributes.emplace_back(name, kept.emplace_back(std::move(*value)));
  }
  if (auto refusal = finish(std::move(headers), kept, event)) return std::move(*refusal);
  return event;
}

OrRefusal<machine::NewEvent> read_structured_event(std::string_view body, http::KeptStrings& kept) {
  const Result<http::JsonValue> value = http::parse_json(body);
  if (!value) return malformed(printable(value.error()));
  return read_object(*value, kept);
}

OrRefusal<std::vector<machine::NewEvent>> read_batched_events(std::string_view body, http::KeptStrings& kept) {
  const Result<http::JsonValue> value = http::parse_json(body);
  if (!value) return malformed(printable(value.error()));
  if (value->kind() != http::JsonKind::array) return malformed("a batch of CloudEvents is a JSON array");
  std::vector<machine::NewEvent> events;
  for (const http::JsonValue& item : value->items()) {
    if (events.size() == machine::kMaxBatch)
      return malformed("a batch has at most " + std::to_string(machine::kMaxBatch) + " events: send it in parts");
    OrRefusal<machine::NewEvent> event = read_object(item, kept);
    if (!event)
      return malformed("the event " + std::to_string(events.size()) + " of the batch: " + event.error().sentence);
    events.push_back(*event);
  }
  return events;
}

std::string cloud_event_key(std::string_view packed_headers) {
  const std::string_view parts[] = {machine::attribute_in(packed_headers, "source").value_or(std::string_view()),
                                    machine::attribute_in(packed_headers, "id").value_or(std::string_view())};
  std::string key = "\x01";
  for (const uint8_t byte : security::sha256(parts)) append_hex(key, byte);
  return key;
}

void write_cloud_event_members(http::JsonWriter& json, std::string_view queue, const EventView& event,
                               std::span<const std::string_view> without) {
  const machine::EventHeaders headers = machine::unpack_headers(event.headers).value_or(machine::EventHeaders{});
  std::string_view content_type = headers.content_type;
  if (headers.cloud_event) {
    for (const auto& [name, value] : headers.attributes)
      if (!std::binary_search(without.begin(), without.end(), name)) json.key(name).string(value);
  } else {
    if (content_type.empty()) content_type = "application/octet-stream";
    json.key("specversion").string(kVersion);
    json.key("id").string(std::to_string(event.id));
    json.key("source").string("/queues/" + http::percent_encode(queue));
    json.key("type").string("wormhole.event");
    if (event.enqueued_at != 0) json.key("time").string(format_timestamp(event.enqueued_at));
    for (const auto& [name, value] : headers.attributes)
      if (can_be_extension(name, value) && !std::binary_search(without.begin(), without.end(), name))
        json.key(name).string(value);
  }
  if (!content_type.empty()) json.key("datacontenttype").string(content_type);
  const std::string_view bytes = event.bytes.view();
  if (bytes.empty()) return;
  if (is_json_type(content_type) && http::check_json(bytes))
    json.key("data").raw(bytes);
  else if (is_text_type(content_type) && is_shown_as_text(bytes))
    json.key("data").string(bytes);
  else
    json.key("data_base64").base64(bytes);
}

}  // namespace wh::api
