// Commands on the queues, with their bounds. As bytes: command.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "machine/command/idempotency_key.h"
#include "machine/command/traits.h"

namespace wh::machine {

inline constexpr size_t kMaxQueueNameBytes = 128;
// A dead letter queue's name: a queue's, and kDeadSuffix.
inline constexpr std::string_view kDeadSuffix = ".dead";
inline constexpr size_t kMaxDeadQueueNameBytes = kMaxQueueNameBytes + kDeadSuffix.size();
inline constexpr size_t kMaxGroupBytes = 128;
inline constexpr size_t kMaxReasonBytes = 256;
inline constexpr size_t kMaxBatch = 1'000;      // events of one PutEvents or RemoveEvents, receipts of one Settle
inline constexpr uint32_t kMaxReceive = 100;    // events of one Receive
inline constexpr uint32_t kMaxDequeue = 1'000;  // events of one Dequeue
inline constexpr uint32_t kMaxRedrive = 1'000;  // events that one Redrive moves
inline constexpr uint8_t kPriorities = 10;      // 0 first
inline constexpr uint8_t kDefaultPriority = 4;
inline constexpr Millis kMaxDelayMs = Millis{3'653} * 86'400'000;  // ten years: of a delay and of a ttl
inline constexpr Millis kMaxTimeMs = 253'402'300'799'999;          // the end of the year 9999
inline constexpr Millis kMaxVisibilityMs = Millis{12} * 3'600'000;
inline constexpr Millis kMinVisibilityMs = 1'000;
inline constexpr size_t kMaxBackoff = 32;  // delays of the setting backoff
inline constexpr size_t kMaxTopicNameBytes = 128;
inline constexpr size_t kMaxFilterTerms = 16;
inline constexpr size_t kMaxPatternBytes = 256;

// Whether a queue can have this name: kMaxQueueNameBytes, or with kDeadSuffix five more.
bool is_queue_name_size(std::string_view queue);
// Whether it has only the characters A-Z a-z 0-9 . _ -, so that a path can name it.
bool is_path_name(std::string_view name);

// Puts an event at the back of a queue. The event's id is the log index of this command, or a little higher.
struct Enqueue {
  static constexpr CommandTraits kTraits{.kind = 3, .since = 1, .adds_data = true};
  std::string_view queue;
  std::string_view event;
  friend bool operator==(const Enqueue&, const Enqueue&) = default;
};
// Removes the front event; with `only_if_front`, only when that is the front event's id. With a `count`, as many from
// the front as there are, and fewer where the answer would become too large.
struct Dequeue {
  static constexpr CommandTraits kTraits{.kind = 4, .since = 1};
  std::string_view queue;
  std::optional<uint64_t> only_if_front;
  // As of version 3:
  bool keep_event = false;        // under an idempotency key, so that a repeat is given the event too
  std::optional<uint32_t> count;  // 1 to kMaxDequeue; without the two above
  friend bool operator==(const Dequeue&, const Dequeue&) = default;
};

// --- as of version 3

struct NewEvent {
  std::string_view bytes;            // empty: only of a CloudEvent
  std::string_view headers;          // pack_headers()
  std::optional<Millis> delay;       // nothing: the queue's
  std::optional<Millis> deliver_at;  // cluster time; in place of `delay`. In the past: now
  Millis ttl = 0;                    // 0: the queue's
  uint8_t priority = kDefaultPriority;
  std::string_view group;  // empty: none
  std::optional<IdempotencyKey> idempotency;
  friend bool operator==(const NewEvent&, const NewEvent&) = default;
};

// Puts events at the back of a queue, all or none.
struct PutEvents {
  static constexpr CommandTraits kTraits{.kind = 8, .since = 3, .adds_data = true};
  std::string_view queue;
  std::vector<NewEvent> events;
  friend bool operator==(const PutEvents&, const PutEvents&) = default;
};
// Puts each event into every queue that is bound to the topic and whose filter fits, all or none.
struct Publish {
  static constexpr CommandTraits kTraits{.kind = 9, .since = 3, .adds_data = true};
  std::string_view topic;
  std::vector<NewEvent> events;
  friend bool operator==(const Publish&, const Publish&) = default;
};
// Reserves ready events for one consumer. One that finds nothing changes nothing.
struct Receive {
  static constexpr CommandTraits kTraits{.kind = 10, .since = 3};
  std::string_view queue;
  uint32_t max = 1;
  std::optional<Millis> visibility;  // nothing: the queue's
  friend bool operator==(const Receive&, const Receive&) = default;
};

// Names one delivery of one event: `delivery` is the log index of the entry that delivered it.
struct Receipt {
  uint64_t id = 0;
  uint64_t delivery = 0;
  friend bool operator==(const Receipt&, const Receipt&) = default;
};
enum class SettleVerb : uint8_t {
  acknowledge = 0,
  extend = 1,
  release = 2,
  bury = 3,
  take_back = 4,  // nobody saw the delivery: the event is ready at once, and the delivery does not count
};
// What a consumer, or the server for one that is gone, says of deliveries.
struct Settle {
  static constexpr CommandTraits kTraits{.kind = 11, .since = 3};
  std::string_view queue;
  SettleVerb verb = SettleVerb::acknowledge;
  std::vector<Receipt> receipts;
  std::optional<Millis> duration;  // extend: from now; nothing: the queue's. release: the delay; nothing: its backoff
  std::string_view reason;         // bury
  friend bool operator==(const Settle&, const Settle&) = default;
};

// A setting of a queue: a number of its table (queue/queue_settings.h), a name, or delays; nothing: back to its
// default.
struct QueueSettingChange {
  uint8_t setting = 0;
  bool reset = false;
  uint64_t number = 0;
  std::string_view name;
  std::vector<Millis> delays;
  friend bool operator==(const QueueSettingChange&, const QueueSettingChange&) = default;
};
// Makes the queue if there is none, and changes the settings named.
struct ConfigureQueue {
  static constexpr CommandTraits kTraits{.kind = 12, .since = 3, .adds_data = true};
  std::string_view queue;
  std::vector<QueueSettingChange> changes;
  friend bool operator==(const ConfigureQueue&, const ConfigureQueue&) = default;
};
struct DeleteQueue {
  static constexpr CommandTraits kTraits{.kind = 13, .since = 3};
  std::string_view queue;
  friend bool operator==(const DeleteQueue&, const DeleteQueue&) = default;
};
struct PauseQueue {
  static constexpr CommandTraits kTraits{.kind = 14, .since = 3};
  std::string_view queue;
  std::optional<bool> in;  // nothing: as it is
  std::optional<bool> out;
  friend bool operator==(const PauseQueue&, const PauseQueue&) = default;
};
struct PurgeQueue {
  static constexpr CommandTraits kTraits{.kind = 15, .since = 3};
  std::string_view queue;
  friend bool operator==(const PurgeQueue&, const PurgeQueue&) = default;
};
// Moves ready events from a dead letter queue, as many as fit.
struct Redrive {
  static constexpr CommandTraits kTraits{.kind = 16, .since = 3};
  std::string_view from;
  std::string_view to;
  uint32_t max = kMaxRedrive;
  friend bool operator==(const Redrive&, const Redrive&) = default;
};
// An attribute, and the pattern that its value must match (queue/filter.h).
using FilterTerm = std::pair<std::string_view, std::string_view>;
struct Bind {
  static constexpr CommandTraits kTraits{.kind = 17, .since = 3, .adds_data = true};
  std::string_view topic;
  std::string_view queue;
  std::vector<FilterTerm> filter;  // all must fit; by attribute
  friend bool operator==(const Bind&, const Bind&) = default;
};
struct Unbind {
  static constexpr CommandTraits kTraits{.kind = 18, .since = 3};
  std::string_view topic;
  std::string_view queue;
  friend bool operator==(const Unbind&, const Unbind&) = default;
};

// --- as of version 4

// Removes events by their ids, without a receipt: those that nobody holds.
struct RemoveEvents {
  static constexpr CommandTraits kTraits{.kind = 23, .since = 4};
  std::string_view queue;
  std::vector<uint64_t> ids;
  friend bool operator==(const RemoveEvents&, const RemoveEvents&) = default;
};

// As in store_commands.h.
// clang-format off
#define WH_QUEUE_COMMANDS(X)                                                                                \
  X(Enqueue) X(Dequeue) X(PutEvents) X(Publish) X(Receive) X(Settle) X(ConfigureQueue) X(DeleteQueue)       \
  X(PauseQueue) X(PurgeQueue) X(Redrive) X(Bind) X(Unbind) X(RemoveEvents)
// NOLINT, as a type takes no parentheses.
#define WH_CODEC_OF(Command)                                     \
  size_t encoded_size(const Command& command);      /* NOLINT */ \
  void encode(const Command& command, Writer& out); /* NOLINT */ \
  void decode(Reader& in, Command& command);        /* NOLINT */ \
  Status check_bounds(const Command& command, ClusterVersion version);
// clang-format on
WH_QUEUE_COMMANDS(WH_CODEC_OF)
#undef WH_CODEC_OF

}  // namespace wh::machine
