// The second opinion about queues: checks first in, first out, by the times of calls and answers and by the events
// alone; no index, no log, no search. In O(n log n), for events that are all different. It finds:
//
//   1. an event that nobody put in, or that was seen before its enqueue was invoked;
//   2. an event removed twice, or seen in front by a call invoked after its removal was answered;
//   3. order: a was in before b's enqueue was invoked, yet b was seen in front, or removed, while a was certainly still
//      there, or a is never removed;
//   4. the order seen: a in front, then b, then a again (or its removal);
//   5. "empty" though some event was certainly inside at each moment of the call;
//   6. a conditional removal refused though exactly that event was certainly in front all the time;
//   7. an acknowledged event lost: more are gone (later events, or "empty", were seen) than unanswered removals can
//      have taken, each by its deadline.
//
// It is sound: what it reports is wrong in every order of the calls, whatever the unanswered ones did. It is also
// complete when all enqueues are answered and there are only enqueues, removals of an event and "empty": these are the
// four violations of Henzinger, Sezgin and Vafeiadis ("Aspect-oriented linearizability proofs", 2013). With other calls
// it may miss violations.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/opinion/history.h"
#include "sim/opinion/key_search.h"

namespace wh::sim {

struct QueueCall {
  enum class Kind : uint8_t {
    enqueue,     // kNeverReturned: it may take effect at any later time, or never
    removed,     // removed this event
    front,       // saw this event in front
    empty,       // found nothing to remove or see
    not_front,   // this event, known by its id, was not in front
    may_remove,  // no answer: it may have removed the front event at any later time; with an event, only that one
  };
  uint64_t op = 0;
  Kind kind = Kind::enqueue;
  std::string_view event;
  uint64_t invoked = 0;
  uint64_t returned = kNeverReturned;
};

struct QueueOpinion {
  Opinion opinion = Opinion::good;
  std::string why;  // when bad; when undecided: two enqueues have the same event
};

QueueOpinion check_queue(const std::vector<QueueCall>& calls);

// What a history says about each queue. Event ids serve as names, not as indices; `wrong` reports a name that two
// events have. `certain` as in calls_by_key.
std::map<std::string_view, std::vector<QueueCall>> calls_by_queue(const std::vector<const Op*>& ops, bool certain,
                                                                  std::string& wrong);

}  // namespace wh::sim
