// Changes the store at the stamp of one entry. What is over at the stamp is removed before a command looks at it,
// however far the sweeping is (HAZARDS-QUEUE-STORE, rule 5). Tells running snapshots what was there, and the history
// what changed. A transaction's changes can be undone until finish(). Made by Machine for one entry; keeps nothing
// beyond it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/cluster_version.h"
#include "machine/effects.h"
#include "machine/store/history.h"
#include "machine/store/store.h"
#include "raft/types.h"

namespace wh::machine {

// How many items and leases that are over one entry removes besides what it asks for.
inline constexpr size_t kDueKeysPerEntry = 1'000;

// Is told what was there before a change, as the walks of running snapshots must be.
class StoreObserver {
 public:
  virtual ~StoreObserver() = default;
  virtual void item_changed(std::string_view key, const Item& old) = 0;
  virtual void before_lease_change(uint64_t id, const Lease& lease) = 0;
};

struct StoreMoment {
  raft::Index index;
  Millis stamp = 0;
  Millis now = 0;  // cluster time
  ClusterVersion version = kFirstVersion;
  [[nodiscard]] bool has_indexes() const { return version >= 4; }
};

class StoreOps {
 public:
  StoreOps(Store& store, const StoreMoment& moment, StoreObserver& observer, History& history, Effects& effects)
      : store_(store), at_(moment), observer_(observer), history_(history), effects_(effects) {}
  ~StoreOps() { finish(); }
  StoreOps(const StoreOps&) = delete;
  StoreOps& operator=(const StoreOps&) = delete;

  // Null: there is none, or none any more. Valid until the next change.
  const Item* find(std::string_view key);
  // What it sets; the rest is as of a fresh item.
  void put(std::string_view key, Bytes value, std::string_view content_type = {}, uint64_t lease = 0,
           Millis expires_at = 0);
  // False: there was none.
  bool erase(std::string_view key);
  // Of a key that is there: only when it expires.
  void touch(std::string_view key, Millis expires_at);

  // Null: there is none, or it is over.
  const Lease* find_lease(uint64_t id);
  // Returns its id.
  uint64_t grant(Millis ttl);
  void keep_alive(uint64_t id);
  // Removes it with its keys.
  void revoke(uint64_t id);

  // What is over by now; `budget` goes down by one for each item or lease.
  void sweep(size_t& budget);
  // Of this the leases, each after its keys.
  void sweep_leases(size_t& budget);

  // From here on the changes of keys can be undone, by undo(), until keep().
  void begin() { tentative_ = true; }
  void undo();
  void keep();

 private:
  void finish() { keep(); }
  // As Store's; but a key that was looked at last is not looked for again.
  const Item* look(std::string_view key);
  std::optional<Item> exchange(std::string_view key, std::optional<Item> item);
  // By what leases end.
  [[nodiscard]] Millis lease_time() const;
  void change(std::string_view key, std::optional<Item> item, ChangeType type);
  void tell(Change change);
  void expire(std::string_view key) { change(key, std::nullopt, ChangeType::expire); }

  struct Before {
    std::string key;
    std::optional<Item> item;
  };
  Store& store_;
  const StoreMoment at_;
  StoreObserver& observer_;
  History& history_;
  Effects& effects_;
  std::optional<Store::Items::const_iterator> last_;  // where the key is that was looked at last, if it is there
  bool tentative_ = false;
  std::vector<Before> before_;   // what was there before each tentative change, in their order
  std::vector<Change> changes_;  // tentative
};

}  // namespace wh::machine
