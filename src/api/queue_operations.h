// The operations on queues and topics, as operations.h has those on the rest: reads of the state, their answers, the
// rights and the bounds of both reads and writes. Values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/refusal.h"
#include "base/bytes.h"
#include "machine/command/command.h"
#include "machine/machine.h"
#include "security/principal.h"

namespace wh::api {

inline constexpr uint32_t kMaxListed = 1'000;     // items of one answer
inline constexpr uint32_t kStandardListed = 100;  // and when the client says nothing

// --- reads. They own their names.

struct GetFront {
  std::string queue;
};
struct GetLength {
  std::string queue;
};
struct ShowQueue {
  std::string queue;
};
struct ListQueues {
  std::string prefix;
  std::string after;
  uint32_t limit = kStandardListed;
};
// What an event is in a client's eyes.
enum class ListedState : uint8_t { any, ready, delayed, reserved };
struct ListEvents {
  std::string queue;
  ListedState state = ListedState::any;
  uint64_t after = 0;  // an event's id, or a number that an answer gave
  uint32_t limit = kStandardListed;
};
struct GetEvent {
  std::string queue;
  uint64_t id = 0;
};
// The events that may be delivered now, in that order. Places count from 0; negative ones from the end, -1 the last.
struct ListReady {
  std::string queue;
  int64_t first = 0;
  int64_t last = 0;
};
struct ShowTopic {
  std::string topic;
};
struct ListTopics {
  std::string prefix;
  std::string after;
  uint32_t limit = kStandardListed;
};

// A stream of what arrives in a queue after that arrival. Begins with a read, so that the state is new enough.
struct WatchQueue {
  std::string queue;
  uint64_t after = 0;
};

// --- takes: from the first of these queues that has something, now or when something comes. They own their names.

// Removes the front event.
struct PopFirst {
  std::vector<std::string> queues;
  Millis wait_ms = 0;  // kNever: until its client is gone
};
// Reserves up to `max` events of one queue.
struct ReceiveFirst {
  std::vector<std::string> queues;
  uint32_t max = 1;
  Millis wait_ms = 0;
};

// --- answers. Pointers are into the state: valid only during the callback that gets them.

struct Enqueued {
  raft::Index id;
  uint64_t queue_length = 0;  // with this event
};
struct Dequeued {
  raft::Index id;                        // 0: the queue was empty
  Bytes event;                           // to a repeat: only if it was kept (machine::Dequeue::keep_event)
  Bytes headers{};                       // packed
  std::vector<machine::Delivery> all{};  // of a Dequeue with a count
};
// Of PutEvents.
struct Stored {
  std::vector<uint64_t> ids;
  uint64_t queue_length = 0;  // with these events
};
struct Published {
  uint64_t events = 0;
  uint64_t copies = 0;  // over all queues
};
struct Received {
  std::vector<machine::Delivery> deliveries;
};
// Of a take; none: nothing came.
struct Taken {
  std::string queue;
  std::vector<machine::Delivery> deliveries;  // of PopFirst one, of which only id and bytes count
};
// Of Settle and RemoveEvents.
struct Settled {
  std::vector<machine::SettleOutcome> outcomes;
  Millis visible_at = 0;  // of extended ones, in cluster time
};
// Of ConfigureQueue: all that are set on the queue.
struct Configured {
  machine::OwnQueueSettings own;
};
// Of GetFront.
struct Front {
  const machine::Event* event = nullptr;  // null: the queue is empty
};
// Of GetEvent, ListEvents and ShowQueue; null: there is no such queue.
struct ShownEvent {
  const machine::Queue* queue = nullptr;
  const machine::Event* event = nullptr;
};
struct ShownEvents {
  const machine::Queue* queue = nullptr;
  std::vector<const machine::Event*> events;
  uint64_t next = 0;  // where the next answer goes on (ListEvents::after); 0: there is no more
};
// Of ListReady.
struct ReadyEvents {
  std::vector<const machine::Event*> events;
  std::string refused;  // not empty: the answer would be too large, or too far to go to; says what to ask for
};
struct ShownQueues {
  std::vector<const machine::Queue*> queues;  // of ShowQueue one, or none
  bool more = false;
};
struct ShownTopics {
  std::vector<const machine::Topics::value_type*> topics;  // of ShowTopic one, or none
  bool more = false;
};

// --- what they see

// One answer looks at so many events at most, and shows so many bytes of them, but at least one.
inline constexpr size_t kMaxEventsLookedAt = 20'000;
inline constexpr size_t kMaxBytesShown = size_t{4} << 20;

[[nodiscard]] ListedState listed_state(const machine::Event& event);
// How long ago the first of the queue's events arrived, 0 for an empty one; nothing for an event of a version that did
// not keep times.
[[nodiscard]] std::optional<Millis> oldest_age_ms(const machine::Queue& queue, const machine::Machine& machine);
[[nodiscard]] ShownEvents look(const machine::Queues& queues, const ListEvents& list);
[[nodiscard]] ReadyEvents look(const machine::Queues& queues, const ListReady& list);
[[nodiscard]] ShownQueues look(const machine::Queues& queues, const ListQueues& list);
[[nodiscard]] ShownTopics look(const machine::Queues& queues, const ListTopics& list);

// Why a stream cannot begin: there is no such queue, or nothing that arrived yet has that number.
[[nodiscard]] std::optional<Refusal> check_watch(const machine::Machine& machine, const WatchQueue& watch);

// --- bounds

// Whether a path can name a queue, or a topic, like this: [A-Za-z0-9._-]{1,128}, of a queue also five more that end in
// .dead. Other protocols take more names (machine/command/queue_commands.h).
[[nodiscard]] std::optional<Refusal> bad_queue_in_path(std::string_view queue);
[[nodiscard]] std::optional<Refusal> bad_topic_in_path(std::string_view topic);
// Whether a queue or a topic may be made under a name that a path can have: not as `.` or `..`, which clients take out
// of a path before they send it (RFC 3986, 5.2.4).
[[nodiscard]] std::optional<Refusal> bad_new_name(std::string_view name);

[[nodiscard]] std::optional<Refusal> bad_queue(std::string_view queue);

}  // namespace wh::api
