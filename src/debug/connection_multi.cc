// The connection's part of transactions: what MULTI, EXEC, DISCARD, WATCH and UNWATCH do to the commands around them.
// From MULTI on commands are kept, and answered QUEUED; EXEC hands all of them to the handler as one. A command that
// was refused meanwhile makes EXEC refuse them all.
#include <algorithm>
#include <utility>

#include "debug/connection.h"

namespace wh::debug {

// Of a command that the connection itself answers, and that means the same within a transaction; empty: of another.
std::string Connection::constant_reply(const Command& command, const std::vector<std::string>& arguments) {
  switch (command.builtin) {
    case Builtin::ping:
      if (arguments.size() > 2) return wrong_arity_reply(command);
      return arguments.size() == 2 ? bulk_reply(arguments[1]) : simple_reply("PONG");
    case Builtin::echo:
      return bulk_reply(arguments[1]);
    case Builtin::select:
    case Builtin::unwatch:
      return simple_reply("OK");
    default:
      return {};
  }
}

// The answer to a command that MULTI keeps, or that it refuses; empty: the command is none of those.
std::string Connection::queue_for_exec(Request& request) {
  const Command& command = *request.command;
  if (!transaction_ || command.builtin == Builtin::quit || command.builtin == Builtin::reset ||
      command.builtin == Builtin::exec || command.builtin == Builtin::discard)
    return {};
  // The password changed meanwhile.
  if ((command.builtin == Builtin::auth || command.builtin == Builtin::hello) && !trusted()) return {};
  if (command.builtin == Builtin::multi) return error_reply(ErrorWord::err, "MULTI calls can not be nested");
  if (command.name == "watch") return error_reply(ErrorWord::err, "WATCH inside MULTI is not allowed");
  std::string reply = constant_reply(command, request.arguments);
  const size_t bytes = request.cost + reply.size();
  std::string refusal;
  if (transaction_->commands.size() == kMaxTransactionCommands || transaction_->bytes + bytes > kMaxTransactionBytes)
    refusal = error_reply(ErrorWord::err, "a transaction has at most 1000 commands and 4194304 bytes");
  else if (reply.starts_with('-'))
    refusal = reply;
  else if (reply.empty())
    refusal = service_.handler.refuse_within_multi(command, request.arguments);
  if (!refusal.empty()) {
    refuse_transaction();
    return refusal;
  }
  if (!transaction_->refused) {
    transaction_->bytes += bytes;
    transaction_->commands.push_back({&command, std::move(request.arguments), std::move(reply)});
  }
  return simple_reply("QUEUED");
}

// EXEC will refuse it: what was queued is not needed any more.
void Connection::refuse_transaction() {
  transaction_->refused = true;
  transaction_->commands.clear();
  transaction_->bytes = 0;
}

std::string Connection::begin_transaction() {
  transaction_.emplace();
  return simple_reply("OK");
}

std::string Connection::discard_transaction() {
  if (!transaction_) return error_reply(ErrorWord::err, "DISCARD without MULTI");
  transaction_.reset();
  forget_watched();
  return simple_reply("OK");
}

// What the transaction's end leaves is not watched any more, whatever becomes of it.
void Connection::execute(Request& request) {
  if (!transaction_) return set_answer(request, error_reply(ErrorWord::err, "EXEC without MULTI"));
  Transaction transaction = std::move(*transaction_);
  transaction_.reset();
  std::vector<WatchedKey> watched = std::move(watched_);
  forget_watched();
  // Until its answer the words are this client's memory.
  request.cost += transaction.bytes;
  queued_bytes_ += transaction.bytes;
  if (transaction.refused)
    return set_answer(request, error_reply(ErrorWord::execabort, "Transaction discarded because of previous errors."));
  service_.handler.on_transaction({.connection = id_, .sequence = request.sequence}, *request.command,
                                  std::move(transaction), std::move(watched));
}

bool Connection::watch(std::vector<WatchedKey> keys) {
  std::erase_if(keys, [this](const WatchedKey& one) {
    return std::any_of(watched_.begin(), watched_.end(), [&](const WatchedKey& old) { return old.key == one.key; });
  });
  if (watched_.size() + keys.size() > kMaxWatchedKeys) return false;
  for (WatchedKey& one : keys) {
    watched_bytes_ += sizeof(WatchedKey) + one.key.size();
    watched_.push_back(std::move(one));
  }
  count_held();
  return true;
}

void Connection::forget_watched() {
  watched_.clear();
  watched_bytes_ = 0;
}

}  // namespace wh::debug
