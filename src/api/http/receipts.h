// Receipts as clients hold them: opaque text that names an event and one delivery of it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "machine/command/queue_commands.h"

namespace wh::api {

[[nodiscard]] std::string format_receipt(const machine::Receipt& receipt);
// Nothing for text that format_receipt() does not write, or that names another event.
[[nodiscard]] std::optional<machine::Receipt> parse_receipt(std::string_view text, uint64_t id);
// The id of an event, below 2^53; nothing for any other text.
[[nodiscard]] std::optional<uint64_t> parse_event_id(std::string_view text);

}  // namespace wh::api
