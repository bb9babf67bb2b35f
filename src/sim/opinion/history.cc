#include "sim/opinion/history.h"

#include <algorithm>

#include "machine/command/command.h"
#include "sim/checks/queue_compare.h"
#include "sim/opinion/model.h"
#include "sim/opinion/store_model.h"

namespace wh::sim {
namespace {

// The sentence that goes with a refusal is the machine's own.
bool same(machine::Reply reply, const machine::Reply& expected) {
  const bool refused = reply.code >= machine::ReplyCode::full && reply.code <= machine::ReplyCode::refused;
  if (refused) reply.event = Bytes();
  return reply == expected;
}

std::string name(const Op& op) { return "operation " + std::to_string(op.id); }

}  // namespace

std::string check_linearizable(const std::vector<const Op*>& ops, const std::vector<LogRecord>& log,
                               const machine::Machine* last) {
  std::vector<const Op*> answered;  // by index, reads after writes
  for (const Op* op : ops)
    if (op->done && op->outcome == node::Outcome::applied) answered.push_back(op);
  std::stable_sort(answered.begin(), answered.end(), [](const Op* a, const Op* b) {
    if (a->index != b->index) return a->index < b->index;
    return a->is_read() != b->is_read() ? b->is_read() : a->is_read() && a->invoked < b->invoked;
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
    if (record.duplicate || record.command.empty()) {
      model.advance(record.index.value, record.time_ms, record.version);
      continue;
    }
    const auto command = machine::decode(record.command, record.version);
    if (!command) return "an entry that is no command at index " + std::to_string(record.index.value);
    const machine::Reply reply = model.apply(record.index.value, record.time_ms, record.version, *command);
    const bool leaders_own = machine::is_leaders_own(record.command) ||
                             std::holds_alternative<machine::PutSettings>(command->body);  // as what it does is seen
    if (record.reply != nullptr && !leaders_own && !same(*record.reply, reply))
      return "the entry at index " + std::to_string(record.index.value) + " did what its command does not say";
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
    if (!op.reply || !same(*op.reply, reply)) return name(op) + " was answered with what did not happen";
    if (next != answered.end() && (*next)->index == record.index && !(*next)->is_read())
      return name(op) + " and " + name(**next) + " were answered for one entry";
  }
  if (std::string wrong = reads_below(UINT64_MAX); !wrong.empty() || last == nullptr) return wrong;
  if (std::string wrong = model::difference(model.queues(), *last); !wrong.empty()) return wrong;
  return model::difference(model.store(), *last);
}

}  // namespace wh::sim
