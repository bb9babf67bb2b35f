// What the commands on the key-value store and its leases do to the state; transactions: transaction.cc.
#include "base/mutant.h"
#include "machine/machine.h"

namespace wh::machine {
namespace {

Reply no_lease() {
  return {.code = ReplyCode::not_found,
          .event = Bytes(std::string("there is no such lease: it is over, or never was"))};
}

}  // namespace

StoreMoment Machine::store_moment() const {
  return {.index = state_.applied, .stamp = state_.time_ms, .now = state_.cluster_time_ms(), .version = state_.version};
}

const Item* Machine::find(std::string_view key) const {
  const Item* item = state_.store.find(key);
  return item == nullptr || state_.store.is_over(*item, state_.time_ms, state_.cluster_time_ms()) ? nullptr : item;
}

KeyItem Machine::shown(std::string_view key, const Item& item) const {
  return {.key = std::string(key),
          .value = item.value,
          .content_type = std::string(item.content_type()),
          .create_index = state_.store.create_index(item),
          .mod_index = state_.store.mod_index(item),
          .version = state_.store.version(item),
          .lease = item.lease(),
          .expires_at = item.expires_at()};
}

const Lease* Machine::find_lease(uint64_t id) const {
  const Lease* lease = state_.store.find_lease(id);
  return lease == nullptr || lease->deadline <= state_.time_ms ? nullptr : lease;
}

Reply Machine::run(const Set& set) {
  StoreOps ops(state_.store, store_moment(), *this, history_, effects_);
  for (const auto& [key, value] : set.pairs) ops.put(key, kept(value));
  return Reply{.count = set.pairs.size()};
}

Reply Machine::run(const Delete& del) {
  StoreOps ops(state_.store, store_moment(), *this, history_, effects_);
  Reply reply;
  for (const auto key : del.keys) reply.count += ops.erase(key) ? 1 : 0;
  return reply;
}

// --- leases

Reply Machine::run(const GrantLease& grant) {
  StoreOps ops(state_.store, store_moment(), *this, history_, effects_);
  // Those that are over take no place from others; a bounded number of them goes now.
  size_t budget = kDueKeysPerEntry;
  if (state_.store.leases().size() >= state_.settings.max_leases) ops.sweep_leases(budget);
  if (state_.store.leases().size() >= state_.settings.max_leases)
    return {.code = ReplyCode::full,
            .event = Bytes("there are " + std::to_string(state_.store.leases().size()) +
                           " leases already: revoke some, or raise max_leases (PUT /cluster/settings)")};
  const uint64_t id = ops.grant(grant.ttl);
  return {.event_id = raft::Index{id}, .count = 1};
}

Reply Machine::run(const KeepLease& keep) {
  StoreOps ops(state_.store, store_moment(), *this, history_, effects_);
  const Lease* lease = ops.find_lease(keep.id);
  if (lease == nullptr) return no_lease();
  ops.keep_alive(keep.id);
  return {.count = 1, .queue_length = lease->ttl};
}

Reply Machine::run(const RevokeLease& revoke) {
  StoreOps ops(state_.store, store_moment(), *this, history_, effects_);
  if (ops.find_lease(revoke.id) == nullptr) return no_lease();
  ops.revoke(revoke.id);
  return {.count = 1};
}

// --- by how much a command grows the data

uint64_t Machine::growth_of(std::string_view key, uint64_t bytes) const {
  const Item* old = state_.store.find(key);
  const uint64_t before = old == nullptr ? 0 : Store::logical_bytes_of(key, *old);
  const uint64_t after = key.size() + bytes + Store::kOverhead;
  return after > before ? after - before : 0;
}

uint64_t Machine::growth_by(const Set& set) const {
  uint64_t total = 0;
  for (const auto& [key, value] : set.pairs) total += growth_of(key, value.size());
  return total;
}

uint64_t Machine::growth_by(const GrantLease& /*grant*/) const { return Store::kLeaseOverhead; }

// --- what the store tells

// The write barrier: hands the old item to every walk that has not reached it.
void Machine::item_changed(std::string_view key, const Item& old) {
  if (WH_MUTANT(snapshot_without_barrier)) return;
  for (auto& walk : walks_)
    if (walk) walk->keep_key(key, old);
}

void Machine::before_lease_change(uint64_t id, const Lease& lease) {
  if (WH_MUTANT(snapshot_without_barrier)) return;
  for (auto& walk : walks_)
    if (walk) walk->keep_lease(id, lease);
}

}  // namespace wh::machine
