// The debug port as the server runs it: the connections, and the way from a command to a call and from its completion
// to the reply. The commands themselves are in commands*.cc.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/calls.h"
#include "api/client_admission.h"
#include "api/debug/commands.h"
#include "api/front_connections.h"
#include "api/slowlog.h"
#include "base/byte_stream.h"
#include "debug/connection.h"

namespace wh::api {

// Counts one command.
struct CommandCounters {
  uint64_t calls = 0;
  uint64_t took_us = 0;  // in all
};

class DebugFront final : public debug::CommandHandler, public CallOwner, public ClientFront {
 public:
  // All arguments must outlive this object; the owner sets `now` at every turn.
  DebugFront(Calls& calls, const Millis& now, BufferBudget& buffers);

  // What a client that speaks Redis's protocol without TLS is told at a port for TLS; empty for others: a web page that
  // tries this port learns nothing.
  static std::string plain_answer(std::string_view first_bytes);

  void accept(std::unique_ptr<ByteStream> stream);
  // Answers with an error and closes: there are `maxclients` already.
  void turn_away(std::unique_ptr<ByteStream> stream);
  void check_deadlines();
  void close_when_answered();
  void reconfigure();
  void reap() { connections_.reap(); }

  // Adds the connections that hold memory.
  void add_holders(std::vector<BufferHolder>& holders) const { connections_.add_holders(holders); }

  [[nodiscard]] size_t connections() const override { return connections_.size(); }
  void list(std::vector<uint64_t>& groups, std::vector<IdleClient>& idle) const override;
  bool end_idle(const IdleClient& client) override;
  [[nodiscard]] const debug::Counters& counters() const { return service_.counters; }
  // From a command's turn to its reply, without commands that the connection answers itself.
  [[nodiscard]] const Histogram& took_us() const { return took_us_; }
  // By name; only names of the table.
  [[nodiscard]] const std::map<std::string_view, CommandCounters>& by_command() const { return by_command_; }
  void reset_counters();

  void on_command(debug::CommandId id, const debug::Command& command, std::vector<std::string>&& arguments) override;
  void on_builtin(debug::CommandId id, const debug::Command& command,
                  const std::vector<std::string>& arguments) override;
  std::string refuse_within_multi(const debug::Command& command, const std::vector<std::string>& arguments) override;
  void on_transaction(debug::CommandId id, const debug::Command& exec, debug::Transaction&& transaction,
                      std::vector<debug::WatchedKey>&& watched) override;
  void on_abandoned(uint64_t call) override;
  void on_half_closed(uint64_t call) override;
  void on_closed(uint64_t connection) override;
  [[nodiscard]] bool asks_much(node::Token token) const override;
  void on_answer(node::Token token, OrRefusal<Answer> answer) override;

 private:
  struct Multi;
  // A command on its way to its reply.
  struct Asked {
    Asked(debug::CommandId which, const CommandSpec* row, uint64_t at, std::string&& words)
        : id(which), spec(row), at_us(at), shown(std::move(words)) {}
    debug::CommandId id;
    const CommandSpec* spec;
    uint64_t at_us;
    std::string shown;                 // for SLOWLOG: its words, clipped
    CommandFinish finish;              // in place of the row's
    ConnectionsFinish of_connections;  // in place of both
    ClientFinish for_client;           // in place of all of them
    std::shared_ptr<Multi> multi;      // of EXEC
    size_t left = 0;                   // operations not answered yet
    bool waits = false;                // a take
    bool none_where_absent = false;    // CommandCall
    std::optional<OrRefusal<Answer>> so_far;
  };
  void start(const std::shared_ptr<Asked>& asked, Operation operation);
  void gather(Asked& asked, OrRefusal<Answer> answer);
  bool end_waiting(const IdleClient& client);
  [[nodiscard]] const security::Principal& asking() const;
  std::string replies(Multi& multi, raft::Index index, std::vector<machine::OpResult> results);
  std::string reply_of_multi(Multi& multi, const OrRefusal<Answer>& answer);
  void reply(Asked& asked, std::string resp);
  void reply(Asked& asked, const OrRefusal<Answer>& answer);
  void show_to_monitors(debug::CommandId id, const debug::Command& command, const std::vector<std::string>& arguments);
  void note(debug::CommandId id, const debug::Command& command, uint64_t took_us, std::string_view shown);

  Calls& calls_;
  const Context& context_;
  SlowLog& slow_log_;
  const Millis& now_;
  debug::CommandTable table_;
  debug::Service service_;
  std::string password_;  // as of the last reconfigure()
  FrontConnections<debug::Connection> connections_;
  std::unordered_map<node::Token, std::shared_ptr<Asked>> pending_;
  // Refused connections that are still open, the oldest first; when there are more, the oldest is closed.
  static constexpr size_t kTurnedAway = 4;
  std::vector<uint64_t> turned_away_;
  Histogram took_us_;
  std::map<std::string_view, CommandCounters> by_command_;
};

}  // namespace wh::api
