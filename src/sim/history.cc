#include "sim/history.h"

#include <algorithm>
#include <deque>
#include <map>
#include <tuple>

#include "machine/command/command.h"
#include "machine/dedup/idempotency.h"

namespace wh::sim {
namespace {

// The state machine again, in the simplest form.
struct Model {
  std::map<std::string, std::string> keys;
  std::map<std::string, std::deque<std::pair<uint64_t, std::string>>> queues;

  // The first answers by scope and key, and the settings.
  struct First {
    machine::Fingerprint fingerprint;
    machine::Reply reply;
    uint64_t index;
    Millis due;
  };
  std::map<std::pair<std::string, std::string>, First> answers;
  machine::Settings settings;

  static std::string scope_of(const machine::Body& body) {
    if (const auto* enqueue = std::get_if<machine::Enqueue>(&body)) return "q" + std::string(enqueue->queue);
    if (const auto* dequeue = std::get_if<machine::Dequeue>(&body)) return "q" + std::string(dequeue->queue);
    return {};
  }

  auto oldest() {
    return std::min_element(answers.begin(), answers.end(),
                            [](const auto& a, const auto& b) { return a.second.index < b.second.index; });
  }
  // What expires first: ordered by time, then by the scope's length, as in the state.
  auto next_due() {
    const auto order = [](const auto& item) {
      const auto& [scope, key] = item.first;
      return std::tuple(item.second.due, machine::IdempotencyKeys::name_of(scope, key));
    };
    return std::min_element(answers.begin(), answers.end(),
                            [&](const auto& a, const auto& b) { return order(a) < order(b); });
  }

  [[nodiscard]] uint64_t answers_bytes() const {
    uint64_t bytes = 0;
    for (const auto& [name, first] : answers)
      bytes += machine::IdempotencyKeys::kOverhead + 4 + name.first.size() + name.second.size() +
               machine::encode_reply(first.reply).size();
    return bytes;
  }

  machine::Reply apply(uint64_t index, Millis now, const machine::Command& command) {
    if (!command.idempotency) return apply(index, now, command.body);
    const std::pair name(scope_of(command.body), std::string(command.idempotency->key));
    if (const auto at = answers.find(name); at != answers.end()) {
      if (at->second.due > now) {
        if (at->second.fingerprint != command.idempotency->fingerprint) return {.code = machine::ReplyCode::key_reused};
        machine::Reply again = at->second.reply;
        again.replayed_from = raft::Index{at->second.index};
        return again;
      }
    }
    machine::Reply reply = apply(index, now, command.body);
    if (reply.code != machine::ReplyCode::ok) return reply;
    machine::Reply kept = reply;
    kept.event = Bytes();
    answers[name] = {command.idempotency->fingerprint, kept, index, now + settings.dedup_window};
    while (answers.size() > settings.dedup_max_keys || answers_bytes() > settings.dedup_max_bytes) {
      const auto first = oldest();
      if (first->second.index == index) break;
      answers.erase(first);
    }
    return reply;
  }

  machine::Reply apply(uint64_t index, Millis now, const machine::Body& body) {
    machine::Reply reply;
    if (const auto* set = std::get_if<machine::Set>(&body)) {
      for (const auto& [key, value] : set->pairs) keys[std::string(key)] = value;
      reply.count = set->pairs.size();
    } else if (const auto* del = std::get_if<machine::Delete>(&body)) {
      for (const auto key : del->keys) reply.count += keys.erase(std::string(key));
    } else if (const auto* enqueue = std::get_if<machine::Enqueue>(&body)) {
      auto& queue = queues[std::string(enqueue->queue)];
      queue.emplace_back(index, std::string(enqueue->event));
      reply = {.event_id = raft::Index{index}, .count = 1, .queue_length = queue.size()};
    } else if (const auto* dequeue = std::get_if<machine::Dequeue>(&body)) {
      auto& queue = queues[std::string(dequeue->queue)];
      if (dequeue->only_if_front && (queue.empty() || queue.front().first != *dequeue->only_if_front)) {
        reply.code = machine::ReplyCode::precondition_failed;
        reply.queue_length = queue.size();
      } else if (!queue.empty()) {
        reply = {.event_id = raft::Index{queue.front().first},
                 .count = 1,
                 .queue_length = queue.size() - 1,
                 .event = Bytes(queue.front().second)};
        queue.pop_front();
      }
    } else if (const auto* put = std::get_if<machine::PutSettings>(&body)) {
      for (const auto& [name, value] : put->values) settings.*machine::find_setting(name)->value = value;
      reply.count = put->values.size();
      reply.event = Bytes(machine::encode_settings(settings, kLatestVersion));
    } else if (std::holds_alternative<machine::Due>(body)) {
      while (!answers.empty() && next_due()->second.due <= now && reply.count < machine::kDuePerEntry) {
        answers.erase(next_due());
        ++reply.count;
      }
    }
    return reply;
  }

  // In words, how a read's result differs from the model; empty when it does not.
  [[nodiscard]] std::string differs(const Op& op) const {
    std::string value;
    bool found = false;
    uint64_t event_id = 0;
    uint64_t number = 0;
    const auto queue = queues.find(op.key);
    if (op.kind == OpKind::get) {
      const auto it = keys.find(op.key);
      found = it != keys.end();
      if (found) value = it->second;
    } else if (op.kind == OpKind::count) {
      number = keys.size();
    } else if (queue != queues.end() && op.kind == OpKind::length) {
      number = queue->second.size();
    } else if (queue != queues.end()) {
      found = !queue->second.empty();
      if (found) std::tie(event_id, value) = queue->second.front();
    }
    if (found == op.found && value == op.value && event_id == op.event_id && number == op.number) return {};
    const auto words = [](bool there, const std::string& text, uint64_t id, uint64_t count) {
      return there ? "\"" + text + "\" (" + std::to_string(id) + ")" : "nothing (" + std::to_string(count) + ")";
    };
    return words(op.found, op.value, op.event_id, op.number) + " of " + op.key + ", and " +
           words(found, value, event_id, number) + " was there,";
  }
};

std::string name(const Op& op) { return "operation " + std::to_string(op.id); }

}  // namespace

std::string check_linearizable(const std::vector<const Op*>& ops, const std::vector<LogRecord>& log) {
  std::vector<const Op*> answered;  // by index, reads after writes
  for (const Op* op : ops)
    if (op->done && op->outcome == node::Outcome::applied) answered.push_back(op);
  std::stable_sort(answered.begin(), answered.end(), [](const Op* a, const Op* b) {
    return a->index != b->index ? a->index < b->index : a->is_read() < b->is_read();
  });
  Model model;
  uint64_t latest_invocation = 0;
  std::string latest;
  const auto in_order = [&](const Op& op) -> std::string {
    if (op.returned < latest_invocation)
      return name(op) + " at index " + std::to_string(op.index.value) + " had returned before " + latest +
             " was invoked, which comes before it";
    if (op.invoked > latest_invocation) {
      latest_invocation = op.invoked;
      latest = name(op);
    }
    return {};
  };
  uint64_t latest_write = 0;
  const auto written = [&](const Op& op) { latest_write = std::max(latest_write, op.invoked); };
  auto next = answered.begin();
  const auto reads_below = [&](uint64_t index) -> std::string {
    for (; next != answered.end() && (*next)->index.value < index; ++next) {
      const Op& op = **next;
      if (!op.is_read()) return name(op) + " was answered with an index where its command is not";
      if (op.stale && op.returned < latest_write)
        return name(op) + " saw index " + std::to_string(op.index.value) + " before that was asked for";
      if (!op.stale)
        if (std::string late = in_order(op); !late.empty()) return late;
      if (std::string wrong = model.differs(op); !wrong.empty())
        return name(op) + " read " + wrong + " at index " + std::to_string(op.index.value);
    }
    return {};
  };
  for (const LogRecord& record : log) {
    if (std::string wrong = reads_below(record.index.value); !wrong.empty()) return wrong;
    if (record.duplicate) continue;
    const auto command = machine::decode(record.command, record.version);
    if (!command) return "an entry that is no command at index " + std::to_string(record.index.value);
    const machine::Reply reply = model.apply(record.index.value, record.time_ms, *command);
    if (next == answered.end() || (*next)->index != record.index || (*next)->is_read()) {
      // No client was told; still it cannot take effect before it was requested.
      if (record.op != nullptr) written(*record.op);
      if (record.op != nullptr && record.op->invoked > latest_invocation) {
        latest_invocation = record.op->invoked;
        latest = name(*record.op);
      }
      continue;
    }
    const Op& op = **next++;
    if (op.body() != record.command.substr(machine::kEnvelopeBytes))
      return name(op) + " was answered for another command";
    if (std::string late = in_order(op); !late.empty()) return late;
    written(op);
    if (!op.reply || *op.reply != reply) return name(op) + " was answered with what did not happen";
    if (next != answered.end() && (*next)->index == record.index && !(*next)->is_read())
      return name(op) + " and " + name(**next) + " were answered for one entry";
  }
  return reads_below(UINT64_MAX);
}

}  // namespace wh::sim
