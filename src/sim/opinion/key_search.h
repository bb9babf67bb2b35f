// The second opinion about keys: whether a history of one key is linearizable, judged only by the times of calls and
// answers and by the values written and read: no index, no log. A search for an order that explains every answer (Wing
// and Gong 1993) in the form that Lowe calls just-in-time ("Testing for linearizability", 2016): it goes through calls
// and returns in the order of time, visits each state once, and lets a call take effect only when the next return
// demands it. Finds every violation of a single key; says "undecided" when its steps run out.
//
// Linearizability is local (Herlihy and Wing): a history is linearizable when each key's history is, if each operation
// has one key. An operation on several keys counts as one operation per key, with the same interval: each of them must
// have its place, so no good history fails; that the place is the same for all is checked by index (history.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/opinion/history.h"

namespace wh::sim {

inline constexpr uint64_t kNeverReturned = UINT64_MAX;

struct KeyCall {
  enum class Kind : uint8_t {
    write,  // of a value, or of its absence: a deletion that did not tell what it found
    read,
    take,  // a deletion that found a value
  };
  uint64_t op = 0;  // for the report
  Kind kind = Kind::read;
  std::optional<std::string_view> value;  // nothing: the key is absent
  uint64_t invoked = 0;
  // Calls at the same time are concurrent. kNeverReturned: may take effect at any time after the invocation, or never.
  uint64_t returned = kNeverReturned;
};

enum class Opinion : uint8_t { good, bad, undecided };

struct KeyOpinion {
  Opinion opinion = Opinion::good;
  std::string why;     // when bad
  uint64_t steps = 0;  // the steps of the search
};

// The values' bytes must outlive the call.
KeyOpinion search_key(const std::vector<KeyCall>& calls, uint64_t max_steps);

// What a history says about each key. `certain`: refused operations certainly had no effect, as the network makes no
// copies. Reads of a node's own state are left out.
std::map<std::string_view, std::vector<KeyCall>> calls_by_key(const std::vector<const Op*>& ops, bool certain);

// A read of a node's own state may be old, but shows a value that was written to that key, by an operation that began
// before the read's answer. Returns what is wrong, or an empty string.
std::string check_stale_values(const std::vector<const Op*>& ops, bool certain);

}  // namespace wh::sim
