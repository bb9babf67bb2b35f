// An event of a queue, and its place in its life.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "machine/command/queue_commands.h"
#include "raft/types.h"

namespace wh::machine {

struct Group;

enum class EventState : uint8_t {
  ready = 0,
  delayed = 1,   // not yet ready for the first time, and so not yet in its group's line
  reserved = 2,  // a consumer holds it
  backoff = 3,   // delivered before, and not yet ready again; counted as delayed
};

// What few events have.
struct EventExtra {
  Bytes headers;           // pack_headers(); shared by the copies of one topic
  uint64_t id = 0;         // of a dead letter, whose place in the queue has another number; else 0
  Millis enqueued_at = 0;  // of a dead letter: in its first queue
  std::string reason;      // of a dead letter: why it is one
  std::string source_queue;
};

struct Event {
  uint64_t arrival = 0;  // its place in the queue's order of arrivals; its id but for a dead letter
  Bytes bytes;
  std::unique_ptr<EventExtra> extra;
  Millis arrived_at = 0;   // cluster time; 0: before version 3, which did not keep it
  Millis due = 0;          // reserved: the stamp at which that ends; delayed and backoff: cluster time of the end
  Millis expires_at = 0;   // cluster time; 0: never
  uint64_t delivery = 0;   // log index of its last delivery, while its receipt is good for anything
  raft::Index changed_at;  // of the entry that last changed it: for running snapshots. Not part of the state
  uint64_t hash = 0;       // of queue, id and bytes
  Group* group = nullptr;  // null: none
  uint32_t deliveries = 0;
  uint8_t priority = kDefaultPriority;
  EventState state = EventState::ready;

  [[nodiscard]] uint64_t id() const { return extra && extra->id != 0 ? extra->id : arrival; }
  [[nodiscard]] Millis enqueued_at() const { return extra && extra->id != 0 ? extra->enqueued_at : arrived_at; }
  [[nodiscard]] std::string_view headers() const { return extra ? extra->headers.view() : std::string_view(); }
  // When something happens to it while nobody holds it, by cluster time; kNever: nothing does.
  [[nodiscard]] Millis next_due() const {
    const Millis ready_at = state == EventState::ready ? kNever : due;
    return expires_at == 0 ? ready_at : std::min(ready_at, expires_at);
  }
  [[nodiscard]] uint64_t data_bytes() const { return bytes.size() + headers().size(); }
};

}  // namespace wh::machine
