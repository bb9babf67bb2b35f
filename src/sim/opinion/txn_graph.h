// The second opinion about transactions: whether a history of transactions over several keys is strictly serializable,
// judged only by what clients saw: the values and numbers in their answers, and the times of calls and answers; no log,
// and no model of what a command does. After Elle (Kingsbury and Alvaro, 2020): a key's versions have an order that
// answers give away (mod_index grows with each), so it is known which transaction wrote what another read (wr), which
// wrote the next version (ww), and which read what another then wrote over (rw). With the order of time (one was
// answered before another was asked) these make a graph: a cycle is something that no order of whole transactions
// explains. It finds
//
//   1. a value that nobody wrote, one of a transaction that was refused, or a value that was written over within its
//   own
//      transaction;
//   2. one version with two values, and one transaction that took effect twice;
//   3. lost updates, read skew, write skew, half a transaction seen, and reads of what is old, each as a cycle;
//   4. one event acknowledged by two transactions.
//
// It is sound: unanswered transactions take part only as far as others saw what they wrote.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wh::sim {

// What one client saw of one transaction.
struct TxnCall {
  enum class Outcome : uint8_t {
    done,
    refused,  // it certainly had no effect
    unknown,
  };
  // What it read of the state before it.
  struct Read {
    std::string key;
    uint64_t mod_index = 0;            // of what was there; 0: the key was not
    std::optional<std::string> value;  // nothing: it was not told
  };
  struct Write {
    std::string key;
    std::string value;
    uint8_t branch = 0;    // an unanswered one did all writes of one branch, or none
    bool last = true;      // no later operation of the branch writes the key
    bool built = false;    // on the value before, so that it does not say who wrote it
    bool removes = false;  // the key
    bool sure = true;      // it surely did, if the branch was done
    bool ends = false;     // by itself: it has a ttl, or a lease
  };
  uint64_t op = 0;  // for the report
  Outcome outcome = Outcome::unknown;
  uint64_t mod_index = 0;  // done: of all that it wrote
  std::vector<Read> reads{};
  std::vector<Write> writes{};                                   // unknown: that it would have done, of each branch
  std::vector<std::pair<std::string, uint64_t>> acknowledged{};  // queue and id
  uint64_t invoked = 0;
  uint64_t returned = UINT64_MAX;  // UINT64_MAX: nobody knows
};

// Empty when nothing is wrong. Values of writes are different, but for those that were built on the value before.
std::string check_transactions(const std::vector<TxnCall>& calls);

}  // namespace wh::sim
