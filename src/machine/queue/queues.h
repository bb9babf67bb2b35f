// The event queues by name, each first in, first out. An empty queue does not exist. Keeps its size and its share of
// the state's digest up to date. The caller checks bounds (command.h).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "raft/types.h"

namespace wh::machine {

// An item of a queue; its id is the log index of the command that added it, so ids grow from front to back.
struct Event {
  raft::Index id;
  Bytes bytes;
};

class Queues {
 public:
  // What an event, and a queue with its name, add to logical_bytes() beside their bytes.
  static constexpr uint64_t kEventOverhead = 112;
  static constexpr uint64_t kQueueOverhead = 704;

  using Events = std::deque<Event>;
  using ByName = std::map<std::string, Events, std::less<>>;

  // Appends an event, whose id must be above those in the queue. Returns the queue's length.
  uint64_t push(std::string_view queue, Event event);
  // Removes the front event; nullopt when the queue is empty.
  std::optional<Event> pop(std::string_view queue);

  // The front event, or nullptr. Valid until the next change.
  [[nodiscard]] const Event* front(std::string_view queue) const;
  // The back event, or nullptr. Valid until the next change.
  [[nodiscard]] const Event* back(std::string_view queue) const;
  [[nodiscard]] uint64_t length(std::string_view queue) const;
  [[nodiscard]] uint64_t event_count() const { return event_count_; }
  [[nodiscard]] const ByName& by_name() const { return queues_; }
  [[nodiscard]] uint64_t logical_bytes() const { return logical_bytes_; }
  [[nodiscard]] uint64_t digest() const { return digest_; }

  // Frees one event of discarded queues and returns its size; nullopt when there is none.
  std::optional<size_t> free_one();

 private:
  ByName queues_;
  uint64_t event_count_ = 0;
  uint64_t logical_bytes_ = 0;
  uint64_t digest_ = 0;  // the sum of each event's hash over queue, id and bytes
};

}  // namespace wh::machine
