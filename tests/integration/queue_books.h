// What producers and consumers of queues were told, and whether it all fits together: each acknowledged event was
// processed, each further delivery has a reason, dead letters are those that were planted, groups kept their order.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace wh::testing {

// How long the consumers of these tests hold an event unless they extend it.
inline constexpr int64_t kHoldMs = 2'000;

struct ProducerBook {
  std::map<std::string, uint64_t> ids;  // by body, of the acknowledged ones
  size_t attempts = 0;
  size_t lost_answers = 0;  // none came, or 504
  size_t refusals = 0;      // 503, or no connection
  size_t replays = 0;       // answers that said so
  std::vector<std::string> surprises;
};

// One delivery of one event, as its consumer saw it.
struct Delivery {
  enum class End : uint8_t {
    held,          // nothing was said of it
    acknowledged,  // and answered so
    late,          // the acknowledgement was refused: its time was over, and somebody else had it
    released,
    buried,
  };
  uint64_t id = 0;
  uint64_t index = 0;   // of the log entry that delivered it
  uint64_t number = 0;  // deliveries
  std::string body;
  std::string group;
  std::string receipt;
  int64_t visible_at = 0;  // cluster time, the last that its consumer was told
  int64_t since = 0;       // cluster time
  End end = End::held;
  bool sure = true;         // no answer about `end` was lost
  uint64_t ended_upto = 0;  // index of the answer about `end`
};

struct ConsumerBook {
  std::string queue;
  std::vector<Delivery> deliveries;
  size_t receives = 0;
  size_t empty = 0;
  size_t refusals = 0;
  size_t may_have_lost = 0;  // events that unanswered receives without a key may have reserved
  size_t repeated = 0;       // receives with a key, asked again
  std::vector<std::string> surprises;
};

// What the books say of one queue.
struct QueueAccount {
  std::string queue;
  std::map<std::string, uint64_t> enqueued;  // by body
  std::map<std::string, uint64_t> dead;      // by body: deliveries
  std::map<std::string, std::string> reasons;
  std::vector<const Delivery*> deliveries;
  size_t may_have_lost = 0;

  // By check():
  size_t released = 0;  // further deliveries, by reason
  size_t held_too_long = 0;
  size_t forgotten = 0;
  size_t unheard = 0;  // its acknowledgement came too late, or not at all
  size_t lost_answer = 0;
  uint64_t redelivered = 0;  // what the queue's own count must be

  std::vector<std::string> failures;

  // `groups`: all events have one.
  void check(bool groups);
  [[nodiscard]] std::string text() const;

 private:
  void check_event(const std::string& body, uint64_t id, const std::vector<const Delivery*>& seen);
  void explain(const Delivery& before, const Delivery& next);
  void check_groups();
  void expect(bool holds, const std::string& otherwise, const std::string& event);
};

bool is_dead(std::string_view body);
// The values of all members of that name, in order.
std::vector<std::string> json_fields(std::string text, const std::string& name);
// Milliseconds of "2027-01-31T09:00:00.000Z".
int64_t parse_time(const std::string& text);

}  // namespace wh::testing
