// Receipts as clients hold them: opaque text that names an event of a queue and one delivery of it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "machine/command/queue_commands.h"

namespace wh::api {

// Ends with a check of all that it names, so that a receipt of another queue, or one that was put together by hand, is
// told from one whose event is gone.
[[nodiscard]] std::string format_receipt(const machine::Receipt& receipt, std::string_view queue);
// Nothing for text that format_receipt() does not write for this queue and event.
[[nodiscard]] std::optional<machine::Receipt> parse_receipt(std::string_view text, std::string_view queue, uint64_t id);
// The id of an event, below 2^53; nothing for any other text.
[[nodiscard]] std::optional<uint64_t> parse_event_id(std::string_view text);

}  // namespace wh::api
