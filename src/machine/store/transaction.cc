// What a Transact does: comparisons, then one of its branches as one step. First it is made sure that the queues' part
// can be done; then the keys' part is done in a way that can be undone; then the queues' part. So whatever is refused
// has changed nothing (HAZARDS S13).
#include <algorithm>
#include <charconv>
#include <compare>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/mutant.h"
#include "machine/machine.h"

namespace wh::machine {
namespace {

bool holds(CompareOp op, std::strong_ordering is) {
  switch (op) {
    case CompareOp::equal:
      return is == std::strong_ordering::equal;
    case CompareOp::not_equal:
      return is != std::strong_ordering::equal;
    case CompareOp::less:
      return is == std::strong_ordering::less;
    case CompareOp::greater:
      return is == std::strong_ordering::greater;
  }
  return false;
}

// As Redis takes it: no sign but a minus, no zeros in front, no spaces.
std::optional<int64_t> number_in(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || std::to_string(number) != text) return std::nullopt;
  return number;
}

}  // namespace

// What a put adds beside the value.
static uint64_t extra_bytes(const PutKey& put) {
  const bool expires = put.expiry.kind != Expiry::Kind::never;
  if (put.content_type.empty() && put.lease == 0 && !expires) return 0;
  return Store::kExtraOverhead + put.content_type.size() + (put.lease != 0 ? Store::kIndexOverhead : 0) +
         (expires ? Store::kIndexOverhead : 0);
}

// Made for one Transact.
class TransactionRun {
 public:
  TransactionRun(const Machine& machine, Store& store, const StoreMoment& at, StoreOps& keys, QueueOps& queues)
      : machine_(machine), store_(store), at_(at), keys_(keys), queues_(queues) {}

  bool all_hold(const std::vector<Compare>& compares) {
    return std::all_of(compares.begin(), compares.end(),
                       [&](const Compare& compare) { return this->compare(compare); });
  }

  Result<std::vector<OpResult>, Reply> run(const std::vector<Op>& ops) {
    const auto refused = [&](size_t number) {
      if (ops.size() > 1) why_ = refusal_at({number, why_});
      return Reply{.code = code_, .event = Bytes(std::move(why_))};
    };
    for (size_t i = 0; i < ops.size(); ++i)
      if (!std::visit([this](const auto& op) { return plan(op); }, ops[i])) return refused(i);
    std::vector<OpResult> results(ops.size());
    if (!goes_through(ops) && !WH_MUTANT(transaction_in_halves)) keys_.begin();
    if (WH_MUTANT(gets_come_first))
      for (size_t i = 0; i < ops.size(); ++i)
        if (const auto* get = std::get_if<GetKey>(&ops[i])) (void)run(*get, results[i]);
    size_t skip_at = ops.size();  // what the last choice leaves out
    size_t skip_until = 0;
    for (size_t i = 0; i < ops.size(); ++i) {
      results[i].kind = std::visit([](const auto& op) { return op.kKind; }, ops[i]);
      if (i >= skip_at && i < skip_until) continue;
      if (const auto* choose = std::get_if<Choose>(&ops[i])) {
        const bool held = all_hold(choose->compares);
        results[i].number = held ? 1 : 0;
        skip_at = i + 1 + (held ? choose->held : 0);
        skip_until = skip_at + (held ? choose->otherwise : choose->held);
        continue;
      }
      if (WH_MUTANT(gets_come_first) && std::holds_alternative<GetKey>(ops[i])) continue;
      if (std::visit([&](const auto& op) { return run(op, results[i]); }, ops[i])) continue;
      keys_.undo();
      return refused(i);
    }
    keys_.keep();
    for (size_t i = 0; i < ops.size(); ++i) std::visit([&](const auto& op) { finish(op, results[i]); }, ops[i]);
    return results;
  }

 private:
  // Whether nothing is refused once something is changed, so that nothing will have to be undone: a lone put, the most
  // frequent of all.
  static bool goes_through(const std::vector<Op>& ops) {
    const auto* put = ops.size() == 1 ? std::get_if<PutKey>(ops.data()) : nullptr;
    return put != nullptr && put->lease == 0;
  }

  bool refuse(ReplyCode code, std::string why) {
    code_ = code;
    why_ = std::move(why);
    return false;
  }

  // --- comparisons

  bool compare(const Compare& compare) {
    if (compare.target == CompareTarget::holds) {
      Queue* queue = queues_.find(compare.name);
      return queue != nullptr && queues_.held_by(*queue, compare.receipt) != nullptr;
    }
    if (compare.target == CompareTarget::queue_length) {
      const Queue* queue = queues_.find_swept(compare.name, sweep_budget_);
      return holds(compare.op, (queue == nullptr ? 0 : queue->size()) <=> compare.number);
    }
    const Item* item = keys_.find(compare.name);
    if (compare.target == CompareTarget::value) {
      if (item == nullptr) return compare.op == CompareOp::not_equal;
      return holds(compare.op, item->value.view() <=> compare.value);
    }
    uint64_t is = 0;
    if (item != nullptr) {
      switch (compare.target) {
        case CompareTarget::exists:
          is = 1;
          break;
        case CompareTarget::mod_index:
          is = store_.mod_index(*item);
          break;
        case CompareTarget::create_index:
          is = store_.create_index(*item);
          break;
        default:
          is = store_.version(*item);
      }
    }
    return holds(compare.op, is <=> compare.number);
  }

  // --- the queues' part: whether it can be done

  template <typename KeyOp>
  bool plan(const KeyOp& /*op*/) {
    return true;
  }

  bool plan(const EnqueueEvent& op) {
    Planned& planned = planned_[std::string(op.queue)];
    const Queue* queue = queues_.find_swept(op.queue, sweep_budget_);
    if (queue == nullptr && planned.arriving.count == 0) {
      if (const Status fits = queues_.check_new(op.queue, new_queues_); !fits)
        return refuse(ReplyCode::full, fits.error());
      ++new_queues_;
    }
    ++planned.arriving.count;
    planned.arriving.bytes += op.event.bytes.size() + op.event.headers.size();
    const auto room =
        queues_.check_room(queue, op.queue, planned.arriving.count, planned.arriving.bytes, planned.leaving);
    if (room) return true;
    return refuse(room.error().code, std::string(room.error().event.view()));
  }

  bool plan(const SettleEvent& op) {
    Queue* queue = queues_.find(op.queue);
    const Event* event = queue == nullptr ? nullptr : queues_.held_by(*queue, op.receipt);
    Planned& planned = planned_[std::string(op.queue)];
    if ((event == nullptr && !WH_MUTANT(stale_receipt_in_transaction)) || !planned.settled.insert(op.receipt.id).second)
      return refuse(ReplyCode::conflict, "the event " + std::to_string(op.receipt.id) + " of the queue " +
                                             std::string(op.queue) +
                                             " is gone, or this receipt does not hold it any more");
    if (event != nullptr && op.verb == SettleVerb::acknowledge) {
      ++planned.leaving.count;
      planned.leaving.bytes += event->data_bytes();
    }
    return true;
  }

  bool plan(const CountReady& op) {
    (void)queues_.find_swept(op.queue, sweep_budget_);
    return true;
  }

  // --- the keys' part

  // Whether the answer has room for it; a first one always fits.
  bool has_room(std::string_view key, const Item& item, bool with_value = true) {
    constexpr uint64_t kNumbers = 128;
    const uint64_t bytes = key.size() + (with_value ? item.value.size() : 0) + item.content_type().size() + kNumbers;
    if (items_ == kMaxListed || (items_ != 0 && answered_ + bytes > kMaxAnswerBytes)) return false;
    answered_ += bytes;
    ++items_;
    return true;
  }

  // When the item is over, by cluster time; 0: never.
  [[nodiscard]] Millis time_of(const Expiry& expiry, const Item* old) const {
    switch (expiry.kind) {
      case Expiry::Kind::never:
        return 0;
      case Expiry::Kind::as_it_was:
        return old == nullptr ? 0 : old->expires_at();
      case Expiry::Kind::after:
        return (WH_MUTANT(ttl_by_stamp) ? at_.stamp : at_.now) + expiry.ms;
      case Expiry::Kind::at:
        return std::max<Millis>(expiry.ms, 1);
    }
    return 0;
  }

  // A time that is over leaves no item.
  void put(std::string_view key, Bytes value, std::string_view content_type, uint64_t lease, Millis expires_at) {
    if (expires_at != 0 && expires_at <= at_.now)
      keys_.erase(key);
    else
      keys_.put(key, std::move(value), content_type, lease, expires_at);
  }

  bool run(const PutKey& op, OpResult& result) {
    const Item* old = keys_.find(op.key);
    result.number = old == nullptr ? 0 : 1;
    if (op.lease != 0) {
      const Lease* lease = keys_.find_lease(op.lease);
      if (lease == nullptr) return refuse(ReplyCode::not_found, "there is no such lease: it is over, or never was");
      if (lease->keys.size() >= kMaxKeysOfLease && !lease->keys.contains(op.key))
        return refuse(ReplyCode::full, "a lease has at most 10000 keys: put this one under another");
    }
    put(op.key, machine_.kept(op.value), op.content_type, op.lease, time_of(op.expiry, old));
    return true;
  }

  bool run(const EraseKey& op, OpResult& result) {
    result.number = keys_.erase(op.key) ? 1 : 0;
    return true;
  }

  bool run(const ErasePrefix& op, OpResult& result) {
    std::vector<std::string> names;
    size_t count = 0;
    const auto first = store_.items().lower_bound(op.prefix);
    for (auto at = first; at != store_.items().end() && at->first.starts_with(op.prefix); ++at)
      if (erased_ + ++count > kMaxErased)
        return refuse(ReplyCode::conflict,
                      "one request deletes at most 10000 keys by prefix, and there are more: use longer prefixes");
    if (count != 0 && WH_MUTANT(prefix_takes_one_more) &&
        std::next(first, static_cast<ptrdiff_t>(count)) != store_.items().end())
      ++count;
    names.reserve(count);
    for (auto at = first; names.size() < count; ++at) names.push_back(at->first);
    erased_ += names.size();
    for (const std::string& name : names) result.number += keys_.erase(name) ? 1 : 0;
    return true;
  }

  bool run(const GetKey& op, OpResult& result) {
    const Item* item = keys_.find(op.key);
    if (item == nullptr) return true;
    if (!has_room(op.key, *item, op.with_value))
      return refuse(ReplyCode::conflict,
                    "the items that it asks for are over 1000, or have more than 4 MiB together: get fewer");
    result.items.push_back(machine_.shown(op.key, *item));
    if (!op.with_value) result.items.back().value = {};
    return true;
  }

  bool run(const ListKeys& op, OpResult& result) {
    size_t looked_at = 0;
    for (auto at = store_.items().lower_bound(op.prefix);
         at != store_.items().end() && at->first.starts_with(op.prefix); ++at, ++looked_at) {
      if (looked_at == op.limit + kDueKeysPerEntry) return result.more = true;
      if (store_.is_over(at->second, at_.stamp, at_.now)) continue;
      if (result.items.size() == op.limit || !has_room(at->first, at->second)) return result.more = true;
      result.items.push_back(machine_.shown(at->first, at->second));
    }
    return true;
  }

  bool run(const Increment& op, OpResult& result) {
    const Item* old = keys_.find(op.key);
    const std::optional<int64_t> before = old == nullptr ? 0 : number_in(old->value.view());
    if (!before) return refuse(ReplyCode::conflict, std::string(kNoNumber));
    int64_t after = 0;
    if (__builtin_add_overflow(*before, op.by, &after) && !WH_MUTANT(counter_wraps))
      return refuse(ReplyCode::conflict, std::string(kSumTooLarge));
    result.number = static_cast<uint64_t>(after);
    change_value(op.key, old, Bytes(std::to_string(after)));
    return true;
  }

  bool run(const Append& op, OpResult& result) {
    const Item* old = keys_.find(op.key);
    const size_t size = (old == nullptr ? 0 : old->value.size()) + op.bytes.size();
    if (size > kMaxValueBytes)
      return refuse(ReplyCode::conflict, "a value has at most 4194304 bytes, and it would have more");
    if ((appended_ += size) > kMaxAppended)
      return refuse(ReplyCode::conflict,
                    "the values that one transaction appends to have at most 16777216 bytes together");
    std::string value;
    value.reserve(size);
    if (old != nullptr) value = old->value.view();
    value.append(op.bytes);
    result.number = value.size();
    change_value(op.key, old, Bytes(std::move(value)));
    return true;
  }

  bool run(const Touch& op, OpResult& result) {
    const Item* old = keys_.find(op.key);
    if (old == nullptr) return true;
    const Millis before = old->expires_at() == 0 ? kNever : old->expires_at();
    const Millis time = time_of(op.expiry, old);
    const Millis after = time == 0 ? kNever : time;
    const bool wanted = op.only == Touch::Only::always || (op.only == Touch::Only::if_none && before == kNever) ||
                        (op.only == Touch::Only::if_any && before != kNever) ||
                        (op.only == Touch::Only::if_later && after > before && before != kNever) ||
                        (op.only == Touch::Only::if_earlier && after < before) ||
                        (op.only == Touch::Only::if_any_earlier && before != kNever && after < before);
    if (!wanted || before == after) {
      result.number = wanted && after != kNever ? 1 : 0;
      return true;
    }
    result.number = 1;
    if (time != 0 && time <= at_.now)
      keys_.erase(op.key);
    else
      keys_.touch(op.key, time);
    return true;
  }

  void change_value(std::string_view key, const Item* old, Bytes value) {
    if (old == nullptr)
      keys_.put(key, std::move(value));
    else
      keys_.put(key, std::move(value), std::string(old->content_type()), old->lease(),
                WH_MUTANT(counter_loses_its_ttl) ? 0 : old->expires_at());
  }

  template <typename OtherOp>
  bool run(const OtherOp& /*op*/, OpResult& /*result*/) {
    return true;
  }

  // --- the queues' part

  template <typename KeyOp>
  void finish(const KeyOp& /*op*/, OpResult& /*result*/) {}

  void finish(const EnqueueEvent& op, OpResult& result) {
    Queue& queue = queues_.ensure(op.queue);
    result.number = queues_.add(queue, machine_.copy_of(op.event));
    queues_.drop_overflow(queue, 1);
  }

  void finish(const CountReady& op, OpResult& result) {
    const Queue* queue = queues_.find(op.queue);
    result.number = queue == nullptr ? 0 : queue->content->ready_count;
  }

  void finish(const SettleEvent& op, OpResult& /*result*/) {
    Queue* queue = queues_.find(op.queue);
    if (queue == nullptr) return;
    (void)queues_.settle(*queue, Settle{.queue = op.queue, .verb = op.verb, .receipts = {}, .duration = op.delay},
                         op.receipt);
  }

  struct Planned {
    QueueOps::Sum arriving;
    QueueOps::Sum leaving;
    std::set<uint64_t> settled;
  };

  const Machine& machine_;
  Store& store_;
  const StoreMoment& at_;
  StoreOps& keys_;
  QueueOps& queues_;
  std::map<std::string, Planned> planned_;
  size_t new_queues_ = 0;
  size_t sweep_budget_ = kDueEventsPerEntry;  // for all queues together
  size_t erased_ = 0;
  uint64_t appended_ = 0;  // bytes of the values that it appends to, which are copied
  uint64_t answered_ = 0;  // bytes of the answer
  uint32_t items_ = 0;     // and items in it
  ReplyCode code_ = ReplyCode::ok;
  std::string why_;
};

Reply Machine::run(const Transact& transact) {
  const StoreMoment at = store_moment();
  StoreOps keys(state_.store, at, *this, history_, effects_);
  QueueOps queues(state_.queues, moment(), *this);
  TransactionRun run(*this, state_.store, at, keys, queues);
  const bool compare_last = WH_MUTANT(compared_after_apply);
  const bool held = compare_last || run.all_hold(transact.compares);
  Result<std::vector<OpResult>, Reply> results = run.run(held ? transact.success : transact.failure);
  if (!results) return results.error();
  const bool succeeded = compare_last ? run.all_hold(transact.compares) : held;
  Reply reply{.code = succeeded || !transact.must_hold ? ReplyCode::ok : ReplyCode::precondition_failed,
              .count = succeeded ? 1U : 0U};
  reply.results = std::move(*results);
  return reply;
}

uint64_t Machine::growth_by(const Transact& transact) const {
  const auto of = [this](const std::vector<Op>& ops) {
    uint64_t total = 0;
    for (const Op& op : ops) {
      if (const auto* put = std::get_if<PutKey>(&op))
        total += growth_of(put->key, put->value.size() + extra_bytes(*put));
      else if (const auto* append = std::get_if<Append>(&op))
        total += append->key.size() + append->bytes.size() + Store::kOverhead;
      else if (const auto* increment = std::get_if<Increment>(&op); increment != nullptr && !exists(increment->key))
        total += growth_of(increment->key, 20);
      else if (const auto* enqueue = std::get_if<EnqueueEvent>(&op))
        total += growth_by(PutEvents{enqueue->queue, {enqueue->event}});
    }
    return total;
  };
  return std::max(of(transact.success), of(transact.failure));
}

}  // namespace wh::machine
