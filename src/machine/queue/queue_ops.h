// Changes the queues: everything that can happen to an event, at the stamp of one entry. One function alone takes an
// event from one state to another, with its indexes, counts, timers, group and digest, and tells the observer first
// (HAZARDS-QUEUE-STORE, rule 2). What falls due at the stamp happens before a command looks at the event, however far
// the sweeping is (rule 5). Made by Machine for one entry; keeps nothing beyond it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/cluster_version.h"
#include "base/result.h"
#include "machine/command/reply.h"
#include "machine/queue/queues.h"
#include "machine/settings.h"
#include "raft/types.h"

namespace wh::machine {

// How much one command does at most besides what it asks for: events that fall due, or that are dropped.
inline constexpr size_t kDueEventsPerEntry = 1'000;

// Is told before the change, as the walks of running snapshots must be.
class QueueObserver {
 public:
  virtual ~QueueObserver() = default;
  virtual void before_head_change(const Queue& queue) = 0;
  virtual void before_event_change(const Queue& queue, const Event& event) = 0;
  // All events left at once; `content` does not change any more. `removed`: the queue too.
  virtual void before_detach(const Queue& queue, const std::shared_ptr<QueueContent>& content) = 0;
  virtual void before_unbind(std::string_view topic, std::string_view queue, const Binding& binding) = 0;
  // Something in it may be delivered, as of the end of the entry. The name is valid until the next entry.
  virtual void became_ready(std::string_view queue) = 0;
  // Something arrived in it, ready or not, that is still there. The name is valid until the next entry.
  virtual void arrived(std::string_view queue) = 0;
};

// For a state that nothing watches yet.
class UnwatchedQueues : public QueueObserver {
 public:
  void before_head_change(const Queue& /*queue*/) override {}
  void before_event_change(const Queue& /*queue*/, const Event& /*event*/) override {}
  void before_detach(const Queue& /*queue*/, const std::shared_ptr<QueueContent>& /*content*/) override {}
  void before_unbind(std::string_view /*topic*/, std::string_view /*queue*/, const Binding& /*binding*/) override {}
  void became_ready(std::string_view /*queue*/) override {}
  void arrived(std::string_view /*queue*/) override {}
};

// When and under which rules an entry is applied.
struct QueueMoment {
  raft::Index index;
  Millis stamp = 0;
  Millis jumped = 0;  // cluster time is the sum
  ClusterVersion version = kFirstVersion;
  const Settings& settings;
  [[nodiscard]] Millis now() const { return stamp + jumped; }
  [[nodiscard]] bool has_life() const { return version >= 3; }  // states, settings and all else of version 3
  [[nodiscard]] bool loading() const { return index == raft::Index{}; }
};

class QueueOps {
 public:
  QueueOps(Queues& queues, const QueueMoment& moment, QueueObserver& observer)
      : queues_(queues), at_(moment), observer_(observer) {}
  ~QueueOps() { finish(); }
  QueueOps(const QueueOps&) = delete;
  QueueOps& operator=(const QueueOps&) = delete;

  [[nodiscard]] Queue* find(std::string_view queue);
  // Makes it if there is none.
  Queue& ensure(std::string_view queue);
  // An error where one more queue is one too many.
  // `others`: as many new ones come before it.
  [[nodiscard]] Status check_new(std::string_view queue, size_t others = 0) const;

  // The event's life.
  struct NewCopy {
    Bytes bytes;
    Bytes headers;
    std::optional<Millis> delay;
    std::optional<Millis> deliver_at;
    Millis ttl = 0;
    uint8_t priority = kDefaultPriority;
    std::string_view group;
  };
  // Null if there is none; else what has fallen due there counts, as far as the budget goes.
  Queue* find_swept(std::string_view queue);
  Queue* find_swept(std::string_view queue, size_t& budget);
  // Whether the queue takes `count` more events of `bytes`; the error says which limit refuses them and how to raise
  // it.
  struct Sum {
    uint64_t count = 0;
    uint64_t bytes = 0;
  };
  // `leaving`: held events that leave the queue before.
  [[nodiscard]] Result<Nothing, Reply> check_room(const Queue* queue, std::string_view name, uint64_t count,
                                                  uint64_t bytes, Sum leaving) const;
  [[nodiscard]] Result<Nothing, Reply> check_room(const Queue* queue, std::string_view name, uint64_t count,
                                                  uint64_t bytes) const {
    return check_room(queue, name, count, bytes, {});
  }
  // Drops the oldest events until the limits hold, if the queue's overflow says so. Call it after adding.
  void drop_overflow(Queue& queue, size_t added);
  // Returns its id.
  uint64_t add(Queue& queue, NewCopy copy);
  // The front event; expired ones before it are removed, each for one of the budget. Null: there is none, or the budget
  // is spent.
  Event* front_alive(Queue& queue, size_t& budget);
  // Removes the front event.
  struct Popped {
    uint64_t id = 0;
    Bytes bytes;
    Bytes headers;
  };
  std::optional<Popped> pop(Queue& queue, size_t& budget);
  // Up to `count` from the front, and fewer where the answer would become too large.
  std::vector<Popped> pop_many(Queue& queue, uint32_t count);
  // Reserves up to `max` events, and fewer where the answer would become too large.
  std::vector<Delivery> receive(Queue& queue, uint32_t max, std::optional<Millis> visibility);
  // The event that the receipt still holds; null: it holds none.
  const Event* held_by(Queue& queue, const Receipt& receipt);
  SettleOutcome settle(Queue& queue, const Settle& settle, const Receipt& receipt);
  // Removes the event, whatever it waits for, unless a consumer holds it. As with a purge, no total counts it.
  SettleOutcome remove_event(Queue& queue, uint64_t id);
  uint64_t redrive(Queue& from, Queue& to, uint32_t max);
  // Whether a dead event of this queue goes somewhere, or its settings say that it is dropped.
  [[nodiscard]] bool has_end(const Queue& queue) const;

  // What falls due by now in this queue, or in any; `budget` goes down by one for each. True: all of it.
  bool sweep(Queue& queue, size_t& budget);
  bool sweep_all(size_t& budget);

  // Queues and topics.
  // The dead letter queue among them must make no circle.
  void configure(Queue& queue, const std::vector<QueueSettingChange>& changes);
  void pause(Queue& queue, std::optional<bool> in, std::optional<bool> out);
  // Both return the events that are gone, to be freed a few at a time.
  std::shared_ptr<QueueContent> purge(Queue& queue);
  std::shared_ptr<QueueContent> remove(Queue& queue);
  void bind(std::string_view topic, std::string_view queue, Filter filter);
  bool unbind(std::string_view topic, std::string_view queue);

  // Brings the digests and deadlines of what was changed up to date. Called by the destructor too.
  void finish();

  // For a snapshot or a backup: the next item as it was. False: no machine can have written it.
  bool load_queue(std::string_view name, const OwnQueueSettings& own, bool paused_in, bool paused_out,
                  const QueueTotals& totals);
  // `holds_group`: it was delivered and holds its group.
  bool load_event(std::string_view name, Event event, std::string_view group, bool holds_group);
  bool load_binding(std::string_view topic, std::string_view queue, Filter filter);
  void load_last_number(uint64_t number) { queues_.last_number_ = number; }

  // Delivered, as an answer shows it.
  [[nodiscard]] static Delivery delivery_of(const Event& event, Millis jumped);

 private:
  [[nodiscard]] uint64_t setting(const Queue& queue, QueueSetting setting) const {
    return queues_.setting(queue, setting, at_.settings);
  }
  [[nodiscard]] static Reply over_limit(std::string_view queue, QueueSetting which, uint64_t have, uint64_t more,
                                        uint64_t limit);
  uint64_t next_number();
  void touch(Queue& queue);
  Event& insert(Queue& queue, Event event, std::string_view group);
  Event take_out(Queue& queue, Event& event);
  // The one place where an event in a queue changes: while this lives, the event is in no index and may be changed.
  class Changing {
   public:
    Changing(QueueOps& ops, Queue& queue, Event& event);
    ~Changing();
    Changing(const Changing&) = delete;
    Changing& operator=(const Changing&) = delete;
    Event* operator->() { return &event_; }

   private:
    QueueOps& ops_;
    Queue& queue_;
    Event& event_;
    uint64_t digest_before_ = 0;
  };
  void enter(Queue& queue, Event& event);
  void leave(Queue& queue, Event& event);
  void place(Queue& queue, Group& group);
  void list_ready(Queue& queue, Event& event);
  [[nodiscard]] static uint64_t logical_bytes_of(const Event& event);
  [[nodiscard]] static uint64_t digest_of(const Event& event);
  [[nodiscard]] static uint64_t hash_of(std::string_view queue, uint64_t id, std::string_view bytes);
  [[nodiscard]] static uint64_t head_digest_of(const Queue& queue);

  // Brings the event up to the stamp; null: it left the queue.
  Event* catch_up(Queue& queue, uint64_t id);
  void time_out(Queue& queue, Event& event);
  // Ready again, after `delay` counted from `from`, or dead.
  void give_back(Queue& queue, Event& event, Millis from, std::optional<Millis> delay);
  void fall_due(Queue& queue, Event& event);
  void expire(Queue& queue, Event& event);
  void die(Queue& queue, Event& event, std::string reason);
  [[nodiscard]] uint64_t delivery_limit(const Queue& queue, const Event& event) const;
  [[nodiscard]] static Event* oldest_unreserved(QueueContent& content);
  [[nodiscard]] Millis backoff_after(const Queue& queue, uint32_t deliveries) const;
  void relist(Queue& queue);
  void recount(Queue& queue);
  void erase(Queue& queue);
  void note_dead_letter_queue(const std::optional<std::string>& before, const std::optional<std::string>& after);

  Queues& queues_;
  const QueueMoment at_;
  QueueObserver& observer_;
  std::vector<Queue*> touched_;
};

}  // namespace wh::machine
