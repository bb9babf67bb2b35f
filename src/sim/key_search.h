// The second opinion about keys: whether a history of one key is linearizable, from when each call was made and
// answered and from what was written and read, and nothing else: no index, no log. A search for an order that explains
// every answer (Wing and Gong 1993) in the form that Lowe calls just-in-time ("Testing for linearizability", 2016): the
// calls and returns in the order of time; states that were met before are not met again; nothing takes effect earlier
// than the next return demands. Finds every violation of a single key; says "undecided" when its steps run out.
//
// Linearizability is local (Herlihy and Wing): a history is linearizable when that of each key is, as long as each
// operation has one key. One of several keys is looked at as one of each key, with the same interval: what is promised
// implies that each of them has its place, so no good history fails; that it is one place for all, the check by index
// sees (history.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/history.h"

namespace wh::sim {

inline constexpr uint64_t kNeverReturned = UINT64_MAX;

struct KeyCall {
  enum class Kind : uint8_t {
    write,  // of a value, or of its absence: a deletion that told nothing of what it found
    read,
    take,  // a deletion that found a value
  };
  uint64_t op = 0;  // for the report
  Kind kind = Kind::read;
  std::optional<std::string_view> value;  // nothing: the key is not there
  uint64_t invoked = 0;
  // Calls of the same time are concurrent. kNeverReturned: may take effect at any time after the invocation, or never.
  uint64_t returned = kNeverReturned;
};

enum class Opinion : uint8_t { good, bad, undecided };

struct KeyOpinion {
  Opinion opinion = Opinion::good;
  std::string why;     // when bad
  uint64_t steps = 0;  // what the search cost
};

// The values' bytes must outlive the call.
KeyOpinion search_key(const std::vector<KeyCall>& calls, uint64_t max_steps);

// What a history holds about each key. `certain`: what was refused certainly had no effect, as long as the network
// makes no copies. Reads of a node's own state are no part of it.
std::map<std::string_view, std::vector<KeyCall>> calls_by_key(const std::vector<const Op*>& ops, bool certain);

// A read of a node's own state may be old, but shows what somebody wrote to that key, before the read was answered.
// Empty, or what is wrong.
std::string check_stale_values(const std::vector<const Op*>& ops, bool certain);

}  // namespace wh::sim
