#include "machine/store/store_ops.h"

#include <set>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"

namespace wh::machine {

const Item* StoreOps::look(std::string_view key) {
  if (!last_ || (*last_)->first != key) {
    const auto at = store_.place_of(key);
    last_ = at == store_.items().end() ? std::nullopt : std::optional(at);
  }
  return last_ ? &(*last_)->second : nullptr;
}

std::optional<Item> StoreOps::exchange(std::string_view key, std::optional<Item> item) {
  if (!last_ || (*last_)->first != key) return store_.exchange(key, std::move(item));
  const Store::Items::const_iterator place = *last_;
  if (!item) last_.reset();
  return store_.exchange_at(place, std::move(item));
}

const Item* StoreOps::find(std::string_view key) {
  const Item* item = look(key);
  if (item == nullptr || !store_.is_over(*item, at_.stamp, at_.now) || WH_MUTANT(expired_key_counts)) return item;
  expire(key);
  return nullptr;
}

void StoreOps::put(std::string_view key, Bytes value, std::string_view content_type, uint64_t lease,
                   Millis expires_at) {
  const Item* old = find(key);
  if (old != nullptr && lease == 0 && WH_MUTANT(key_keeps_its_lease)) lease = old->lease();
  Item item;
  item.value = std::move(value);
  item.mod_index = at_.index;
  if (at_.has_indexes()) {
    item.create_index = old == nullptr || WH_MUTANT(create_index_of_the_last_change)
                            ? at_.index
                            : raft::Index{store_.create_index(*old)};
    item.version = old == nullptr ? 1 : store_.version(*old) + 1;
    if (!content_type.empty() || lease != 0 || expires_at != 0)
      item.extra = std::make_unique<ItemExtra>(
          ItemExtra{.content_type = std::string(content_type), .lease = lease, .expires_at = expires_at});
  }
  change(key, std::move(item), ChangeType::put);
}

void StoreOps::touch(std::string_view key, Millis expires_at) {
  const Item& old = *look(key);
  Item item;
  item.value = old.value;
  item.hash = old.hash;
  item.create_index = raft::Index{store_.create_index(old)};
  item.mod_index = at_.index;
  item.version = store_.version(old) + 1;
  if (!old.content_type().empty() || old.lease() != 0 || expires_at != 0)
    item.extra = std::make_unique<ItemExtra>(
        ItemExtra{.content_type = std::string(old.content_type()), .lease = old.lease(), .expires_at = expires_at});
  change(key, std::move(item), ChangeType::put);
}

bool StoreOps::erase(std::string_view key) {
  if (find(key) == nullptr) return false;
  change(key, std::nullopt, ChangeType::erase);
  return true;
}

void StoreOps::change(std::string_view key, std::optional<Item> item, ChangeType type) {
  Change told{.index = at_.index, .type = type, .key = std::string(key)};
  if (item) {
    told.value = item->value;
    told.content_type = item->content_type();
    told.create_index = item->create_index.value;
    told.version = item->version;
    told.lease = item->lease();
    told.expires_at = item->expires_at();
  }
  effects_.made_bytes += told.key.size() + told.value.size() + Store::kOverhead;
  // The name may be a view into what goes.
  std::optional<Item> old = exchange(told.key, std::move(item));
  told.had_prev = old.has_value();
  if (old) told.prev = old->value;
  if (tentative_) {
    before_.push_back({told.key, std::move(old)});
    changes_.push_back(std::move(told));
    return;
  }
  if (old) observer_.item_changed(told.key, *old);
  tell(std::move(told));
}

void StoreOps::tell(Change change) {
  if (change.type == ChangeType::expire && WH_MUTANT(expiry_untold)) return;
  history_.add(std::move(change));
  effects_.changed_keys.push_back(history_.at(history_.end_number() - 1).key);
}

// In the reverse order, so that each key ends as it began.
void StoreOps::undo() {
  for (; !before_.empty(); before_.pop_back()) {
    Before& one = before_.back();
    exchange(one.key, std::move(one.item));
  }
  if (!WH_MUTANT(undone_is_told)) changes_.clear();
  tentative_ = false;
}

void StoreOps::keep() {
  std::set<std::string_view> seen;
  for (const Before& one : before_)
    if (seen.insert(one.key).second && one.item) observer_.item_changed(one.key, *one.item);
  before_.clear();
  for (Change& one : std::exchange(changes_, {})) tell(std::move(one));
  tentative_ = false;
}

// --- leases

const Lease* StoreOps::find_lease(uint64_t id) {
  const Lease* lease = store_.find_lease(id);
  const bool over = lease != nullptr && lease->deadline <= lease_time() && !WH_MUTANT(dead_lease_kept_alive);
  return over ? nullptr : lease;
}

// No jump counts.
Millis StoreOps::lease_time() const { return WH_MUTANT(jumps_end_leases) ? at_.now : at_.stamp; }

uint64_t StoreOps::grant(Millis ttl) {
  const uint64_t id = WH_MUTANT(lease_ids_come_again) ? store_.leases().size() + 1 : at_.index.value;
  store_.set_lease(id, ttl, at_.stamp + ttl, at_.index);
  return id;
}

void StoreOps::keep_alive(uint64_t id) {
  const Lease& lease = *store_.find_lease(id);
  observer_.before_lease_change(id, lease);
  const Millis from = WH_MUTANT(keeping_alive_adds_up) ? lease.deadline : at_.stamp;
  store_.set_lease(id, lease.ttl, from + lease.ttl, at_.index);
}

void StoreOps::revoke(uint64_t id) {
  const Lease& lease = *store_.find_lease(id);
  // One whose own time is over goes as such.
  while (!lease.keys.empty())
    if (const std::string_view key = *lease.keys.begin(); find(key) != nullptr)
      change(key, std::nullopt, ChangeType::erase);
  observer_.before_lease_change(id, lease);
  store_.set_lease(id, 0, 0, at_.index);
}

void StoreOps::sweep(size_t& budget) {
  while (budget > 0 && !store_.dues().empty() && store_.dues().begin()->first <= at_.now) {
    --budget;
    expire(store_.dues().begin()->second);
  }
  sweep_leases(budget);
}

void StoreOps::sweep_leases(size_t& budget) {
  while (budget > 0 && !store_.lease_dues().empty() && store_.lease_dues().begin()->first <= lease_time()) {
    --budget;
    const uint64_t id = store_.lease_dues().begin()->second;
    const Lease& lease = *store_.find_lease(id);
    if (!lease.keys.empty()) {
      expire(*lease.keys.begin());
      continue;
    }
    observer_.before_lease_change(id, lease);
    store_.set_lease(id, 0, 0, at_.index);
  }
}

}  // namespace wh::machine
