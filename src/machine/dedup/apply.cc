// Commands under an idempotency key, the answers that are kept for them, and their end.
#include <utility>

#include "base/assert.h"
#include "base/mutant.h"
#include "machine/machine.h"

namespace wh::machine {
namespace {

// The scope of an idempotency key: the store, or the command's queue.
std::string scope_of(const Body& body) {
  if (const auto* enqueue = std::get_if<Enqueue>(&body)) return "q" + std::string(enqueue->queue);
  if (const auto* dequeue = std::get_if<Dequeue>(&body)) return "q" + std::string(dequeue->queue);
  return {};
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
    return again;
  }
  Reply reply = run_body();
  if (reply.code == ReplyCode::ok) remember(scope, key, reply);
  return reply;
}

bool Machine::is_repeat(std::string_view command, Millis time_ms) const {
  const Result<Command> decoded = decode(command);
  if (!decoded || !decoded->idempotency) return false;
  const auto* answer = state_.idempotency.find(scope_of(decoded->body), decoded->idempotency->key);
  return answer != nullptr && answer->due > time_ms && answer->fingerprint == decoded->idempotency->fingerprint;
}

// The event that a Dequeue returned is not kept: its answer names the event.
void Machine::remember(std::string_view scope, const IdempotencyKey& key, const Reply& reply) {
  std::string name = IdempotencyKeys::name_of(scope, key.key);
  const auto& by_name = state_.idempotency.by_name();
  if (const auto old = by_name.find(name); old != by_name.end()) forget(*old);
  Reply kept = reply;
  kept.event = Bytes();
  state_.idempotency.add(std::move(name), {.fingerprint = key.fingerprint,
                                           .index = state_.applied,
                                           .due = state_.time_ms + state_.settings.dedup_window,
                                           .reply = Bytes(encode_reply(kept))});
  // Forgets a bounded number: lowered settings take effect gradually.
  for (size_t n = 0; n < kDuePerEntry; ++n) {
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
Millis Machine::next_deadline() const {
  constexpr Millis kTogetherMs = 1'000;
  const Millis due = state_.idempotency.next_deadline();
  return due == kNever ? kNever : due + kTogetherMs;
}

Reply Machine::run(const Due& /*due*/) {
  Reply reply;
  while (reply.count < kDuePerEntry) {
    const IdempotencyKeys::Item* due = state_.idempotency.next_due(state_.time_ms);
    if (due == nullptr) break;
    forget(*due);
    ++reply.count;
  }
  return reply;
}

}  // namespace wh::machine
