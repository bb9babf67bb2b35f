// The key-value store's commands: GET SET MSET DEL EXISTS TYPE DBSIZE.
#include <utility>

#include "api/debug/commands.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

using debug::Overlap;
using Arguments = std::vector<std::string>;

CommandBegun begin_get(Arguments& a) { return begun(Read{GetKey{std::move(a[1])}}); }
std::string finish_get(const Context&, const Answer& answer) {
  const Bytes* value = std::get<Value>(answer.body).value();
  return value == nullptr ? debug::null_reply() : debug::bulk_reply(value->view());
}

CommandBegun begin_set(Arguments& a) { return begun(Write{machine::Set{{{a[1], a[2]}}}}); }
CommandBegun begin_mset(Arguments& a) {
  if (a.size() % 2 == 0) return malformed("wrong number of arguments for 'mset' command");
  machine::Set set;
  for (size_t i = 1; i + 1 < a.size(); i += 2) set.pairs.emplace_back(a[i], a[i + 1]);
  return begun(Write{std::move(set)});
}

CommandBegun begin_del(Arguments& a) {
  machine::Delete del;
  for (size_t i = 1; i < a.size(); ++i) del.keys.emplace_back(a[i]);
  return begun(Write{std::move(del)});
}

CommandBegun begin_exists(Arguments& a) {
  a.erase(a.begin());
  return begun(Read{CountExisting{std::move(a)}});
}

// Of keys alone, as queues are no keys.
CommandBegun begin_type(Arguments& a) { return begun(Read{CountExisting{{std::move(a[1])}}}); }
std::string finish_type(const Context&, const Answer& answer) {
  return debug::simple_reply(std::get<Count>(answer.body).count == 0 ? "none" : "string");
}

CommandBegun begin_dbsize(Arguments&) { return begun(Read{CountKeys{}}); }

const CommandSpec kCommandsOfKeys[] = {
    {{.name = "get",
      .arity = 2,
      .flags = "readonly fast",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "key",
      .summary = "The value of a key, or nil"},
     begin_get,
     finish_get},
    {{.name = "set",
      .arity = 3,
      .overlap = Overlap::write,
      .flags = "write denyoom",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "key value",
      .summary = "Sets a key"},
     begin_set,
     finish_done},
    {{.name = "mset",
      .arity = -3,
      .overlap = Overlap::write,
      .flags = "write denyoom",
      .first_key = 1,
      .last_key = -1,
      .key_step = 2,
      .parameters = "key value [key value ...]",
      .summary = "Sets several keys in one step"},
     begin_mset,
     finish_done},
    {{.name = "del",
      .arity = -2,
      .overlap = Overlap::write,
      .flags = "write",
      .first_key = 1,
      .last_key = -1,
      .key_step = 1,
      .parameters = "key [key ...]",
      .summary = "Removes keys; answers how many there were"},
     begin_del,
     finish_count},
    {{.name = "exists",
      .arity = -2,
      .flags = "readonly fast",
      .first_key = 1,
      .last_key = -1,
      .key_step = 1,
      .parameters = "key [key ...]",
      .summary = "How many of the keys exist"},
     begin_exists,
     finish_count},
    {{.name = "type",
      .arity = 2,
      .flags = "readonly fast",
      .first_key = 1,
      .last_key = 1,
      .key_step = 1,
      .parameters = "key",
      .summary = "Whether a key exists: string, or none"},
     begin_type,
     finish_type},
    {{.name = "dbsize", .arity = 1, .flags = "readonly fast", .parameters = "", .summary = "How many keys there are"},
     begin_dbsize,
     finish_count},
};

}  // namespace

std::span<const CommandSpec> key_commands() { return kCommandsOfKeys; }

}  // namespace wh::api
