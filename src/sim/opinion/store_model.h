// A model of the store: keys and leases without indexes, what is over gone at once, a transaction done on a copy. Says
// of each command what its reply is. For the check of histories (model.h) and the tests of the machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "machine/machine.h"
#include "sim/opinion/queue_model.h"

namespace wh::sim::model {

struct StoreModel {
  struct Item {
    std::string value;
    std::string content_type;
    uint64_t create_index = 0;
    uint64_t mod_index = 0;
    uint64_t version = 0;
    uint64_t lease = 0;
    Millis expires_at = 0;
  };
  struct Lease {
    Millis ttl = 0;
    Millis deadline = 0;
  };

  // Whose index, times and version count, and with whose queues transactions deal.
  explicit StoreModel(QueueModel& all) : all_(&all) {}

  std::map<std::string, Item> items;
  std::map<uint64_t, Lease> leases;
  std::set<std::string> over;  // keys whose time, or whose lease's, ended: the machine may still have them

  // The entry, whose index all_ has, raises the cluster to version 4.
  void rise() {
    for (auto& [key, item] : items) item.create_index = item.mod_index = all_->index, item.version = 1;
  }
  // Before each entry's command: what is over goes.
  void pass() {
    std::erase_if(leases, [&](const auto& one) { return one.second.deadline <= all_->stamp; });
    std::erase_if(items, [&](const auto& one) {
      const Item& item = one.second;
      const bool goes =
          (item.expires_at != 0 && item.expires_at <= all_->now()) || (item.lease != 0 && !leases.contains(item.lease));
      if (goes) over.insert(one.first);
      return goes;
    });
  }

  void put(const std::string& key, Item item) {
    const auto old = items.find(key);
    item.create_index = old == items.end() ? all_->index : old->second.create_index;
    item.version = old == items.end() ? 1 : old->second.version + 1;
    item.mod_index = all_->index;
    if (item.expires_at != 0 && item.expires_at <= all_->now())
      items.erase(key);
    else
      items[key] = std::move(item);
  }

  static machine::KeyItem shown(const std::string& key, const Item& item, bool with_value) {
    return {.key = key,
            .value = with_value ? Bytes(std::string(item.value)) : Bytes(),
            .content_type = item.content_type,
            .create_index = item.create_index,
            .mod_index = item.mod_index,
            .version = item.version,
            .lease = item.lease,
            .expires_at = item.expires_at};
  }

  Reply apply(const machine::Set& set) {
    for (const auto& [key, value] : set.pairs) put(std::string(key), {.value = std::string(value)});
    return {.count = set.pairs.size()};
  }
  Reply apply(const machine::Delete& del) {
    Reply reply;
    for (const auto key : del.keys) reply.count += items.erase(std::string(key));
    return reply;
  }
  Reply apply(const machine::GrantLease& grant) {
    leases[all_->index] = {grant.ttl, all_->stamp + grant.ttl};
    return {.event_id = raft::Index{all_->index}, .count = 1};
  }
  Reply apply(const machine::KeepLease& keep) {
    const auto lease = leases.find(keep.id);
    if (lease == leases.end()) return {.code = ReplyCode::not_found};
    lease->second.deadline = all_->stamp + lease->second.ttl;
    return {.count = 1, .queue_length = lease->second.ttl};
  }
  Reply apply(const machine::RevokeLease& revoke) {
    if (leases.erase(revoke.id) == 0) return {.code = ReplyCode::not_found};
    std::erase_if(items, [&](const auto& one) { return one.second.lease == revoke.id; });
    return {.count = 1};
  }

  // --- transactions

  Reply apply(const machine::Transact& transact) {
    const bool held = std::all_of(transact.compares.begin(), transact.compares.end(),
                                  [&](const machine::Compare& compare) { return holds(compare); });
    const std::vector<machine::Op>& ops = held ? transact.success : transact.failure;
    const auto items_before = items;
    code_ = ReplyCode::ok;
    plan_ = {};
    for (const machine::Op& op : ops)
      if (!std::visit([&](const auto& one) { return possible(one); }, op)) return {.code = code_};
    std::vector<machine::OpResult> results(ops.size());
    std::vector<bool> left_out(ops.size(), false);
    for (size_t i = 0; i < ops.size(); ++i) {
      results[i].kind = std::visit([](const auto& one) { return one.kKind; }, ops[i]);
      if (left_out[i]) continue;
      if (const auto* choose = std::get_if<machine::Choose>(&ops[i])) {
        const bool chosen = std::all_of(choose->compares.begin(), choose->compares.end(),
                                        [&](const machine::Compare& compare) { return holds(compare); });
        results[i].number = chosen ? 1 : 0;
        for (size_t n = 0; n < size_t{choose->held} + choose->otherwise; ++n)
          left_out[i + 1 + n] = chosen != (n < choose->held);
        continue;
      }
      if (std::visit([&](const auto& one) { return run(one, results[i]); }, ops[i])) continue;
      items = items_before;
      return {.code = code_};
    }
    for (size_t i = 0; i < ops.size(); ++i) std::visit([&](const auto& one) { finish(one, results[i]); }, ops[i]);
    Reply reply{.code = held || !transact.must_hold ? ReplyCode::ok : ReplyCode::precondition_failed,
                .count = held ? 1U : 0U};
    reply.results = std::move(results);
    return reply;
  }

 private:
  bool refuse(ReplyCode code) {
    code_ = code;
    return false;
  }

  template <typename T>
  static bool compares(machine::CompareOp op, const T& is, const T& with) {
    switch (op) {
      case machine::CompareOp::equal:
        return is == with;
      case machine::CompareOp::not_equal:
        return is != with;
      case machine::CompareOp::less:
        return is < with;
      case machine::CompareOp::greater:
        return is > with;
    }
    return false;
  }
  QueueModel::Item* held_by(const std::string& queue, const Receipt& receipt) {
    if (!all_->queues.contains(queue)) return nullptr;
    QueueModel::Item* item = all_->catch_up(queue, receipt.id);
    const bool held = item != nullptr && item->state == EventState::reserved && item->delivery == receipt.delivery;
    return held ? item : nullptr;
  }
  bool holds(const machine::Compare& compare) {
    using machine::CompareTarget;
    const std::string name(compare.name);
    if (compare.target == CompareTarget::holds) return held_by(name, compare.receipt) != nullptr;
    if (compare.target == CompareTarget::queue_length) {
      all_->sweep(name);
      const auto queue = all_->queues.find(name);
      return compares<uint64_t>(compare.op, queue == all_->queues.end() ? 0 : queue->second.items.size(),
                                compare.number);
    }
    const auto item = items.find(name);
    const bool there = item != items.end();
    if (compare.target == CompareTarget::value)
      return there ? compares<std::string>(compare.op, item->second.value, std::string(compare.value))
                   : compare.op == machine::CompareOp::not_equal;
    uint64_t is = 0;
    if (there)
      is = compare.target == CompareTarget::exists         ? 1
           : compare.target == CompareTarget::mod_index    ? item->second.mod_index
           : compare.target == CompareTarget::create_index ? item->second.create_index
                                                           : item->second.version;
    return compares<uint64_t>(compare.op, is, compare.number);
  }

  // --- whether the queues' part can be done

  template <typename Other>
  bool possible(const Other& /*op*/) {
    return true;
  }
  bool possible(const machine::EnqueueEvent& op) {
    const std::string name(op.queue);
    all_->sweep(name);
    Planned& planned = plan_.queues[name];
    if (!all_->queues.contains(name) && planned.count == 0) {
      if (all_->queues.size() + plan_.fresh >= all_->settings.max_queues) return refuse(ReplyCode::full);
      ++plan_.fresh;
    }
    ++planned.count;
    planned.bytes += op.event.bytes.size() + op.event.headers.size();
    if (all_->queues.contains(name) || all_->queues.size() < all_->settings.max_queues)
      if (!all_->has_room(name, planned.count, planned.bytes, planned.leaving, planned.leaving_bytes))
        return refuse(ReplyCode::full);
    return true;
  }
  bool possible(const machine::SettleEvent& op) {
    const std::string name(op.queue);
    const QueueModel::Item* item = held_by(name, op.receipt);
    Planned& planned = plan_.queues[name];
    if (item == nullptr || !planned.settled.insert(op.receipt.id).second) return refuse(ReplyCode::conflict);
    if (op.verb != SettleVerb::acknowledge) return true;
    ++planned.leaving;
    planned.leaving_bytes += item->bytes.size() + item->headers.size();
    return true;
  }

  bool possible(const machine::CountReady& op) {
    all_->sweep(std::string(op.queue));
    return true;
  }

  // --- the keys' part

  [[nodiscard]] Millis time_of(const machine::Expiry& expiry, const Item* old) const {
    using Kind = machine::Expiry::Kind;
    switch (expiry.kind) {
      case Kind::never:
        return 0;
      case Kind::as_it_was:
        return old == nullptr ? 0 : old->expires_at;
      case Kind::after:
        return all_->now() + expiry.ms;
      case Kind::at:
        return expiry.ms == 0 ? 1 : expiry.ms;
    }
    return 0;
  }
  [[nodiscard]] const Item* find(std::string_view key) const {
    const auto at = items.find(std::string(key));
    return at == items.end() ? nullptr : &at->second;
  }
  bool run(const machine::PutKey& op, machine::OpResult& result) {
    const Item* old = find(op.key);
    result.number = old == nullptr ? 0 : 1;
    if (op.lease != 0 && !leases.contains(op.lease)) return refuse(ReplyCode::not_found);
    put(std::string(op.key), {.value = std::string(op.value),
                              .content_type = std::string(op.content_type),
                              .lease = op.lease,
                              .expires_at = time_of(op.expiry, old)});
    return true;
  }
  bool run(const machine::EraseKey& op, machine::OpResult& result) {
    result.number = items.erase(std::string(op.key));
    return true;
  }
  bool run(const machine::ErasePrefix& op, machine::OpResult& result) {
    result.number = std::erase_if(items, [&](const auto& one) { return one.first.starts_with(op.prefix); });
    return true;
  }
  bool run(const machine::GetKey& op, machine::OpResult& result) {
    if (const Item* item = find(op.key)) result.items.push_back(shown(std::string(op.key), *item, op.with_value));
    return true;
  }
  bool run(const machine::ListKeys& op, machine::OpResult& result) {
    for (const auto& [key, item] : items) {
      if (!key.starts_with(op.prefix)) continue;
      if (result.items.size() == op.limit) {
        result.more = true;
        break;
      }
      result.items.push_back(shown(key, item, true));
    }
    return true;
  }
  void set_value(std::string_view key, std::string value) {
    const Item* old = find(key);
    Item item = old == nullptr ? Item{} : *old;
    item.value = std::move(value);
    put(std::string(key), std::move(item));
  }
  bool run(const machine::Increment& op, machine::OpResult& result) {
    const Item* old = find(op.key);
    __int128 number = 0;
    if (old != nullptr) {
      std::string digits = old->value;
      const bool negative = digits.starts_with('-');
      if (negative) digits.erase(0, 1);
      const bool plain = !digits.empty() && digits.size() <= 19 &&
                         digits.find_first_not_of("0123456789") == std::string::npos &&
                         (digits.size() == 1 || digits[0] != '0') && !(negative && digits == "0");
      if (!plain) return refuse(ReplyCode::conflict);
      for (const char c : digits) number = number * 10 + (c - '0');
      if (negative) number = -number;
      if (!fits(number)) return refuse(ReplyCode::conflict);
    }
    number += op.by;
    if (!fits(number)) return refuse(ReplyCode::conflict);
    result.number = static_cast<uint64_t>(static_cast<int64_t>(number));
    set_value(op.key, std::to_string(static_cast<int64_t>(number)));
    return true;
  }
  static bool fits(__int128 number) { return number >= INT64_MIN && number <= INT64_MAX; }
  bool run(const machine::Append& op, machine::OpResult& result) {
    const Item* old = find(op.key);
    const std::string value = (old == nullptr ? "" : old->value) + std::string(op.bytes);
    result.number = value.size();
    set_value(op.key, value);
    return true;
  }
  bool run(const machine::Touch& op, machine::OpResult& result) {
    using Only = machine::Touch::Only;
    const Item* old = find(op.key);
    if (old == nullptr) return true;
    const bool had = old->expires_at != 0;
    const Millis time = time_of(op.expiry, old);
    const Millis before = had ? old->expires_at : kNever;
    const Millis after = time == 0 ? kNever : time;
    if ((op.only == Only::if_none && had) || (op.only == Only::if_any && !had) ||
        (op.only == Only::if_later && after <= before) || (op.only == Only::if_earlier && after >= before) ||
        (op.only == Only::if_any_earlier && (!had || after >= before)))
      return true;
    if (!had && time == 0) return true;
    result.number = 1;
    if (before == after) return true;
    Item item = *old;
    item.expires_at = time;
    put(std::string(op.key), std::move(item));
    return true;
  }
  template <typename Queued>
  bool run(const Queued& /*op*/, machine::OpResult& /*result*/) {
    return true;
  }

  // --- the queues' part

  template <typename Other>
  void finish(const Other& /*op*/, machine::OpResult& /*result*/) {}
  void finish(const machine::EnqueueEvent& op, machine::OpResult& result) {
    result.number = all_->add(std::string(op.queue), op.event);
    all_->drop_overflow(std::string(op.queue));
  }
  void finish(const machine::CountReady& op, machine::OpResult& result) {
    result.number = all_->ready(std::string(op.queue));
  }
  void finish(const machine::SettleEvent& op, machine::OpResult& /*result*/) {
    (void)all_->settle(std::string(op.queue), {.queue = op.queue, .verb = op.verb, .duration = op.delay}, op.receipt);
  }

  struct Planned {
    uint64_t count = 0;
    uint64_t bytes = 0;
    uint64_t leaving = 0;
    uint64_t leaving_bytes = 0;
    std::set<uint64_t> settled;
  };
  struct Plan {
    std::map<std::string, Planned> queues;
    uint64_t fresh = 0;
  };
  QueueModel* all_;
  Plan plan_;
  ReplyCode code_ = ReplyCode::ok;
};

// What differs between the model and the machine's store, and what is wrong with its indexes; empty: nothing.
inline std::string difference(const StoreModel& model, const machine::Machine& machine) {
  const machine::Store& store = machine.store();
  size_t there = 0;
  size_t dues = 0;
  size_t leased = 0;
  uint64_t bytes = 0;
  for (const auto& [key, item] : store.items()) {
    bytes += machine::Store::logical_bytes_of(key, item);
    dues += item.expires_at() != 0 ? 1 : 0;
    leased += item.lease() != 0 ? 1 : 0;
    if (item.expires_at() != 0 && !store.dues().contains({item.expires_at(), key})) return key + ": without its timer";
    if (item.lease() != 0 && !store.leases().at(item.lease()).keys.contains(key)) return key + ": not its lease's";
    if (machine.find(key) == nullptr) continue;
    ++there;
    const auto expected = model.items.find(key);
    if (expected == model.items.end()) return key + ": is there";
    const StoreModel::Item& as = expected->second;
    if (item.value.view() != as.value || item.content_type() != as.content_type || item.lease() != as.lease ||
        item.expires_at() != as.expires_at)
      return key + ": differs";
    if (machine.version() >= 4 && (store.create_index(item) != as.create_index ||
                                   store.mod_index(item) != as.mod_index || store.version(item) != as.version))
      return key + ": other numbers";
  }
  if (there != model.items.size()) return "another number of keys";
  if (dues != store.dues().size()) return "a timer without its key";
  size_t alive = 0;
  size_t keys = 0;
  for (const auto& [id, lease] : store.leases()) {
    bytes += machine::Store::kLeaseOverhead;
    keys += lease.keys.size();
    if (!store.lease_dues().contains({lease.deadline, id})) return "a lease without its timer";
    if (machine.find_lease(id) == nullptr) continue;
    ++alive;
    const auto expected = model.leases.find(id);
    if (expected == model.leases.end() || expected->second.ttl != lease.ttl ||
        expected->second.deadline != lease.deadline)
      return "the lease " + std::to_string(id) + " differs";
  }
  if (alive != model.leases.size() || keys != leased || store.lease_dues().size() != store.leases().size())
    return "another number of leases, or of their keys";
  if (bytes != store.logical_bytes()) return "the bytes are wrong";
  return {};
}

}  // namespace wh::sim::model
