// A debug connection in memory: a stream that records what is written to it, and a handler that answers when told.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "debug/connection.h"
#include "debug/resp.h"

namespace wh::debug::test {

// Everything is taken by the kernel at once, unless `stuck`: then it stays pending until drain().
struct MemoryStream final : ByteStream {
  void set_handler(StreamHandler* to) override { handler = to; }
  void write(std::string_view bytes) override {
    output += bytes;
    if (stuck) pending += bytes.size();
  }
  void pause_reading() override { paused = true; }
  void resume_reading() override { paused = false; }
  void request_turn() override { turn_asked = true; }
  void close() override { closed = true; }
  void abort() override { aborted = true; }
  [[nodiscard]] size_t pending_bytes() const override { return pending; }
  [[nodiscard]] std::string peer_address() const override { return "192.0.2.7"; }
  [[nodiscard]] std::string local_address() const override { return "127.0.0.1"; }
  [[nodiscard]] bool peer_is_loopback() const override { return false; }
  [[nodiscard]] bool is_tls() const override { return false; }
  [[nodiscard]] bool peer_is_verified() const override { return false; }

  StreamHandler* handler = nullptr;
  std::string output;
  size_t pending = 0;
  bool stuck = false;
  bool turn_asked = false;
  bool paused = false;
  bool closed = false;
  bool aborted = false;
};

struct FakeHandler final : CommandHandler {
  struct Call {
    CommandId id;
    std::string name;
    std::vector<std::string> arguments;
  };
  void on_builtin(CommandId, const Command& command, const std::vector<std::string>&) override {
    builtins.emplace_back(command.name);
  }
  void on_command(CommandId id, const Command& command, std::vector<std::string>&& arguments) override {
    calls.push_back({id, std::string(command.name), std::move(arguments)});
    if (answer_at_once != nullptr) answer_at_once->reply(id.sequence, simple_reply("OK"));
  }
  std::string refuse_within_multi(const Command& command, const std::vector<std::string>& arguments) override {
    if (command.builtin == Builtin::auth) return error_reply(ErrorWord::err, "AUTH cannot be queued");
    if (command.builtin == Builtin::hello) return error_reply(ErrorWord::err, "HELLO cannot be queued");
    return command.name == "del" && arguments.size() > 2 ? error_reply(ErrorWord::err, "not in a transaction") : "";
  }
  void on_transaction(CommandId id, const Command& exec, Transaction&& transaction,
                      std::vector<WatchedKey>&& watched) override {
    calls.push_back({id, std::string(exec.name), {}});
    transactions.push_back(std::move(transaction));
    watches.push_back(std::move(watched));
  }
  void on_closed(uint64_t connection) override { closed.push_back(connection); }
  void on_abandoned(uint64_t call) override { abandoned.push_back(call); }

  std::vector<Call> calls;
  std::vector<uint64_t> abandoned;
  std::vector<std::string> builtins;
  std::vector<uint64_t> closed;
  std::vector<Transaction> transactions;
  std::vector<std::vector<WatchedKey>> watches;
  Connection* answer_at_once = nullptr;
};

inline std::vector<Command> sample_commands() {
  return {
      {.name = "get",
       .arity = 2,
       .flags = "readonly fast",
       .first_key = 1,
       .last_key = 1,
       .key_step = 1,
       .parameters = "key",
       .summary = "The value of a key"},
      {.name = "set",
       .arity = 3,
       .overlap = Overlap::write,
       .flags = "write denyoom",
       .first_key = 1,
       .last_key = 1,
       .key_step = 1,
       .parameters = "key value",
       .summary = "Set a key"},
      {.name = "del",
       .arity = -2,
       .overlap = Overlap::write,
       .flags = "write",
       .first_key = 1,
       .last_key = -1,
       .key_step = 1,
       .parameters = "key ...",
       .summary = "Remove keys"},
      {.name = "watch", .arity = -2, .parameters = "key ...", .summary = "Watch keys"},
      {.name = "client", .arity = -2, .parameters = "word ...", .summary = "Say something of clients"},
  };
}

// One connection with all that it needs.
struct Client {
  explicit Client(bool password = false, std::string_view refusal = {}) {
    service.settings.password_required = password;
    service.settings.check_password = [](std::string_view user, std::string_view given) {
      return user == "default" && given == "secret";
    };
    auto owned = std::make_unique<MemoryStream>();
    stream = owned.get();
    connection = std::make_unique<Connection>(7, std::move(owned), service, 1000, refusal);
  }
  ~Client() { set_log_sink(nullptr); }
  void send(std::string_view bytes) {
    stream->handler->on_data(bytes);
    take_turns();
  }
  void take_turns() {
    while (std::exchange(stream->turn_asked, false)) stream->handler->on_turn();
  }
  void send_bytewise(std::string_view bytes) {
    for (const char c : bytes) send(std::string_view(&c, 1));
  }
  // What was written since the last call.
  std::string read() { return std::exchange(stream->output, {}); }
  void answer(size_t call, std::string resp) {
    connection->reply(handler.calls[call].id.sequence, std::move(resp));
    take_turns();
  }
  void answer_at_once() { handler.answer_at_once = connection.get(); }
  void take_pending() {
    stream->pending = 0;
    stream->handler->on_drained();
    take_turns();
  }

  CommandTable commands{sample_commands()};
  FakeHandler handler;
  Service service{.commands = commands, .handler = handler};
  MemoryStream* stream = nullptr;
  std::unique_ptr<Connection> connection;
};

inline std::string resp_request(const std::vector<std::string>& words) {
  std::string out = array_header(words.size());
  for (const std::string& word : words) out += bulk_reply(word);
  return out;
}

}  // namespace wh::debug::test
