// Commands under an idempotency key, the answers that are kept for them, and their end.
#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"
#include "machine/machine.h"

namespace wh::machine {
namespace {

// The scope of an idempotency key: the store, the command's queue or its topic.
std::string scope_of(const Body& body) {
  return std::visit(
      []<typename T>(const T& one) -> std::string {
        if constexpr (requires { one.topic; })
          return "t" + std::string(one.topic);
        else if constexpr (std::is_same_v<T, Redrive>)
          return "q" + std::string(one.to);
        else if constexpr (requires { one.queue; })
          return "q" + std::string(one.queue);
        else
          return {};
      },
      body);
}

// An answer of more is kept without the results of its operations (CONTRACT, Asking again).
constexpr size_t kMaxKeptResults = 4'096;

// Nothing was found for a receive, all receipts were refused, or all events are held: that is not kept.
bool may_try_again(const Body& body, const Reply& reply) {
  if (std::holds_alternative<Receive>(body)) return reply.count == 0 || WH_MUTANT(repeat_receives_more);
  if (std::holds_alternative<RemoveEvents>(body))
    return std::all_of(reply.outcomes.begin(), reply.outcomes.end(),
                       [](SettleOutcome outcome) { return outcome == SettleOutcome::held; });
  const auto* settle = std::get_if<Settle>(&body);
  if (settle == nullptr) return false;
  return std::none_of(reply.outcomes.begin(), reply.outcomes.end(), [&](SettleOutcome outcome) {
    return outcome == SettleOutcome::done ||
           (outcome == SettleOutcome::gone && settle->verb == SettleVerb::acknowledge);
  });
}

// Whether a repeat is given the event, or the settings, of the first answer.
bool has_whole_answer(const Body& body) {
  const auto* dequeue = std::get_if<Dequeue>(&body);
  return std::holds_alternative<ConfigureQueue>(body) || (dequeue != nullptr && dequeue->keep_event);
}

}  // namespace

// A known key's answer replaces the command; an expired one does not count, even before a Due removed it. Only
// successes are kept: a refused request may be repeated.
Reply Machine::run(const Command& command) {
  const auto run_body = [&] { return std::visit([this](const auto& body) { return run(body); }, command.body); };
  if (!command.idempotency || WH_MUTANT(idempotency_key_ignored)) return run_body();
  const std::string scope = scope_of(command.body);
  const IdempotencyKey& key = *command.idempotency;
  if (const auto* answer = state_.idempotency.find(scope, key.key); answer != nullptr && answer->due > state_.time_ms) {
    if (answer->fingerprint != key.fingerprint) return {.code = ReplyCode::key_reused};
    const Result<Reply> first = decode_reply(answer->reply.view());
    WH_ASSERT(first, "a kept answer is one");
    Reply again = *first;
    again.replayed_from = answer->index;
    if (const auto* receive = std::get_if<Receive>(&command.body)) {
      again.deliveries = still_held(receive->queue, again.ids, answer->index);
      again.count = again.deliveries.size();
      again.ids.clear();
    }
    return again;
  }
  Reply reply = run_body();
  if (reply.code == ReplyCode::ok && !may_try_again(command.body, reply))
    remember(scope, key, reply, has_whole_answer(command.body));
  return reply;
}

bool Machine::is_repeat(std::string_view command, Millis time_ms) const {
  const Result<Command> decoded = decode(command);
  if (!decoded || !decoded->idempotency) return false;
  const auto* answer = state_.idempotency.find(scope_of(decoded->body), decoded->idempotency->key);
  return answer != nullptr && answer->due > time_ms && answer->fingerprint == decoded->idempotency->fingerprint;
}

void Machine::remember_once(std::string_view scope, const IdempotencyKey& key, const Reply& reply) {
  const auto* answer = state_.idempotency.find(scope, key.key);
  if (answer == nullptr || answer->due <= state_.time_ms) remember(scope, key, reply, false);
}

// A queue may have a window of its own.
Millis Machine::window_of(std::string_view scope) const {
  const Queue* queue = scope.starts_with('q') ? state_.queues.find(scope.substr(1)) : nullptr;
  return queue == nullptr ? state_.settings.dedup_window
                          : state_.queues.setting(*queue, QueueSetting::dedup_window, state_.settings);
}

// If not `whole`, the events that a Dequeue or a Receive returned are not kept: the answer names them.
void Machine::remember(std::string_view scope, const IdempotencyKey& key, const Reply& reply, bool whole) {
  std::string name = IdempotencyKeys::name_of(scope, key.key);
  const auto& by_name = state_.idempotency.by_name();
  if (const auto old = by_name.find(name); old != by_name.end()) forget(*old);
  Reply kept = reply;
  if (!whole) {
    kept.event = Bytes();
    for (const Delivery& one : kept.deliveries) kept.ids.push_back(one.id);
    kept.deliveries.clear();
    if (!kept.results.empty() && encode_reply(Reply{.results = kept.results}).size() > kMaxKeptResults) {
      kept.results.clear();
      kept.queue_length = 1;
    }
  }
  state_.idempotency.add(std::move(name), {.fingerprint = key.fingerprint,
                                           .index = state_.applied,
                                           .due = state_.time_ms + window_of(scope),
                                           .reply = Bytes(encode_reply(kept))});
  // An entry forgets a bounded number, whatever it remembers: lowered settings take effect gradually.
  if (evicted_at_ != state_.applied) evictions_ = 0;
  evicted_at_ = state_.applied;
  for (; evictions_ < kDuePerEntry; ++evictions_) {
    const IdempotencyKeys::Item* oldest = state_.idempotency.next_too_many(state_.settings);
    if (oldest == nullptr || oldest->second.index == state_.applied) break;
    ++idempotency_evicted_;
    forget(*oldest);
  }
}

void Machine::forget(const IdempotencyKeys::Item& item) {
  if (!WH_MUTANT(snapshot_without_barrier))
    for (auto& walk : walks_)
      if (walk) walk->keep_idempotency(item);
  state_.idempotency.remove(item);
}

// Expired answers do not count even before they are removed: so those of one second go together, and an idle cluster
// does not write an entry for each.
// Events are due at once: a consumer may wait for them.
Millis Machine::next_deadline() const {
  constexpr Millis kTogetherMs = 1'000;
  Millis next = state_.idempotency.next_deadline();
  if (next != kNever) next += kTogetherMs;
  next = std::min(next, state_.queues.next_hold());
  const Store& store = state_.store;
  if (!store.lease_dues().empty() && !WH_MUTANT(leases_end_unseen))
    next = std::min(next, store.lease_dues().begin()->first);
  Millis due = WH_MUTANT(delays_end_unseen) ? kNever : state_.queues.next_due();
  if (!store.dues().empty() && !WH_MUTANT(keys_end_unseen)) due = std::min(due, store.dues().begin()->first);
  return due == kNever ? next : std::min(next, due - std::min(due, state_.jumped_ms));
}

Reply Machine::run(const Due& /*due*/) {
  Reply reply;
  while (reply.count < kDuePerEntry) {
    const IdempotencyKeys::Item* due = state_.idempotency.next_due(state_.time_ms);
    if (due == nullptr) break;
    forget(*due);
    ++reply.count;
  }
  size_t budget = kDueEventsPerEntry;
  QueueOps ops(state_.queues, moment(), *this);
  (void)ops.sweep_all(budget);
  reply.count += kDueEventsPerEntry - budget;
  size_t of_keys = kDueKeysPerEntry;
  StoreOps(state_.store, store_moment(), *this, history_, effects_).sweep(of_keys);
  reply.count += kDueKeysPerEntry - of_keys;
  return reply;
}

}  // namespace wh::machine
