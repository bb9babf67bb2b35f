// WATCH. MULTI, EXEC, DISCARD and UNWATCH are the connection's own; what EXEC does is in debug_front_multi.cc.
#include <utility>

#include "api/debug/commands.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

using debug::WatchedKey;
using Arguments = std::vector<std::string>;

// Remembers the keys' numbers as this node's state has them by now, so that what changes a key later is seen.
CommandBegun begin_watch(Arguments& a) {
  a.erase(a.begin());
  std::vector<std::string> keys = a;
  CommandBegun call = begun(Read{GetKeys{.keys = std::move(a), .with_values = false}});
  call->for_client = [keys = std::move(keys)](debug::Connection& client, const Context& context, const Answer& answer) {
    const machine::Machine& machine = context.node.machine();
    if (machine.version() < 4)
      return debug::error_reply(debug::ErrorWord::err,
                                context.node.below_version_text(machine::Transact::kTraits.since));
    const auto& items = std::get<Values>(answer.body).items;
    std::vector<WatchedKey> watched;
    for (size_t i = 0; i < keys.size(); ++i)
      watched.push_back({keys[i], items[i] == nullptr ? 0 : machine.store().mod_index(*items[i])});
    if (!client.watch(std::move(watched)))
      return debug::error_reply(debug::ErrorWord::err,
                                "a connection watches at most 128 keys; EXEC, DISCARD and UNWATCH forget them");
    return debug::simple_reply("OK");
  };
  return call;
}

const CommandSpec kCommandsOfTransactions[] = {
    {{.name = "watch",
      .arity = -2,
      .flags = "readonly fast",
      .first_key = 1,
      .last_key = -1,
      .key_step = 1,
      .parameters = "key [key ...]",
      .summary = "EXEC runs nothing if one of these keys changes before it",
      .group = "transactions"},
     begin_watch,
     nullptr},
};

}  // namespace

std::span<const CommandSpec> transaction_commands() { return kCommandsOfTransactions; }

}  // namespace wh::api
