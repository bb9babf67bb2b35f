// Checks the life of keys and leases by the contract alone (CONTRACT, The store), command by command, on the state that
// the committed log gives: what changed, or went, was asked for or fell due; indexes and versions follow; a lease lasts
// its ttl from the entry that granted it or kept it alive, however many leaders there were meanwhile, and its keys go
// with it; the history that watches read tells each change, and nothing else. Looks at keys whose names begin with one
// of kPrefixes: few stand there.
//
// It also measures by the simulation's own clock: a lease is over no sooner than its ttl after it was last kept alive,
// and time in which nobody led does not count.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "machine/machine.h"
#include "sim/situations.h"

namespace wh::sim {

class StoreAudit {
 public:
  static constexpr std::string_view kPrefixes = "ns";

  // What an entry has beside its command.
  struct Entry {
    raft::Term term;
    uint64_t led_us = 0;  // for how long somebody had led when a leader made the entry
    uint64_t drift_percent = 100;
    bool timed = true;  // clocks do not jump, and nobody lies about the time
  };
  // After each command, which changed the machine to what it is now; null: it had no effect. Empty, or what is wrong.
  std::string applied(const machine::Command* command, const machine::Reply& reply, const machine::Machine& machine,
                      const Entry& entry, Situations& seen);

 private:
  struct Item {
    std::string value;
    std::string content_type;
    uint64_t create_index = 0;
    uint64_t mod_index = 0;
    uint64_t version = 0;
    uint64_t lease = 0;
    Millis expires_at = 0;
    friend bool operator==(const Item&, const Item&) = default;
  };
  struct Lease {
    Millis ttl = 0;
    Millis deadline = 0;
    raft::Term kept_in;
    uint64_t kept_us = 0;  // Entry::led_us of the entry that granted it, or kept it alive last
    bool jumped = false;   // cluster time was brought forward while it was there
  };
  using Items = std::map<std::string, Item>;
  using Leases = std::map<uint64_t, Lease>;

  [[nodiscard]] static Items look(const machine::Machine& machine);
  // Whether the key's time, or its lease's, was over before the command.
  [[nodiscard]] bool was_over(const Item& item) const;
  void leases();
  void lease_changed(uint64_t id, const Lease& before, const machine::Lease& now);
  void lease_ended(uint64_t id, const Lease& lease);
  void items(const Items& now);
  void came(const std::string& key, const Item& now, const Item* before);
  void left(const std::string& key, const Item& before);
  void history(const Items& now);
  [[nodiscard]] const std::vector<machine::Op>* done() const;
  [[nodiscard]] bool writes(std::string_view key) const;
  [[nodiscard]] bool removes(std::string_view key, const Item& before) const;
  void transaction();
  void fail(const std::string& what);

  Items items_;  // before the entry
  Leases leases_;
  Leases leases_before_;
  uint64_t numbered_ = 0;  // changes in the history were looked at up to this number
  Millis jumped_ms_ = 0;
  Millis jumped_from_ = 0;  // cluster time before the last jump, and after it
  Millis jumped_to_ = 0;
  // In this entry:
  const machine::Command* command_ = nullptr;
  const machine::Reply* reply_ = nullptr;
  const machine::Machine* machine_ = nullptr;
  const Entry* entry_ = nullptr;
  Situations* seen_ = nullptr;
  std::string wrong_;
};

}  // namespace wh::sim
