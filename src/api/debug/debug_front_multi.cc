// EXEC: the commands since MULTI as one transaction of the log, and its results as their replies.
#include <utility>

#include "api/debug/debug_front.h"
#include "api/transaction_parts.h"
#include "debug/resp.h"
#include "machine/command/reply.h"
#include "net/loop.h"

namespace wh::api {
namespace {

std::string not_part_of_one(const debug::Command& command) {
  return debug::error_reply(debug::ErrorWord::err,
                            debug::upper_case(command.name) +
                                " cannot be part of a transaction here: only commands on keys can, but KEYS, SCAN, "
                                "RANDOMKEY and DBSIZE, and RPUSH, ADDJOB, LLEN, QLEN, PING, ECHO, SELECT 0");
}

bool can_be_part(const CommandCall& call) {
  if (call.of_connections || call.for_client || call.check || call.none_where_absent) return false;
  if (call.operations.empty()) return !call.reply.empty();
  return call.operations.size() == 1 && as_part(call.operations.front()).has_value();
}

}  // namespace

// The commands of one EXEC, in their order, until its answer.
struct DebugFront::Multi {
  struct Part {
    const CommandSpec* spec = nullptr;
    std::vector<std::string> arguments;  // at which the call points
    CommandCall call{};
    PartPlace place{};
    std::string reply;  // known before
  };
  std::vector<Part> parts;
  std::vector<debug::WatchedKey> watched;
};

std::string DebugFront::refuse_within_multi(const debug::Command& command, const std::vector<std::string>& arguments) {
  if (command.builtin != debug::Builtin::none) return not_part_of_one(command);
  std::vector<std::string> words = arguments;
  const CommandBegun begun = command_specs()[static_cast<size_t>(command.tag)].begin(words);
  if (!begun) return refusal_reply(begun.error(), is_write(command));
  if (!can_be_part(*begun)) return not_part_of_one(command);
  for (const Operation& operation : begun->operations)
    if (const auto refusal = check_bounds(operation)) return refusal_reply(*refusal, is_write(command));
  return {};
}

void DebugFront::on_transaction(debug::CommandId id, const debug::Command& exec, debug::Transaction&& transaction,
                                std::vector<debug::WatchedKey>&& watched) {
  static const CommandSpec kExec{.command = exec, .begin = nullptr, .finish = nullptr};
  const std::vector<std::string> words{std::string(exec.name)};
  const auto asked = std::make_shared<Asked>(id, &kExec, net::Loop::micros(), slow_log_.clipped(words));
  const auto multi = std::make_shared<Multi>();
  multi->watched = std::move(watched);
  machine::Transact all{.compares = {}, .success = {}, .failure = {}, .must_hold = true};
  for (const debug::WatchedKey& one : multi->watched)
    all.compares.push_back({machine::CompareTarget::mod_index, machine::CompareOp::equal, one.key, one.mod_index});
  multi->parts.reserve(transaction.commands.size());  // nothing may move them: operations point at their words
  for (debug::Transaction::Queued& queued : transaction.commands) {
    ++by_command_[queued.command->name].calls;
    show_to_monitors(id, *queued.command, queued.arguments);
    Multi::Part& part = multi->parts.emplace_back();
    part.arguments = std::move(queued.arguments);
    part.reply = std::move(queued.reply);
    if (!part.reply.empty()) continue;
    part.spec = &command_specs()[static_cast<size_t>(queued.command->tag)];
    CommandBegun begun = part.spec->begin(part.arguments);
    if (!begun) return reply(*asked, OrRefusal<Answer>(begun.error()));
    part.call = std::move(*begun);
    if (part.call.operations.empty())
      part.reply = std::move(part.call.reply);
    else
      part.place = add_part(*as_part(part.call.operations.front()), all.success);
  }
  show_to_monitors(id, exec, words);
  if (all.success.empty() && all.compares.empty()) return reply(*asked, replies(*multi, {}, {}));
  if (all.success.empty()) all.success.emplace_back(machine::GetKey{multi->watched.front().key, false});
  asked->multi = multi;
  asked->left = 1;
  start(asked, Write{std::move(all)});
}

// The answers to all of them.
std::string DebugFront::replies(Multi& multi, raft::Index index, std::vector<machine::OpResult> results) {
  std::string all = debug::array_header(multi.parts.size());
  std::deque<machine::Item> kept;
  for (Multi::Part& part : multi.parts) {
    if (!part.reply.empty()) {
      all += part.reply;
      continue;
    }
    const Answer answer = answer_of_part(part.call.operations.front(), part.place, index, results, kept);
    all += part.call.finish ? part.call.finish(context_, answer) : part.spec->finish(context_, answer);
    kept.clear();
  }
  return all;
}

std::string DebugFront::reply_of_multi(Multi& multi, const OrRefusal<Answer>& answer) {
  if (answer) {
    auto done = std::get<Transacted>(answer->body);
    return done.held ? replies(multi, answer->index, std::move(done.results)) : debug::null_array_reply();
  }
  const Refusal& refusal = answer.error();
  const bool of_an_operation =
      refusal.not_applied && (refusal.kind == RefusalKind::conflict || refusal.kind == RefusalKind::not_found ||
                              refusal.kind == RefusalKind::too_many);
  if (!of_an_operation) return refusal_reply(refusal, true);
  const machine::RefusedPlace place = machine::place_of_refusal(refusal.sentence);
  std::string which;
  for (const Multi::Part& part : multi.parts)
    if (part.reply.empty() && part.place.first <= place.operation)
      which = std::to_string(&part - multi.parts.data() + 1) + " (" + std::string(part.spec->command.name) + ")";
  return debug::error_reply(debug::ErrorWord::execabort,
                            "Transaction discarded, and nothing of it was done, because of its command " + which +
                                ": " + std::string(reworded(place.why)));
}

}  // namespace wh::api
