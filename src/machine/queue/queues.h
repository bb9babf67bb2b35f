// The event queues by name, as data: what a queue holds, its indexes, counts and deadlines. Only QueueOps (queue_ops.h)
// changes them, so that each index and count follows every event. Also the topics, which are names that queues are
// bound to. Part of the state.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/cluster_version.h"
#include "machine/queue/event.h"
#include "machine/queue/queue_settings.h"
#include "raft/types.h"

namespace wh::machine {

// The events of a queue that share a group: one of them at a time is with a consumer.
struct Group {
  std::map<uint64_t, Event*> line;  // by id: all but those that wait for their first delay
  Event* holder = nullptr;          // it was delivered and is not gone: no other one is delivered
  Event* listed = nullptr;          // the one in QueueContent::ready
  const std::string* name = nullptr;
  uint64_t members = 0;
};

// The events of a queue. Detached as a whole by a purge, and then frozen.
struct QueueContent {
  using Deadline = std::pair<Millis, uint64_t>;  // and the event's arrival

  std::map<uint64_t, Event> events;   // by arrival
  std::map<uint64_t, uint64_t> late;  // of dead letters: the arrival by id
  std::map<uint64_t, Event*> ready;   // what may be delivered, by priority and id: of a group one at most
  std::set<Deadline> holds;           // of reserved events, by the log's stamps
  std::set<Deadline> dues;            // of the others that become ready or expire, by cluster time
  std::map<std::string, Group, std::less<>> groups;
  uint64_t ready_count = 0;  // events by their state; some are ready and wait for their group
  uint64_t delayed_count = 0;
  uint64_t reserved_count = 0;
  uint64_t data_bytes = 0;      // of the events with their attributes
  uint64_t reserved_bytes = 0;  // the same of the reserved ones
  uint64_t logical_bytes = 0;
  uint64_t digest = 0;
  // All events that arrived before it are reserved, but these: only to find the oldest of the others quickly.
  uint64_t reserved_before = 0;
  std::set<uint64_t> back_early;

  [[nodiscard]] const Event* find(uint64_t id) const;
  // Frees one event of a discarded queue and returns its size; nullopt when there is none.
  std::optional<size_t> free_one();
  [[nodiscard]] Event* find(uint64_t id) { return const_cast<Event*>(std::as_const(*this).find(id)); }
};

// Since the queue was made, as of version 3.
struct QueueTotals {
  uint64_t enqueued = 0;
  uint64_t acknowledged = 0;  // and removed by Dequeue
  uint64_t redelivered = 0;
  uint64_t expired = 0;
  uint64_t dead_lettered = 0;
  uint64_t dropped = 0;  // by overflow drop_oldest
  friend bool operator==(const QueueTotals&, const QueueTotals&) = default;
};

// What queues hold and did: of one, or of many together.
struct QueueFigures {
  uint64_t ready = 0;
  uint64_t delayed = 0;
  uint64_t reserved = 0;
  uint64_t bytes = 0;
  QueueTotals totals;

  QueueFigures& operator+=(const QueueFigures& more);
  QueueFigures& operator-=(const QueueFigures& less);
  friend bool operator==(const QueueFigures&, const QueueFigures&) = default;
};

struct Queue {
  const std::string* name = nullptr;
  OwnQueueSettings own;
  bool paused_in = false;
  bool paused_out = false;
  QueueTotals totals;
  std::shared_ptr<QueueContent> content = std::make_shared<QueueContent>();

  // Not part of the state:
  raft::Index changed_at;       // of the entry that last changed anything in it
  uint64_t head_digest = 0;     // its summand, without the events
  Millis listed_hold = kNever;  // under which it stands in Queues' deadlines
  Millis listed_due = kNever;
  QueueFigures counted;  // in the sums
  uint8_t size_class = kNoSizeClass;
  bool touched = false;       // in the entry that is applied
  bool told_ready = false;    // finish() is to tell that something became ready
  bool has_arrivals = false;  // and that something arrived

  static constexpr uint8_t kNoSizeClass = 255;
  [[nodiscard]] uint64_t size() const { return content->events.size(); }
  [[nodiscard]] QueueFigures figures() const;
  // The event that would be delivered next, or null.
  [[nodiscard]] const Event* front() const {
    return paused_out || content->ready.empty() ? nullptr : content->ready.begin()->second;
  }
};

// Which events of a topic a queue takes: each attribute must match its pattern (filter.h).
using Filter = std::vector<std::pair<std::string, std::string>>;
struct Binding {
  Filter filter;
  raft::Index changed_at;  // as of Event
};
using Bindings = std::map<std::string, Binding, std::less<>>;  // by queue
using Topics = std::map<std::string, Bindings, std::less<>>;

class Queues {
 public:
  // What an event, a queue and a group add to logical_bytes() beside their names and bytes: what the containers take.
  static constexpr uint64_t kEventOverhead = 336;
  static constexpr uint64_t kExtraOverhead = 160;
  static constexpr uint64_t kQueueOverhead = 1'024;
  static constexpr uint64_t kGroupOverhead = 320;
  static constexpr uint64_t kBindingOverhead = 192;

  using ByName = std::map<std::string, Queue, std::less<>>;

  [[nodiscard]] const Queue* find(std::string_view queue) const;
  // The event that would be delivered next; null: none. Valid until the next change.
  [[nodiscard]] const Event* front(std::string_view queue) const;
  // Events that are ready.
  [[nodiscard]] uint64_t length(std::string_view queue) const;
  [[nodiscard]] uint64_t event_count() const { return event_count_; }
  [[nodiscard]] const ByName& by_name() const { return queues_; }
  [[nodiscard]] const Topics& topics() const { return topics_; }
  [[nodiscard]] uint64_t binding_count() const { return binding_count_; }
  [[nodiscard]] uint64_t logical_bytes() const { return logical_bytes_; }
  // Of all of it, in a cluster of that version.
  [[nodiscard]] uint64_t digest(ClusterVersion version) const;
  // The highest id or arrival that was ever given, as of version 3.
  [[nodiscard]] uint64_t last_number() const { return last_number_; }

  // Whether another queue's dead letters come here: it keeps what it has unless its settings say otherwise.
  [[nodiscard]] bool takes_dead_letters(const Queue& queue) const;
  // Where the queue's dead letters go; empty: nowhere.
  [[nodiscard]] std::string dead_letter_queue(const Queue& queue) const;
  // Whether a queue names this one in its own settings.
  [[nodiscard]] bool is_named(std::string_view queue) const { return named_.find(queue) != named_.end(); }
  // Whether dead letters of `queue` would come back to it if it named `target`.
  [[nodiscard]] bool makes_circle(std::string_view queue, std::string_view target) const;

  // The effective value of a setting.
  [[nodiscard]] uint64_t setting(const Queue& queue, QueueSetting setting, const Settings& settings) const;

  // The first stamp at which a reservation ends, and the first cluster time at which an event is due; kNever: none.
  [[nodiscard]] Millis next_hold() const { return holds_.empty() ? kNever : holds_.begin()->first; }
  [[nodiscard]] Millis next_due() const { return dues_.empty() ? kNever : dues_.begin()->first; }

  // --- for those who watch
  // Of all queues; the totals also of those that were deleted since this state was loaded.
  [[nodiscard]] const QueueFigures& sums() const { return sums_; }
  // The queues with the most events, at most `max`, the largest first. Where two hold less than twice what the other
  // does, either may be among them. Costs as much as it returns.
  [[nodiscard]] std::vector<const Queue*> largest(size_t max) const;

  // Frees one event of discarded queues and returns its size; nullopt when there is none.
  std::optional<size_t> free_one();

 private:
  friend class QueueOps;
  struct NameOrder {
    bool operator()(const Queue* a, const Queue* b) const { return *a->name < *b->name; }
  };
  struct ByDeadline {
    bool operator()(const std::pair<Millis, Queue*>& a, const std::pair<Millis, Queue*>& b) const {
      return a.first != b.first ? a.first < b.first : *a.second->name < *b.second->name;
    }
  };
  using Deadlines = std::set<std::pair<Millis, Queue*>, ByDeadline>;

  ByName queues_;
  Topics topics_;
  Deadlines holds_;  // each queue that has such deadlines, under the first of them
  Deadlines dues_;
  std::array<std::set<const Queue*, NameOrder>, 65> by_size_;  // by the number of bits of their size
  QueueFigures sums_;
  std::map<std::string, uint64_t, std::less<>> named_;  // as dead letter queues, by how many queues
  uint64_t event_count_ = 0;
  uint64_t binding_count_ = 0;
  uint64_t logical_bytes_ = 0;
  uint64_t digest_ = 0;        // the sum of all events' hashes
  uint64_t heads_digest_ = 0;  // of the queues without their events, and of the bindings
  uint64_t last_number_ = 0;
};

}  // namespace wh::machine
