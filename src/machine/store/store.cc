#include "machine/store/store.h"

#include <algorithm>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mutant.h"

namespace wh::machine {
namespace {

constexpr uint64_t kKeySeed = 0x6b65797376616c73;    // "keysvals"
constexpr uint64_t kLeaseSeed = 0x6c65617365732e2e;  // "leases.."

uint64_t digest_of_lease(uint64_t id, const Lease& lease) {
  return mix64(mix64(mix64(kLeaseSeed, id), lease.ttl), lease.deadline);
}

}  // namespace

// --- items

std::optional<Item> Store::exchange(std::string_view key, std::optional<Item> item) {
  if (const auto at = place_of(key); at != items_.end()) return exchange_at(at, std::move(item));
  if (item) {
    const auto made = items_.emplace_hint(items_.lower_bound(key), std::string(key), *std::move(item));
    index_.add(made);
    count_in(made->first, made->second);
  }
  return std::nullopt;
}

std::optional<Item> Store::exchange_at(Items::const_iterator place, std::optional<Item> item) {
  const auto at = items_.erase(place, place);  // erases nothing: the same place, to be changed
  count_out(at->first, at->second);
  std::optional<Item> old(std::move(at->second));
  if (item) {
    at->second = *std::move(item);
    count_in(at->first, at->second);
  } else {
    index_.remove(at, items_.end());
    items_.erase(at);
  }
  return old;
}

bool Store::load(std::string_view key, Item item) {
  const size_t before = items_.size();
  if (item.lease() != 0 && leases_.try_emplace(item.lease()).second) ++leases_missing_;
  // Keys that were overwritten while the snapshot was written stand in it before their time, so the place after the last
  // key is not always the end. Without this, one such key made the load of 10^7 a third slower.
  const auto next = last_loaded_ ? std::next(*last_loaded_) : items_.end();
  const auto at = items_.emplace_hint(next, std::string(key), std::move(item));
  if (items_.size() == before) return false;
  last_loaded_ = at;
  index_.leave_out();
  count_in(at->first, at->second);
  return true;
}

const Item* Store::find(std::string_view key) const {
  const auto at = place_of(key);
  return at == items_.end() ? nullptr : &at->second;
}

Store::Items::const_iterator Store::place_of(std::string_view key) const {
  if (const auto at = index_.find(key)) return *at;
  return index_.complete() ? items_.end() : items_.find(key);
}

bool Store::is_over(const Item& item, Millis stamp, Millis now) const {
  if (!item.extra) return false;
  if (item.extra->expires_at != 0 && item.extra->expires_at <= now) return true;
  return item.extra->lease != 0 && !WH_MUTANT(keys_outlive_their_lease) &&
         leases_.at(item.extra->lease).deadline <= stamp;
}

uint64_t Store::digest_of(const Item& item) const {
  if (is_old(item)) return item.hash;
  const uint64_t numbers =
      mix64(mix64(mix64(item.hash, create_index(item)), item.mod_index.value), mix64(item.version, item.lease()));
  return mix64(hash64(item.content_type(), numbers), item.expires_at());
}

uint64_t Store::logical_bytes_of(std::string_view key, const Item& item) {
  const uint64_t bytes = key.size() + item.value.size() + kOverhead;
  if (!item.extra) return bytes;
  return bytes + kExtraOverhead + item.extra->content_type.size() + (item.extra->lease != 0 ? kIndexOverhead : 0) +
         (item.extra->expires_at != 0 ? kIndexOverhead : 0);
}

void Store::count_in(std::string_view key, Item& item) {
  if (item.hash == 0) item.hash = hash64(item.value.view(), hash64(key, kKeySeed));
  logical_bytes_ += logical_bytes_of(key, item);
  digest_ += digest_of(item);
  if (item.expires_at() != 0) dues_.emplace(item.expires_at(), key);
  if (item.lease() != 0) leases_.at(item.lease()).keys.insert(key);
}

void Store::count_out(std::string_view key, const Item& item) {
  logical_bytes_ -= logical_bytes_of(key, item);
  digest_ -= digest_of(item);
  if (item.expires_at() != 0) dues_.erase({item.expires_at(), key});
  if (item.lease() != 0) leases_.at(item.lease()).keys.erase(key);
}

// --- leases

const Lease* Store::find_lease(uint64_t id) const {
  const auto at = leases_.find(id);
  return at == leases_.end() ? nullptr : &at->second;
}

void Store::set_lease(uint64_t id, Millis ttl, Millis deadline, raft::Index now) {
  const auto [at, fresh] = leases_.try_emplace(id);
  Lease& lease = at->second;
  if (fresh) {
    logical_bytes_ += kLeaseOverhead;
  } else {
    digest_ -= digest_of_lease(id, lease);
    lease_dues_.erase({lease.deadline, id});
  }
  if (ttl == 0) {
    WH_ASSERT(lease.keys.empty(), "a lease goes after its keys");
    leases_.erase(at);
    logical_bytes_ -= kLeaseOverhead;
    return;
  }
  lease.ttl = ttl;
  lease.deadline = deadline;
  lease.changed_at = now;
  digest_ += digest_of_lease(id, lease);
  lease_dues_.emplace(deadline, id);
}

bool Store::load_lease(uint64_t id, Millis ttl, Millis deadline) {
  const auto at = leases_.find(id);
  if (at != leases_.end()) {
    if (at->second.ttl != 0) return false;
    --leases_missing_;
  }
  Lease& lease = leases_[id];
  lease.ttl = ttl;
  lease.deadline = deadline;
  logical_bytes_ += kLeaseOverhead;
  digest_ += digest_of_lease(id, lease);
  lease_dues_.emplace(deadline, id);
  return true;
}

// Index by index, so that no step walks many items.
std::optional<size_t> Store::free_one() {
  if (!dues_.empty()) return dues_.erase(dues_.begin()), 0;
  if (!lease_dues_.empty()) return lease_dues_.erase(lease_dues_.begin()), 0;
  if (!leases_.empty()) {
    auto& keys = leases_.begin()->second.keys;
    if (keys.empty())
      leases_.erase(leases_.begin());
    else
      keys.erase(keys.begin());
    return 0;
  }
  if (items_.empty()) return std::nullopt;
  index_.free_some();  // it has fewer parts than there are items
  const size_t size = items_.begin()->second.value.size();
  items_.erase(items_.begin());
  return size;
}

}  // namespace wh::machine
