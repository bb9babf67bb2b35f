// An event of a queue to and from HTTP: its attributes as headers, its terms as parameters, and the whole of it as
// JSON. CloudEvents are in cloud_events.h. Pure; called by the routes of queues and topics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/parameter.h"
#include "api/refusal.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "http/json.h"
#include "http/json_reader.h"
#include "http/request.h"
#include "http/response.h"
#include "http/url.h"
#include "machine/command/event_headers.h"
#include "machine/command/queue_commands.h"
#include "machine/command/reply.h"
#include "machine/queue/event.h"

namespace wh::api {

// --- from a request. What these make holds views of the request and of `kept`.

inline constexpr std::string_view kAttributePrefix = "Wormhole-Attribute-";
// The terms of an event that is stored: parameters, and members of an item of a batch.
inline constexpr Parameter kEventDelay{.name = "delay",
                                       .text = "The event is delivered only after this time.",
                                       .type = ParameterType::duration,
                                       .most = machine::kMaxDelayMs,
                                       .example = "10s"};
inline constexpr Parameter kDeliverAt{.name = "deliver_at",
                                      .text = "The event is delivered only from this time on. Not beside delay.",
                                      .type = ParameterType::time,
                                      .example = "2026-11-30T18:00:00Z"};
inline constexpr Parameter kEventTtl{.name = "ttl",
                                     .text = "The event expires this long after it was stored, unless it is reserved.",
                                     .type = ParameterType::duration,
                                     .least = 1,
                                     .most = machine::kMaxDelayMs,
                                     .example = "1h"};
inline constexpr Parameter kPriority{.name = "priority",
                                     .text = "Events of a lower number are delivered first.",
                                     .type = ParameterType::number,
                                     .most = machine::kPriorities - 1,
                                     .standard = machine::kDefaultPriority};
inline constexpr Parameter kGroup{
    .name = "group",
    .text = "While an event of a group is reserved, no other of it is delivered. 1 to 128 bytes.",
    .example = "customer-7"};
inline constexpr Parameters kEventParams{&kEventDelay, &kDeliverAt, &kEventTtl, &kPriority, &kGroup};
// And what an item of a batch has besides.
inline constexpr Parameter kItemData{.name = "data", .text = "The event's bytes, where they are UTF-8."};
inline constexpr Parameter kItemDataBase64{
    .name = "data_base64", .text = "The event's bytes in base64, in place of data.", .type = ParameterType::base64};
inline constexpr Parameter kItemContentType{
    .name = "content_type", .text = "The media type of the data.", .example = "text/plain"};
inline constexpr Parameter kItemAttributes{
    .name = "attributes", .text = "At most 64, by names of [a-z0-9._-].", .type = ParameterType::strings};
inline constexpr Parameter kItemKey{.name = "idempotency_key",
                                    .text = "The item's own: one that came before with the same event gives its id.",
                                    .pattern = "^[ -~]{1,255}$"};
inline constexpr Parameters kItemMembers =
    Parameters{&kItemData, &kItemDataBase64, &kItemContentType, &kItemAttributes, &kItemKey} + kEventParams;

// The value of a header as CloudEvents has it (HTTP binding 3.1.3.2): quotes around it are undone, and percent-encoding
// once; a percent sign without two digits stands for itself. Refuses what is no UTF-8 text without control characters.
OrRefusal<std::string> decode_attribute(std::string_view name, std::string_view field);
// The same the other way: printable ASCII without blank, quote and percent sign.
std::string encode_attribute(std::string_view value);

// Fills in what the parameters say.
std::optional<Refusal> read_terms(const http::Params& query, machine::NewEvent& event);
// Refuses terms under which the event would never be delivered.
std::optional<Refusal> refuse_terms(const machine::NewEvent& event);
// Sorts, checks and packs.
std::optional<Refusal> set_headers(machine::EventHeaders headers, http::KeptStrings& kept, machine::NewEvent& event);
// The body as it is, its content type and its attributes.
OrRefusal<machine::NewEvent> read_plain_event(const http::Request& request, http::KeptStrings& kept);
// One item of a batch.
OrRefusal<machine::NewEvent> read_json_event(const http::JsonValue& item, http::KeptStrings& kept);
// The same of its members.
OrRefusal<machine::NewEvent> read_json_event(const http::JsonMembers& members, http::KeptStrings& kept);

// --- to an answer

// What an answer shows of an event that is in a queue or was delivered.
struct EventView {
  explicit EventView(const machine::Event& event);
  explicit EventView(const machine::Delivery& delivery);
  uint64_t id;
  uint32_t deliveries;
  uint8_t priority;
  Millis enqueued_at;  // cluster time; 0: not known
  std::string_view group;
  std::string_view headers;  // packed
  Bytes bytes;
};

// The event as it came: its bytes, its content type, its attributes as headers.
http::Response event_response(const EventView& event);
// The same without its id and the like.
http::Response bare_event_response(std::string_view packed_headers, const Bytes& bytes);
// The headers that every form has: ETag, id, deliveries, time.
void add_event_fields(http::Response& response, const EventView& event);
// The members that every list has, within an object.
void write_event_members(http::JsonWriter& json, const EventView& event);
void write_time(http::JsonWriter& json, std::string_view name, Millis time);  // null for 0
// As text where it is text, else base64; in an object.
void write_data(http::JsonWriter& json, std::string_view bytes);
// UTF-8 without control characters, but for the ends of lines and tabs.
bool is_shown_as_text(std::string_view bytes);

}  // namespace wh::api
