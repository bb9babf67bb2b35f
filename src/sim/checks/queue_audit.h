// Checks the life of events by the contract alone (CONTRACT, Queues), command by command, on the state that the
// committed log gives: what each command may have done to each event, and what must have had a reason. An event that
// left was acknowledged, removed, purged, expired, dropped by a limit or dead-lettered, and a dead letter arrived where
// it belongs with all that it had; one that came was put in, once; one holder at a time, and one of a group; nothing
// before its deadline by cluster time; order by priority and id. Knows nothing of indexes and timers, and of the
// machine's ways only what its queues show. Looks at queues whose names begin with kPrefix: few events stand in them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "machine/machine.h"
#include "sim/situations.h"

namespace wh::sim {

class QueueAudit {
 public:
  static constexpr char kPrefix = 'q';

  // After each command, which changed the machine to what it is now; null: it had no effect. Empty, or what is wrong.
  std::string applied(const machine::Command* command, const machine::Reply& reply, const machine::Machine& machine,
                      Situations& seen);

 private:
  struct Item {
    machine::EventState state = machine::EventState::ready;
    Millis due = 0;
    Millis expires_at = 0;
    Millis enqueued_at = 0;
    uint64_t delivery = 0;
    uint32_t deliveries = 0;
    uint8_t priority = 0;
    uint64_t bytes = 0;  // their hash, with the headers
    std::string group;
    std::string reason;
  };
  using Items = std::map<uint64_t, Item>;  // by id
  // Where a change of one event is judged.
  struct Place {
    const std::string& queue;
    uint64_t id;
  };

  static const Items& items_of(const std::map<std::string, Items>& queues, std::string_view queue);
  void look(const machine::Machine& machine);
  void look_at(const machine::Queue& queue, Items& items) const;
  bool was_removed(const Place& at, const Item& item, bool over);
  [[nodiscard]] bool was_removed_by_id(const Place& at) const;
  void left(const Place& at, const Item& item);
  void died(const Place& at, const Item& item, bool buried, bool worn);
  void came(const Place& at, const Item& item);
  void stayed(const Place& at, const Item& before, const Item& now);
  void delivered(const Place& at, const Item& before, const Item& now);
  void given_back(const Place& at, const Item& before, const Item& now);
  void receive();
  void removal();
  void groups(const std::string& queue, const Items& items);
  // The verb that this command successfully said of this delivery; valid until the next call.
  [[nodiscard]] const machine::Settle* settled(const Place& at, const Item& before) const;
  // The operations that this command did, if it is a transaction.
  [[nodiscard]] const std::vector<machine::Op>* done() const;
  [[nodiscard]] bool adds_to(const std::string& queue) const;
  [[nodiscard]] bool dead_letter_of(const Place& at, const Item& item, std::string* into) const;
  [[nodiscard]] uint64_t setting(const std::string& queue, machine::QueueSetting setting) const;
  [[nodiscard]] bool has_end(const std::string& queue) const;
  [[nodiscard]] uint64_t limit_of(const std::string& queue, const Item& item) const;
  void check_new(const Place& at, const Item& item, const machine::NewEvent& event);
  void fail(const Place& at, const std::string& what);

  std::map<std::string, Items> now_;
  std::map<std::string, Items> before_;  // of the queues that changed in this entry
  std::map<std::string, raft::Index> looked_at_;
  // In this entry:
  const machine::Command* command_ = nullptr;
  const machine::Reply* reply_ = nullptr;
  const machine::Machine* machine_ = nullptr;
  Situations* seen_ = nullptr;
  mutable machine::Settle settled_;  // by an operation of a transaction
  std::string wrong_;
};

}  // namespace wh::sim
