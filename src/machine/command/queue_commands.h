// Commands on the queues, with their bounds. As bytes: command.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "machine/command/traits.h"

namespace wh::machine {

inline constexpr size_t kMaxQueueNameBytes = 128;

// Puts an event at the back of a queue. The event's id is the log index of this command.
struct Enqueue {
  static constexpr CommandTraits kTraits{.kind = 3, .since = 1, .adds_data = true};
  std::string_view queue;
  std::string_view event;
  friend bool operator==(const Enqueue&, const Enqueue&) = default;
};
// Removes the front event; with `only_if_front`, only when that is the front event's id.
struct Dequeue {
  static constexpr CommandTraits kTraits{.kind = 4, .since = 1};
  std::string_view queue;
  std::optional<uint64_t> only_if_front;
  friend bool operator==(const Dequeue&, const Dequeue&) = default;
};

// As in store_commands.h.
size_t encoded_size(const Enqueue& enqueue);
size_t encoded_size(const Dequeue& dequeue);
void encode(const Enqueue& enqueue, Writer& out);
void encode(const Dequeue& dequeue, Writer& out);
void decode(Reader& in, Enqueue& enqueue);
void decode(Reader& in, Dequeue& dequeue);
Status check_bounds(const Enqueue& enqueue, ClusterVersion version);
Status check_bounds(const Dequeue& dequeue, ClusterVersion version);

}  // namespace wh::machine
