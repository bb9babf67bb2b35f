// Queues, their settings and topics as JSON.
#pragma once

#include <cstddef>
#include <optional>

#include "http/json.h"
#include "machine/machine.h"

namespace wh::api {

// One object: the counts and settings of a queue as they are now.
// `waiting`: how many receives wait for it; only the leader knows.
void write_queue(http::JsonWriter& json, const machine::Queue& queue, const machine::Machine& machine,
                 std::optional<size_t> waiting);
// One object: the effective values of all settings.
void write_queue_settings(http::JsonWriter& json, const machine::Queue& queue, const machine::Machine& machine);
// One object: an event that is in a queue, without a receipt.
void write_queued_event(http::JsonWriter& json, const machine::Event& event, const machine::Machine& machine);
// One object: a topic with its queues and their filters.
void write_topic(http::JsonWriter& json, const machine::Topics::value_type& topic);

}  // namespace wh::api
