// The connection's part of transactions: what MULTI, EXEC, DISCARD, WATCH and UNWATCH do to the commands around them.
// From MULTI on commands are kept, and answered QUEUED; EXEC hands all of them to the handler as one. A command that
// was refused meanwhile makes EXEC refuse them all.
#include <algorithm>
#include <utility>

#include "debug/connection.h"

namespace wh::debug {
namespace {

size_t memory_of(const std::vector<std::string>& words) {
  size_t bytes = 0;
  for (const std::string& word : words) bytes += sizeof(std::string) + word.size();
  return bytes;
}

}  // namespace

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

// Whether the command is one of those that MULTI keeps. If so, its answer is in `answer`.
bool Connection::keep_for_exec(const Command& command, std::vector<std::string>& arguments, std::string& answer) {
  if (!transaction_ || command.builtin == Builtin::quit || command.builtin == Builtin::reset ||
      command.builtin == Builtin::exec || command.builtin == Builtin::discard)
    return false;
  // The password changed meanwhile.
  if ((command.builtin == Builtin::auth || command.builtin == Builtin::hello) && !trusted()) return false;
  Transaction& transaction = *transaction_;
  if (command.builtin == Builtin::multi) {
    answer = error_reply(ErrorWord::err, "MULTI calls can not be nested");
    return true;
  }
  if (command.name == "watch") {
    answer = error_reply(ErrorWord::err, "WATCH inside MULTI is not allowed");
    return true;
  }
  std::string reply = constant_reply(command, arguments);
  if (reply.starts_with('-')) answer = std::move(reply);
  const size_t bytes = memory_of(arguments) + reply.size();
  if (transaction.commands.size() == kMaxTransactionCommands || transaction.bytes + bytes > kMaxTransactionBytes)
    answer = error_reply(ErrorWord::err, "a transaction has at most 1000 commands and 4194304 bytes");
  else if (reply.empty() && answer.empty())
    answer = service_.handler.refuse_within_multi(command, arguments);
  transaction.refused = transaction.refused || !answer.empty();
  if (answer.empty()) answer = simple_reply("QUEUED");
  if (transaction.refused) {
    transaction.commands.clear();
    transaction.bytes = 0;
    return true;
  }
  transaction.bytes += bytes;
  transaction.commands.push_back({&command, std::move(arguments), std::move(reply)});
  return true;
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
