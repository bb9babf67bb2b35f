// Histories for the checkers' tests: a real machine runs operations one after another, and each gets an interval around
// the moment it took effect, so the intervals overlap and the history is linearizable. Also ways to spoil a history.
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "machine/command/command.h"
#include "machine/machine.h"
#include "sim/opinion/history.h"

namespace wh::sim {

class RandomHistory {
 public:
  RandomHistory(Prng& prng, size_t operations, uint64_t wide) : prng_(prng) {
    for (size_t i = 0; i < operations; ++i) {
      Op& op = ops.emplace_back();
      op.id = ops.size();
      const uint64_t moment = (i + 1) * 10;
      op.invoked = moment - std::min(moment, prng.below(wide));
      op.returned = moment + prng.below(wide);
      op.done = true;
      op.outcome = node::Outcome::applied;
      fill(op);
      if (op.is_read()) {
        read(op);
      } else {
        write(op);
      }
    }
  }
  RandomHistory(const RandomHistory&) = delete;
  RandomHistory& operator=(const RandomHistory&) = delete;

  [[nodiscard]] std::vector<const Op*> pointers() const {
    std::vector<const Op*> result;
    for (const Op& op : ops) result.push_back(&op);
    return result;
  }

  // Each of these makes it wrong, whatever else is in it. False: there is nothing to do that to.
  // Two reads tell what the other saw.
  bool swap_answers() {
    for (int tries = 0; tries < 50; ++tries) {
      Op& a = ops[prng_.below(ops.size())];
      Op& b = ops[prng_.below(ops.size())];
      if (a.kind != b.kind || a.key != b.key || (a.kind != OpKind::get && a.kind != OpKind::front)) continue;
      if (a.found == b.found && a.value == b.value) continue;
      std::swap(a.found, b.found);
      std::swap(a.value, b.value);
      std::swap(a.event_id, b.event_id);
      return true;
    }
    return false;
  }
  // An event that was removed was never put in.
  bool drop_enqueue() {
    for (const Op& removal : ops) {
      if (removal.kind != OpKind::dequeue || !removal.applied() || removal.reply->count == 0) continue;
      const raft::Index index = removal.reply->event_id;
      std::erase_if(log, [&](const LogRecord& record) { return record.index == index; });
      Op& op = *std::find_if(ops.begin(), ops.end(), [&](const Op& other) {
        return other.kind == OpKind::enqueue && other.value == removal.reply->event.view();
      });
      op.done = true;
      op.outcome = node::Outcome::dropped;
      return true;
    }
    return false;
  }
  // Somebody else is told that he removed the same event.
  bool duplicate_removal() {
    for (const Op& removal : ops) {
      if (removal.kind != OpKind::dequeue || !removal.applied() || removal.reply->count == 0) continue;
      Op& copy = ops.emplace_back(removal);
      copy.id = ops.size();
      copy.invoked += 3;
      copy.returned += 3;
      return true;
    }
    return false;
  }
  // A read took place much later than it did, though something else was written since.
  bool delay_read() {
    const auto last = std::find_if(ops.rbegin(), ops.rend(), [](const Op& op) {
      return (op.kind == OpKind::set || op.kind == OpKind::enqueue) && op.applied();
    });
    if (last == ops.rend()) return false;
    for (Op& op : ops) {
      if (!op.is_read() || !op.applied() || op.stale || op.index >= last->index) continue;
      op.invoked = last->returned + 1;
      op.returned = op.invoked + 5;
      return true;
    }
    return false;
  }

  std::deque<Op> ops;
  std::vector<LogRecord> log;

 private:
  void fill(Op& op) {
    static constexpr OpKind kMix[] = {OpKind::set,     OpKind::set,   OpKind::get, OpKind::get,    OpKind::enqueue,
                                      OpKind::dequeue, OpKind::front, OpKind::del, OpKind::length, OpKind::count};
    op.kind = kMix[prng_.below(std::size(kMix))];
    const auto any_key = [&] { return "k" + std::to_string(prng_.below(2)); };
    machine::Body body;
    const std::string tag = std::to_string(op.id);
    switch (op.kind) {
      case OpKind::set: {
        const size_t pairs = prng_.between(1, 2);
        for (size_t i = 0; i < pairs; ++i) op.pairs.emplace_back(any_key(), "v" + tag + "." + std::to_string(i));
        machine::Set set;
        for (const auto& [key, value] : op.pairs) set.pairs.emplace_back(key, value);
        body = std::move(set);
        break;
      }
      case OpKind::del:
        op.keys.push_back(any_key());
        if (prng_.below(3) == 0) op.keys.push_back(any_key());
        body = machine::Delete{{op.keys.begin(), op.keys.end()}};
        break;
      case OpKind::get:
        op.key = any_key();
        return;
      case OpKind::count:
        return;
      default:
        op.key = prng_.below(4) == 0 ? "jobs" : "event";
        if (op.is_read()) return;
        op.value = "e" + tag;
        body = machine::Enqueue{op.key, op.value};
        if (op.kind != OpKind::dequeue) break;
        op.value.clear();
        if (seen_ != 0 && prng_.below(3) == 0) op.only_if_front = seen_;
        body = machine::Dequeue{op.key, op.only_if_front};
    }
    op.command = machine::encode_command(body);
  }

  void write(Op& op) {
    const uint64_t fate = prng_.below(10);
    if (fate >= 8) {  // no answer: it happened, or not
      op.done = false;
      op.outcome = node::Outcome::unknown;
      op.returned = UINT64_MAX;
    }
    if (fate == 7) op.outcome = node::Outcome::dropped;
    if (fate == 7 || fate == 9) return;
    const raft::Index index = machine_.applied() + 1;
    const std::string& command = commands_.emplace_back(op.command);
    const machine::Reply reply = machine_.apply(index, 0, command).reply;
    log.push_back({.index = index, .command = command, .op = &op});
    if (!op.applied()) return;
    op.index = index;
    op.reply = reply;
  }

  void read(Op& op) {
    op.index = machine_.applied();
    switch (op.kind) {
      case OpKind::get:
        op.found = machine_.exists(op.key);
        if (op.found) op.value = machine_.get(op.key)->view();
        break;
      case OpKind::front: {
        const machine::Event* event = machine_.front(op.key);
        op.found = event != nullptr;
        if (!op.found) break;
        op.value = event->bytes.view();
        op.event_id = event->id();
        seen_ = op.event_id;
        break;
      }
      case OpKind::length:
        op.number = machine_.queue_length(op.key);
        break;
      default:
        op.number = machine_.key_count();
    }
    // Of a node that is behind, though as of its index it is right.
    if (prng_.below(6) != 0) return;
    op.stale = true;
    op.invoked += 200;
    op.returned += 200;
  }

  Prng& prng_;
  machine::Machine machine_;
  std::deque<std::string> commands_;
  uint64_t seen_ = 0;
};

}  // namespace wh::sim
