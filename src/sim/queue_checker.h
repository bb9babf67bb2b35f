// The second opinion about queues: first in, first out, from when each call was made and answered and from the events
// alone; no index, no log, no search. In O(n log n), for events that are all different. What it finds:
//
//   1. an event that nobody put in, or that was seen before it was asked to be put in;
//   2. an event removed twice, or seen in front by who asked after its removal was answered;
//   3. order: a was in before b was asked to be put in, and yet b was seen in front, or removed, while a was certainly
//      there still, or a is never removed by anybody;
//   4. order as it was seen: a in front, then b, then a again (or its removal);
//   5. "empty" though at each moment of the call some event was certainly inside;
//   6. a conditional removal refused though just that event was certainly in front all the time;
//   7. an acknowledged event lost: more are gone (others behind them were seen, or "empty" was) than removals without
//   an
//      answer can have taken, each by when it had to.
//
// It is sound: what it reports is wrong in every order of the calls, whatever became of those that are open. Where all
// enqueues are answered and there are only enqueues, removals of an event and "empty", it is complete as well: these
// are the four violations of Henzinger, Sezgin and Vafeiadis ("Aspect-oriented linearizability proofs", 2013). With the
// rest it may miss something.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/history.h"
#include "sim/key_search.h"

namespace wh::sim {

struct QueueCall {
  enum class Kind : uint8_t {
    enqueue,     // kNeverReturned: it may have happened, at any time since, or never
    removed,     // this event
    front,       // was seen in front
    empty,       // nothing was there to be removed or seen
    not_front,   // this event, which is known by name, was not in front
    may_remove,  // no answer: what was in front may be gone, at any time since; with an event, only that one
  };
  uint64_t op = 0;
  Kind kind = Kind::enqueue;
  std::string_view event;
  uint64_t invoked = 0;
  uint64_t returned = kNeverReturned;
};

struct QueueOpinion {
  Opinion opinion = Opinion::good;
  std::string why;  // when bad; when undecided, as two enqueues bring one event
};

QueueOpinion check_queue(const std::vector<QueueCall>& calls);

// What a history holds about each queue. Event ids are taken as names, not as indices; `wrong` tells of a name that two
// events have. `certain` as in calls_by_key.
std::map<std::string_view, std::vector<QueueCall>> calls_by_queue(const std::vector<const Op*>& ops, bool certain,
                                                                  std::string& wrong);

}  // namespace wh::sim
