#include "sim/history.h"

#include <algorithm>
#include <deque>
#include <map>

#include "machine/command.h"

namespace wh::sim {
namespace {

// The state machine once more, in the simplest words.
struct Model {
  std::map<std::string, std::string> keys;
  std::map<std::string, std::deque<std::pair<uint64_t, std::string>>> queues;

  machine::Reply apply(uint64_t index, const machine::Body& body) {
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
    }
    return reply;
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
  auto next = answered.begin();
  const auto reads_below = [&](uint64_t index) -> std::string {
    for (; next != answered.end() && (*next)->index.value < index; ++next) {
      const Op& op = **next;
      if (!op.is_read()) return name(op) + " was answered with an index where its command is not";
      if (std::string late = in_order(op); !late.empty()) return late;
      std::string value;
      bool found = false;
      if (op.kind == OpKind::get) {
        const auto it = model.keys.find(op.key);
        found = it != model.keys.end();
        if (found) value = it->second;
      } else {
        const auto it = model.queues.find(op.key);
        found = it != model.queues.end() && !it->second.empty();
        if (found) value = it->second.front().second;
      }
      if (found != op.found || value != op.value)
        return name(op) + " read \"" + op.value + "\" of " + op.key + " at index " + std::to_string(op.index.value) +
               ", and \"" + value + "\" was there";
    }
    return {};
  };
  for (const LogRecord& record : log) {
    if (std::string wrong = reads_below(record.index.value); !wrong.empty()) return wrong;
    if (record.duplicate) continue;
    const auto command = machine::decode(record.command);
    if (!command) return "an entry that is no command at index " + std::to_string(record.index.value);
    const machine::Reply reply = model.apply(record.index.value, command->body);
    if (next == answered.end() || (*next)->index != record.index || (*next)->is_read()) {
      // Nobody was told; it still cannot have come before it was asked for.
      if (record.op != nullptr && record.op->invoked > latest_invocation) {
        latest_invocation = record.op->invoked;
        latest = name(*record.op);
      }
      continue;
    }
    const Op& op = **next++;
    if (op.body != record.command.substr(machine::kEnvelopeBytes))
      return name(op) + " was answered for another command";
    if (std::string late = in_order(op); !late.empty()) return late;
    if (!op.reply || *op.reply != reply) return name(op) + " was answered with what did not happen";
    if (next != answered.end() && (*next)->index == record.index && !(*next)->is_read())
      return name(op) + " and " + name(**next) + " were answered for one entry";
  }
  return reads_below(UINT64_MAX);
}

}  // namespace wh::sim
