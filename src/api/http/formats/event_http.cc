#include "api/http/formats/event_http.h"

#include <algorithm>
#include <utility>

#include "api/http/params.h"
#include "base/base64.h"
#include "base/escapes.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "config/option_values.h"
#include "http/shown.h"
#include "http/url.h"
#include "machine/command/command.h"
#include "machine/queue/queues.h"

namespace wh::api {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool stays_in_header(char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '%'; }

// A quoted string (RFC 9110 5.6.4) as what it stands for.
std::string unquoted(std::string_view field) {
  if (field.size() < 2 || field.front() != '"' || field.back() != '"') return std::string(field);
  std::string out;
  for (size_t i = 1; i + 1 < field.size(); ++i) {
    if (field[i] == '\\' && i + 2 < field.size()) ++i;
    out += field[i];
  }
  return out;
}

std::optional<Refusal> bad_group(std::string_view group) {
  if (group.empty()) return malformed("group is not empty where it is given");
  if (group.size() <= machine::kMaxGroupBytes && is_plain_text(group)) return std::nullopt;
  return malformed("a group is 1 to " + std::to_string(machine::kMaxGroupBytes) +
                   " bytes of UTF-8 text without control characters");
}

std::string lower(std::string_view name) { return config::to_lower(name); }

}  // namespace

OrRefusal<std::string> decode_attribute(std::string_view name, std::string_view field) {
  const std::string text = unquoted(field);
  std::string value;
  value.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' ? hex_byte(std::string_view(text).substr(i + 1)) : std::nullopt;
    value += byte.value_or(text[i]);
    if (byte) i += 2;
  }
  if (is_plain_text(value)) return value;
  return malformed("the attribute " + printable(name) + " is no UTF-8 text without control characters");
}

std::string encode_attribute(std::string_view value) { return http::percent_encode(value, stays_in_header); }

std::optional<Refusal> read_terms(const http::Params& query, machine::NewEvent& event) {
  const auto delay = duration_param(query, kEventDelay);
  if (!delay) return delay.error();
  if (*delay) event.delay = *delay;
  if (const std::string* text = http::find_param(query, "deliver_at")) {
    const auto time = timestamp_in("deliver_at", *text);
    if (!time) return time.error();
    event.deliver_at = *time;
  }
  const auto ttl = duration_param(query, kEventTtl);
  if (!ttl) return ttl.error();
  if (*ttl) event.ttl = **ttl;
  const auto priority = number_param(query, kPriority);
  if (!priority) return priority.error();
  event.priority = static_cast<uint8_t>(*priority);
  if (const std::string* group = http::find_param(query, "group")) {
    if (auto refusal = bad_group(*group)) return refusal;
    event.group = *group;
  }
  return refuse_terms(event);
}

std::optional<Refusal> refuse_terms(const machine::NewEvent& event) {
  if (event.delay && event.deliver_at) return malformed("an event has a delay or a deliver_at, not both");
  if (event.ttl != 0 && event.delay.value_or(0) >= event.ttl)
    return malformed("the delay is not below the ttl: the event would never be delivered");
  return std::nullopt;
}

std::optional<Refusal> set_headers(machine::EventHeaders headers, http::KeptStrings& kept, machine::NewEvent& event) {
  std::sort(headers.attributes.begin(), headers.attributes.end());
  if (const Status good = machine::check_headers(headers); !good) return malformed(printable(good.error()));
  std::string packed = machine::pack_headers(headers);
  if (!packed.empty()) event.headers = kept.emplace_back(std::move(packed));
  return std::nullopt;
}

OrRefusal<machine::NewEvent> read_plain_event(const http::Request& request, http::KeptStrings& kept) {
  machine::NewEvent event{.bytes = request.body};
  machine::EventHeaders headers;
  for (const http::Header& field : request.headers) {
    if (http::equals_ignoring_case(field.name, "Content-Type")) headers.content_type = field.value;
    if (field.name.size() < kAttributePrefix.size() ||
        !http::equals_ignoring_case(std::string_view(field.name).substr(0, kAttributePrefix.size()), kAttributePrefix))
      continue;
    const std::string& name = kept.emplace_back(lower(std::string_view(field.name).substr(kAttributePrefix.size())));
    OrRefusal<std::string> value = decode_attribute(name, field.value);
    if (!value) return value.error();
    headers.attributes.emplace_back(name, kept.emplace_back(std::move(*value)));
  }
  if (auto refusal = set_headers(std::move(headers), kept, event)) return std::move(*refusal);
  if (event.bytes.empty()) return malformed("an event must not be empty");
  return event;
}

// --- one item of a batch

namespace {

Refusal unknown_member(std::string_view name) {
  Nearest nearest(name);
  for (const Parameter* known : kItemMembers) nearest.consider(known->name);
  return malformed("the member " + http::shown(name) + " of an event is not known here" +
                   (nearest.found().empty() ? "" : ": did you mean '" + std::string(nearest.found()) + "'?"));
}

OrRefusal<std::string_view> text_of(std::string_view name, const http::JsonValue& value, http::KeptStrings& kept) {
  if (value.kind() != http::JsonKind::string) return malformed("the member " + std::string(name) + " is a string");
  return value.string(kept);
}

// A duration, as a string or as a number of seconds.
OrRefusal<Millis> duration_of(std::string_view name, const http::JsonValue& value, Millis least,
                              http::KeptStrings& kept) {
  const bool is_text = value.kind() == http::JsonKind::string;
  return duration_in(name, is_text ? value.string(kept) : value.text(), least, machine::kMaxDelayMs);
}

std::optional<Refusal> read_attributes(const http::JsonValue& value, http::KeptStrings& kept,
                                       machine::EventHeaders& headers) {
  if (value.kind() != http::JsonKind::object) return malformed("the member attributes is an object of strings");
  const auto members = value.members(kept);
  if (!members) return malformed(printable(members.error()));
  for (const auto& [name, text] : *members) {
    const auto found = text_of(name, text, kept);
    if (!found) return malformed("the attribute " + http::shown(name) + " is a string");
    headers.attributes.emplace_back(name, *found);
  }
  return std::nullopt;
}

// Everything but attributes.
std::optional<Refusal> read_member(std::string_view name, const http::JsonValue& value, http::KeptStrings& kept,
                                   machine::EventHeaders& headers, machine::NewEvent& event) {
  if (name == "priority") {
    const auto number = value.number();
    if (!number || *number >= machine::kPriorities) return malformed("priority is a number from 0 to 9");
    event.priority = static_cast<uint8_t>(*number);
    return std::nullopt;
  }
  if (name == "delay" || name == "ttl") {
    const auto duration = duration_of(name, value, name == "ttl" ? 1 : 0, kept);
    if (!duration) return duration.error();
    if (name == "ttl")
      event.ttl = *duration;
    else
      event.delay = *duration;
    return std::nullopt;
  }
  const OrRefusal<std::string_view> text = text_of(name, value, kept);
  if (!text) return text.error();
  if (name == "data") event.bytes = *text;
  if (name == "data_base64") {
    std::optional<std::string> bytes = decode_base64(*text);
    if (!bytes) return malformed("data_base64 is base64 with its padding (RFC 4648)");
    event.bytes = kept.emplace_back(std::move(*bytes));
  }
  if (name == "content_type") headers.content_type = *text;
  if (name == "group") {
    if (auto refusal = bad_group(*text)) return refusal;
    event.group = *text;
  }
  if (name == "deliver_at") {
    const auto time = timestamp_in(name, *text);
    if (!time) return time.error();
    event.deliver_at = *time;
  }
  if (name == "idempotency_key") {
    const bool good = !text->empty() && text->size() <= machine::kMaxIdempotencyKeyBytes &&
                      std::all_of(text->begin(), text->end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (!good) return malformed("an idempotency_key has 1 to 255 printable ASCII characters");
    event.idempotency = machine::IdempotencyKey{*text, {}};
  }
  return std::nullopt;
}

}  // namespace

OrRefusal<machine::NewEvent> read_json_event(const http::JsonValue& item, http::KeptStrings& kept) {
  if (item.kind() != http::JsonKind::object) return malformed("an event of a batch is a JSON object");
  const auto members = item.members(kept);
  if (!members) return malformed(printable(members.error()));
  return read_json_event(*members, kept);
}

OrRefusal<machine::NewEvent> read_json_event(const http::JsonMembers& members, http::KeptStrings& kept) {
  machine::NewEvent event;
  machine::EventHeaders headers;
  size_t data = 0;
  for (const auto& [name, value] : members) {
    if (find_parameter(kItemMembers, name) == nullptr) return unknown_member(name);
    data += name == "data" || name == "data_base64" ? 1 : 0;
    auto refusal =
        name == "attributes" ? read_attributes(value, kept, headers) : read_member(name, value, kept, headers, event);
    if (refusal) return std::move(*refusal);
  }
  if (data != 1) return malformed("an event has data or data_base64, and not both");
  if (event.bytes.empty()) return malformed("an event must not be empty");
  if (auto refusal = refuse_terms(event)) return std::move(*refusal);
  if (auto refusal = set_headers(std::move(headers), kept, event)) return std::move(*refusal);
  return event;
}

// --- to an answer

EventView::EventView(const machine::Event& event)
    : id(event.id()),
      deliveries(event.deliveries),
      priority(event.priority),
      enqueued_at(event.enqueued_at()),
      group(event.group == nullptr ? std::string_view() : std::string_view(*event.group->name)),
      headers(event.headers()),
      bytes(event.bytes) {}

EventView::EventView(const machine::Delivery& delivery)
    : id(delivery.id),
      deliveries(delivery.deliveries),
      priority(delivery.priority),
      enqueued_at(delivery.enqueued_at),
      group(delivery.group),
      headers(delivery.headers.view()),
      bytes(delivery.bytes) {}

void add_event_fields(http::Response& response, const EventView& event) {
  const std::string id = std::to_string(event.id);
  response.headers.add("ETag", '"' + id + '"');
  response.headers.add("Wormhole-Event-Id", id);
  response.headers.add("Wormhole-Deliveries", event.deliveries);
  if (event.enqueued_at != 0) response.headers.add("Wormhole-Enqueued-At", format_timestamp(event.enqueued_at));
}

http::Response event_response(const EventView& event) {
  http::Response response = bare_event_response(event.headers, event.bytes);
  add_event_fields(response, event);
  return response;
}

http::Response bare_event_response(std::string_view packed_headers, const Bytes& bytes) {
  const machine::EventHeaders headers = machine::unpack_headers(packed_headers).value_or(machine::EventHeaders{});
  http::Response response{.status = 200, .content_type = {}, .headers = {}, .body = bytes};
  response.content_type = headers.content_type;
  if (headers.content_type.empty() && !headers.cloud_event) response.content_type = "application/octet-stream";
  const std::string_view prefix = headers.cloud_event ? "ce-" : kAttributePrefix;
  for (const auto& [name, value] : headers.attributes)
    response.headers.add(http::FieldName::of(std::string(prefix) + std::string(name)), encode_attribute(value));
  return response;
}

bool is_shown_as_text(std::string_view bytes) {
  return is_utf8(bytes) && std::none_of(bytes.begin(), bytes.end(),
                                        [](char c) { return is_control(c) && c != '\n' && c != '\r' && c != '\t'; });
}

void write_data(http::JsonWriter& json, std::string_view bytes) {
  if (is_shown_as_text(bytes))
    json.key("data").string(bytes);
  else
    json.key("data_base64").base64(bytes);
}

void write_time(http::JsonWriter& json, std::string_view name, Millis time) {
  json.key(name);
  if (time == 0)
    json.null();
  else
    json.string(format_timestamp(time));
}

void write_event_members(http::JsonWriter& json, const EventView& event) {
  const machine::EventHeaders headers = machine::unpack_headers(event.headers).value_or(machine::EventHeaders{});
  json.key("id").number(event.id);
  json.key("deliveries").number(event.deliveries);
  write_time(json, "enqueued_at", event.enqueued_at);
  json.key("content_type");
  if (!headers.content_type.empty())
    json.string(headers.content_type);
  else if (headers.cloud_event)
    json.null();
  else
    json.string("application/octet-stream");
  json.key("attributes").begin_object();
  for (const auto& [name, value] : headers.attributes) json.key(name).string(value);
  json.end_object();
  json.key("group");
  if (event.group.empty())
    json.null();
  else
    json.string(event.group);
  json.key("priority").number(event.priority);
  write_data(json, event.bytes.view());
}

}  // namespace wh::api
