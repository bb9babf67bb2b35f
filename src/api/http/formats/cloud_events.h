// CloudEvents 1.0 (CONTRACT, CloudEvents 1.0): the binary, structured and batched modes of its HTTP binding, and its
// JSON format. An event keeps the attributes as they are, `datacontenttype` as its content type and `partitionkey` as
// its group too. What breaks the specification is refused with the attribute's name. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/formats/event_http.h"
#include "api/refusal.h"
#include "http/json.h"
#include "http/json_reader.h"
#include "http/request.h"
#include "machine/command/queue_commands.h"

namespace wh::api {

inline constexpr std::string_view kStructuredType = "application/cloudevents+json";
inline constexpr std::string_view kBatchedType = "application/cloudevents-batch+json";

enum class CloudEventMode : uint8_t { none, binary, structured, batched, unknown_format };

// Decided by the media type without its parameters; only then by `ce-` headers.
CloudEventMode cloud_event_mode(const http::Request& request);

// The events of a request in one of these modes. A batch may be empty. What they make holds views of the request and of
// `kept`.
OrRefusal<machine::NewEvent> read_binary_event(const http::Request& request, http::KeptStrings& kept);
OrRefusal<machine::NewEvent> read_structured_event(std::string_view body, http::KeptStrings& kept);
OrRefusal<std::vector<machine::NewEvent>> read_batched_events(std::string_view body, http::KeptStrings& kept);

// What serves as the event's idempotency key: made of `source` and `id`, and no key that a client could send. It has a
// fixed size.
std::string cloud_event_key(std::string_view packed_headers);

// The event's members in the JSON format, within an object. An event that came as none gets what the specification
// requires: its `source` is the queue's path, and those of its attributes that can be extensions are. `without`:
// attributes that are left out, sorted by name.
void write_cloud_event_members(http::JsonWriter& json, std::string_view queue, const EventView& event,
                               std::span<const std::string_view> without = {});

}  // namespace wh::api
