#include "sim/checks/store_audit.h"

#include <algorithm>
#include <optional>

namespace wh::sim {
namespace {

// Stamps are whole milliseconds, and a leader goes on from what it heard.
constexpr uint64_t kRoundingUs = 10'000;

bool looks_at(std::string_view key) {
  return !key.empty() && StoreAudit::kPrefixes.find(key[0]) != std::string_view::npos;
}

// The operations of a transaction that write this key; nothing: it is of another kind.
std::optional<std::string_view> written_key(const machine::Op& op) {
  return std::visit(
      []<typename T>(const T& one) -> std::optional<std::string_view> {
        constexpr bool writes = std::is_same_v<T, machine::PutKey> || std::is_same_v<T, machine::Increment> ||
                                std::is_same_v<T, machine::Append> || std::is_same_v<T, machine::Touch>;
        if constexpr (writes)
          return one.key;
        else
          return std::nullopt;
      },
      op);
}

}  // namespace

void StoreAudit::fail(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

StoreAudit::Items StoreAudit::look(const machine::Machine& machine) {
  Items out;
  const machine::Store& store = machine.store();
  for (const char prefix : kPrefixes)
    for (auto at = store.items().lower_bound(std::string(1, prefix));
         at != store.items().end() && at->first[0] == prefix; ++at)
      out.emplace(at->first, Item{.value = std::string(at->second.value.view()),
                                  .content_type = std::string(at->second.content_type()),
                                  .create_index = store.create_index(at->second),
                                  .mod_index = store.mod_index(at->second),
                                  .version = store.version(at->second),
                                  .lease = at->second.lease(),
                                  .expires_at = at->second.expires_at()});
  return out;
}

std::string StoreAudit::applied(const machine::Command* command, const machine::Reply& reply,
                                const machine::Machine& machine, const Entry& entry, Situations& seen) {
  if (machine.version() < 4) return {};
  const bool effective = reply.code == machine::ReplyCode::ok && reply.replayed_from == raft::Index{};
  command_ = effective ? command : nullptr;
  reply_ = &reply;
  machine_ = &machine;
  entry_ = &entry;
  seen_ = &seen;
  wrong_.clear();
  const bool jumps = machine.jumped_ms() != jumped_ms_;
  Items now = look(machine);
  leases();
  items(now);
  history(now);
  if (const auto* transact = command == nullptr ? nullptr : std::get_if<machine::Transact>(&command->body)) {
    if (reply.replayed_from == raft::Index{} && !transact->compares.empty() && reply.count == 0 &&
        (reply.code == machine::ReplyCode::ok || reply.code == machine::ReplyCode::precondition_failed))
      ++seen[Situation::compare_failed];
    if (effective) transaction();
  }
  if (jumps) {
    for (auto& [id, lease] : leases_) lease.jumped = true;
    jumped_from_ = machine.time_ms() + jumped_ms_;
    jumped_to_ = machine.cluster_time_ms();
  }
  jumped_ms_ = machine.jumped_ms();
  items_ = std::move(now);
  return std::move(wrong_);
}

// The branch that was done.
const std::vector<machine::Op>* StoreAudit::done() const {
  const auto* transact = command_ == nullptr ? nullptr : std::get_if<machine::Transact>(&command_->body);
  if (transact == nullptr) return nullptr;
  return reply_->count != 0 ? &transact->success : &transact->failure;
}

// --- leases

void StoreAudit::leases() {
  leases_before_ = leases_;
  const auto& there = machine_->store().leases();
  for (const auto& [id, lease] : leases_before_)
    if (const auto now = there.find(id); now == there.end())
      lease_ended(id, lease);
    else
      lease_changed(id, lease, now->second);
  for (const auto& [id, lease] : there) {
    if (leases_before_.contains(id)) continue;
    const auto* grant = command_ == nullptr ? nullptr : std::get_if<machine::GrantLease>(&command_->body);
    if (grant == nullptr || id != machine_->applied().value || reply_->event_id.value != id)
      return fail("lease " + std::to_string(id) + ": nobody asked for it");
    if (lease.ttl != grant->ttl || lease.deadline != machine_->time_ms() + grant->ttl)
      return fail("lease " + std::to_string(id) + ": it lasts for another time than was asked for");
    leases_[id] = {.ttl = lease.ttl, .deadline = lease.deadline, .kept_in = entry_->term, .kept_us = entry_->led_us};
  }
}

void StoreAudit::lease_changed(uint64_t id, const Lease& before, const machine::Lease& now) {
  const std::string name = "lease " + std::to_string(id) + ": ";
  const auto* keep = command_ == nullptr ? nullptr : std::get_if<machine::KeepLease>(&command_->body);
  if (keep == nullptr || keep->id != id) {
    if (now.ttl != before.ttl || now.deadline != before.deadline)
      fail(name + "its deadline was moved, and nobody kept it alive");
    return;
  }
  if (before.deadline <= machine_->time_ms()) return fail(name + "it was kept alive after its deadline");
  if (now.ttl != before.ttl || now.deadline != machine_->time_ms() + now.ttl)
    return fail(name + "it was kept alive for another time than its ttl");
  Lease& lease = leases_[id];
  if (lease.kept_in != entry_->term) ++(*seen_)[Situation::lease_kept_through_failover];
  if (lease.jumped) ++(*seen_)[Situation::lease_outlived_jump];
  lease.jumped = false;
  lease.deadline = now.deadline;
  lease.kept_in = entry_->term;
  lease.kept_us = entry_->led_us;
}

void StoreAudit::lease_ended(uint64_t id, const Lease& lease) {
  const std::string name = "lease " + std::to_string(id) + ": ";
  const auto* revoke = command_ == nullptr ? nullptr : std::get_if<machine::RevokeLease>(&command_->body);
  leases_.erase(id);
  if (revoke != nullptr && revoke->id == id) {
    ++(*seen_)[Situation::lease_revoked];
    return;
  }
  if (lease.deadline > machine_->time_ms()) return fail(name + "it is over before its deadline");
  const uint64_t least_us = lease.ttl * 1'000 * 100 / entry_->drift_percent;
  if (entry_->timed && entry_->led_us + kRoundingUs < lease.kept_us + least_us)
    fail(name + "it is over " + std::to_string((entry_->led_us - lease.kept_us) / 1'000) +
         " ms after it was kept alive, not counting time without a leader: its ttl is " + std::to_string(lease.ttl));
  ++(*seen_)[lease.kept_in != entry_->term ? Situation::lease_ended_later_leader : Situation::lease_ended];
}

// --- keys

bool StoreAudit::was_over(const Item& item) const {
  if (item.expires_at != 0 && item.expires_at <= machine_->time_ms() + jumped_ms_) return true;
  const auto lease = leases_before_.find(item.lease);
  return item.lease != 0 && (lease == leases_before_.end() || lease->second.deadline <= machine_->time_ms());
}

bool StoreAudit::writes(std::string_view key) const {
  if (command_ == nullptr) return false;
  if (const auto* set = std::get_if<machine::Set>(&command_->body))
    return std::any_of(set->pairs.begin(), set->pairs.end(), [&](const auto& pair) { return pair.first == key; });
  const std::vector<machine::Op>* ops = done();
  return ops != nullptr &&
         std::any_of(ops->begin(), ops->end(), [&](const auto& op) { return written_key(op) == key; });
}

bool StoreAudit::removes(std::string_view key, const Item& before) const {
  if (command_ == nullptr) return false;
  if (const auto* del = std::get_if<machine::Delete>(&command_->body))
    return std::find(del->keys.begin(), del->keys.end(), key) != del->keys.end();
  if (const auto* revoke = std::get_if<machine::RevokeLease>(&command_->body)) return before.lease == revoke->id;
  const std::vector<machine::Op>* ops = done();
  return ops != nullptr && std::any_of(ops->begin(), ops->end(), [&](const machine::Op& op) {
           if (const auto* erase = std::get_if<machine::EraseKey>(&op)) return erase->key == key;
           if (const auto* prefix = std::get_if<machine::ErasePrefix>(&op)) return key.starts_with(prefix->prefix);
           // With a time that is over.
           const auto* put = std::get_if<machine::PutKey>(&op);
           const auto* touch = std::get_if<machine::Touch>(&op);
           return (put != nullptr && put->key == key) || (touch != nullptr && touch->key == key);
         });
}

void StoreAudit::items(const Items& now) {
  for (const auto& [key, item] : items_)
    if (!now.contains(key)) left(key, item);
  for (const auto& [key, item] : now) {
    const auto before = items_.find(key);
    if (before == items_.end() || !(before->second == item))
      came(key, item, before == items_.end() || was_over(before->second) ? nullptr : &before->second);
  }
}

void StoreAudit::left(const std::string& key, const Item& before) {
  if (was_over(before)) {
    const bool by_time = before.expires_at != 0 && before.expires_at <= machine_->time_ms() + jumped_ms_;
    ++(*seen_)[by_time ? Situation::ttl_ended : Situation::key_went_with_lease];
    if (by_time && before.expires_at <= jumped_to_ && before.expires_at > jumped_from_)
      ++(*seen_)[Situation::ttl_ended_by_jump];
    return;
  }
  if (!removes(key, before)) fail("key " + key + ": it is gone, and nothing that was asked for or fell due removed it");
}

// It is new, or was changed; `before`: what was there.
void StoreAudit::came(const std::string& key, const Item& now, const Item* before) {
  const uint64_t index = machine_->applied().value;
  if (!writes(key)) return fail("key " + key + ": nobody asked for its change");
  if (now.mod_index != index) return fail("key " + key + ": its mod_index is of another entry");
  const bool made_anew = before == nullptr || removes(key, *before);
  if (before != nullptr && now.create_index == before->create_index) {
    if (now.version <= before->version) return fail("key " + key + ": its version does not grow");
  } else if (!made_anew || now.create_index != index || now.version == 0) {
    return fail("key " + key + ": it was made by another entry than it says");
  }
  if (now.lease != 0 && machine_->find_lease(now.lease) == nullptr) return fail("key " + key + ": its lease is over");
  if (now.expires_at != 0 && now.expires_at <= machine_->cluster_time_ms())
    return fail("key " + key + ": it was put when its time was over");
  if (before != nullptr && before->lease != 0 && now.lease != 0 && now.lease != before->lease)
    ++(*seen_)[Situation::key_changed_lease];
}

// --- what watches read

// The changes of this entry lead from what was there to what is.
void StoreAudit::history(const Items& now) {
  const machine::History& history = machine_->history();
  std::map<std::string, std::optional<std::string>> values;
  std::map<std::string, const machine::Change*> last;
  const uint64_t first = std::max(numbered_, history.first_number());
  numbered_ = history.end_number();
  for (uint64_t n = first; n < numbered_; ++n) {
    const machine::Change& change = history.at(n);
    if (!looks_at(change.key)) continue;
    const std::string name = "key " + change.key + ": the history tells ";
    if (change.index != machine_->applied()) return fail(name + "a change under another index");
    const auto before = items_.find(change.key);
    const bool there = before != items_.end();
    std::optional<std::string>& value =
        values.try_emplace(change.key, there ? std::optional(before->second.value) : std::nullopt).first->second;
    const bool told = last.contains(change.key);
    last[change.key] = &change;
    if (change.had_prev != value.has_value() || (value && change.prev.view() != *value))
      return fail(name + "another value before a change than there was");
    const bool over = there && !told && was_over(before->second);
    if (over != (change.type == machine::ChangeType::expire))
      return fail(name + (over ? "no end of what was over" : "the end of what was not over"));
    if (change.type != machine::ChangeType::put && !value) return fail(name + "the end of what was not there");
    value = change.type == machine::ChangeType::put ? std::optional(std::string(change.value.view())) : std::nullopt;
  }
  for (const auto& [key, item] : items_)
    if (!now.contains(key) && !last.contains(key)) return fail("key " + key + ": the history does not tell its end");
  for (const auto& [key, item] : now) {
    const auto change = last.find(key);
    const auto before = items_.find(key);
    if (change == last.end()) {
      if (before == items_.end() || !(before->second == item))
        return fail("key " + key + ": the history does not tell its change");
      continue;
    }
    const machine::Change& one = *change->second;
    if (one.type != machine::ChangeType::put || one.value.view() != item.value ||
        one.content_type != item.content_type || one.create_index != item.create_index || one.version != item.version ||
        one.lease != item.lease || one.expires_at != item.expires_at)
      return fail("key " + key + ": the history tells another change than there was");
  }
  for (const auto& [key, value] : values)
    if (value && !now.contains(key)) return fail("key " + key + ": the history does not tell its end");
}

// What a transaction did over keys and queues.
void StoreAudit::transaction() {
  bool keys = false;
  bool acknowledges = false;
  bool enqueues = false;
  for (const machine::Op& op : *done()) {
    const auto* settle = std::get_if<machine::SettleEvent>(&op);
    keys |= written_key(op).has_value();
    acknowledges |= settle != nullptr && settle->verb == machine::SettleVerb::acknowledge;
    enqueues |= std::holds_alternative<machine::EnqueueEvent>(op);
  }
  if (keys && acknowledges) ++(*seen_)[Situation::event_became_key];
  if (acknowledges && enqueues) ++(*seen_)[Situation::event_became_event];
}

}  // namespace wh::sim
