// The debug port as the server speaks it: the connections, and the way from a command to a call and from its completion
// to the reply. The commands themselves are in commands.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/byte_stream.h"
#include "debug/connection.h"
#include "server/calls.h"
#include "server/commands.h"

namespace wh {

class DebugFront final : public debug::CommandHandler, public CallOwner {
 public:
  // All must outlive it; `now` is set by the owner at every turn.
  DebugFront(CommandContext context, Calls& calls, const Millis& now);

  void accept(std::unique_ptr<ByteStream> stream);
  // Answers an error and closes: there are `maxclients` already.
  void turn_away(std::unique_ptr<ByteStream> stream);
  void check_deadlines();
  void drain();
  void reconfigure();
  void bury() { ended_.clear(); }

  [[nodiscard]] size_t connections() const { return connections_.size(); }
  [[nodiscard]] const debug::Counters& counters() const { return service_.counters; }
  [[nodiscard]] uint64_t accepted() const { return next_connection_ - 1; }

  void on_command(debug::CommandId id, const debug::Command& command, std::vector<std::string>&& arguments) override;
  void on_closed(uint64_t connection) override;
  void on_completion(const node::Completion& completion) override;

 private:
  struct Pending {
    debug::CommandId id;
    const CommandSpec* spec;
    CommandMemory memory;
  };
  void reply(debug::CommandId id, std::string resp);

  CommandContext context_;
  Calls& calls_;
  const Millis& now_;
  debug::CommandTable table_;
  debug::Service service_;
  std::string password_;  // as of the last reconfigure()
  std::unordered_map<uint64_t, std::unique_ptr<debug::Connection>> connections_;
  std::vector<std::unique_ptr<debug::Connection>> ended_;
  std::unordered_map<node::Token, Pending> pending_;
  uint64_t next_connection_ = 1;
};

}  // namespace wh
