#include "api/debug/commands.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>

#include "api/member_view.h"
#include "base/log.h"
#include "config/option_table.h"
#include "debug/resp.h"
#include "machine/command/command.h"

namespace wh {
namespace {

using debug::bulk_reply;
using debug::error_reply;
using debug::ErrorWord;
using debug::integer_reply;
using debug::null_reply;

using Arguments = std::vector<std::string>;

CommandBegun write(const machine::Body& body) {
  if (const Status fits = machine::check(body); !fits) return error_reply(ErrorWord::err, fits.error());
  return std::pair{Call{.kind = CallKind::write, .command = machine::encode_body(body), .admin = {}}, CommandState{}};
}

CommandBegun read(const CommandContext& context, Arguments names) {
  const CallKind kind = context.options.read_consistency == ReadConsistency::stale ? CallKind::stale : CallKind::read;
  return std::pair{Call{.kind = kind, .command = {}, .admin = {}}, CommandState{std::move(names)}};
}

// The state machine's reply, or the error to answer.
std::variant<machine::Reply, std::string> reply_of(const node::Completion& completion) {
  if (completion.reply.code == machine::ReplyCode::invalid)
    return error_reply(ErrorWord::err, "the cluster does not know this command");
  if (completion.reply.code == machine::ReplyCode::duplicate)
    return error_reply(ErrorWord::unknown, "a copy of this request came before; its answer is not known here");
  return completion.reply;
}

// --- keys

CommandBegun begin_get(const CommandContext& context, Arguments& a) { return read(context, {std::move(a[1])}); }
std::string finish_get(const CommandContext& context, const CommandState& state, const node::Completion&) {
  const Bytes* value = context.node.machine().get(state.names[0]);
  return value == nullptr ? null_reply() : bulk_reply(value->view());
}

CommandBegun begin_set(const CommandContext&, Arguments& a) { return write(machine::Set{{{a[1], a[2]}}}); }
CommandBegun begin_mset(const CommandContext&, Arguments& a) {
  if (a.size() % 2 == 0) return error_reply(ErrorWord::err, "wrong number of arguments for 'mset' command");
  machine::Set set;
  for (size_t i = 1; i + 1 < a.size(); i += 2) set.pairs.emplace_back(a[i], a[i + 1]);
  return write(set);
}
std::string finish_ok(const CommandContext&, const CommandState&, const node::Completion& completion) {
  auto reply = reply_of(completion);
  if (auto* error = std::get_if<std::string>(&reply)) return std::move(*error);
  return debug::simple_reply("OK");
}

CommandBegun begin_del(const CommandContext&, Arguments& a) {
  machine::Delete del;
  for (size_t i = 1; i < a.size(); ++i) del.keys.emplace_back(a[i]);
  return write(del);
}
std::string finish_count(const CommandContext&, const CommandState&, const node::Completion& completion) {
  auto reply = reply_of(completion);
  if (auto* error = std::get_if<std::string>(&reply)) return std::move(*error);
  return integer_reply(static_cast<int64_t>(std::get<machine::Reply>(reply).count));
}

CommandBegun begin_exists(const CommandContext& context, Arguments& a) {
  a.erase(a.begin());
  return read(context, std::move(a));
}
std::string finish_exists(const CommandContext& context, const CommandState& state, const node::Completion&) {
  return integer_reply(std::count_if(state.names.begin(), state.names.end(),
                                     [&](const std::string& key) { return context.node.machine().exists(key); }));
}

CommandBegun begin_dbsize(const CommandContext& context, Arguments&) { return read(context, {}); }
std::string finish_dbsize(const CommandContext& context, const CommandState&, const node::Completion&) {
  return integer_reply(static_cast<int64_t>(context.node.machine().key_count()));
}

// --- queues

CommandBegun begin_rpush(const CommandContext&, Arguments& a) { return write(machine::Enqueue{a[1], a[2]}); }
std::string finish_rpush(const CommandContext&, const CommandState&, const node::Completion& completion) {
  auto reply = reply_of(completion);
  if (auto* error = std::get_if<std::string>(&reply)) return std::move(*error);
  return integer_reply(static_cast<int64_t>(std::get<machine::Reply>(reply).queue_length));
}

CommandBegun begin_lpop(const CommandContext&, Arguments& a) { return write(machine::Dequeue{a[1], std::nullopt}); }
std::string finish_lpop(const CommandContext&, const CommandState&, const node::Completion& completion) {
  auto decoded = reply_of(completion);
  if (auto* error = std::get_if<std::string>(&decoded)) return std::move(*error);
  const auto& reply = std::get<machine::Reply>(decoded);
  return reply.count == 0 ? null_reply() : bulk_reply(reply.event.view());
}

CommandBegun begin_lindex(const CommandContext& context, Arguments& a) {
  if (a[2] != "0") return error_reply(ErrorWord::err, "only the front of a queue can be looked at: LINDEX queue 0");
  return read(context, {std::move(a[1])});
}
std::string finish_lindex(const CommandContext& context, const CommandState& state, const node::Completion&) {
  const machine::Event* front = context.node.machine().front(state.names[0]);
  return front == nullptr ? null_reply() : bulk_reply(front->bytes.view());
}

CommandBegun begin_llen(const CommandContext& context, Arguments& a) { return read(context, {std::move(a[1])}); }
std::string finish_llen(const CommandContext& context, const CommandState& state, const node::Completion&) {
  return integer_reply(static_cast<int64_t>(context.node.machine().queue_length(state.names[0])));
}

// --- the server

CommandBegun begin_info(const CommandContext& context, Arguments& a) {
  return bulk_reply(context.info(std::span(a).subspan(1)));
}

CommandBegun begin_config(const CommandContext& context, Arguments& a) {
  const std::string verb = debug::lower_case(a[1]);
  if (verb == "get" && a.size() == 3) {
    const auto found = get_options(context.options, a[2]);
    std::string reply = debug::array_header(2 * found.size());
    for (const auto& [name, value] : found) reply += bulk_reply(name) + bulk_reply(value);
    return reply;
  }
  if (verb == "set" && a.size() == 4) {
    const Status done = context.configure(a[2], a[3]);
    return done ? debug::simple_reply("OK") : error_reply(ErrorWord::err, done.error());
  }
  if (verb == "resetstat" && a.size() == 2) {
    context.reset_counters();
    return debug::simple_reply("OK");
  }
  return error_reply(ErrorWord::err, "CONFIG GET pattern, CONFIG SET directive value, or CONFIG RESETSTAT");
}

// Redis's entry of six: id, Unix time, microseconds, words, client, its name.
std::string slow_entry_reply(const SlowLog::Entry& entry) {
  std::string reply = debug::array_header(6) + integer_reply(static_cast<int64_t>(entry.id)) +
                      integer_reply(entry.unix_s) + integer_reply(static_cast<int64_t>(entry.took_us)) +
                      debug::array_header(entry.arguments.size());
  for (const std::string& word : entry.arguments) reply += bulk_reply(word);
  return reply + bulk_reply(entry.client) + bulk_reply(entry.surface);
}

CommandBegun begin_slowlog(const CommandContext& context, Arguments& a) {
  static constexpr std::string_view kHelp[] = {
      "SLOWLOG <subcommand> [<arg>]. Subcommands are:",
      "GET [<count>]",
      "    Return the newest <count> entries, default 10, -1 for all: id, Unix time,",
      "    microseconds, words, client, and whether it came by HTTP.",
      "LEN",
      "    Return the number of entries.",
      "RESET",
      "    Forget them.",
      "HELP",
      "    Print this help.",
  };
  const std::string verb = debug::lower_case(a[1]);
  if (verb == "get" && a.size() <= 3) {
    int64_t count = 10;
    if (a.size() == 3) {
      const auto [end, error] = std::from_chars(a[2].data(), a[2].data() + a[2].size(), count);
      if (error != std::errc() || end != a[2].data() + a[2].size() || count < -1)
        return error_reply(ErrorWord::err, "count should be greater than or equal to -1");
    }
    const auto entries = context.slow_log.newest(count < 0 ? SIZE_MAX : static_cast<size_t>(count));
    std::string reply = debug::array_header(entries.size());
    for (const SlowLog::Entry& entry : entries) reply += slow_entry_reply(entry);
    return reply;
  }
  if (verb == "len" && a.size() == 2) return integer_reply(static_cast<int64_t>(context.slow_log.size()));
  if (verb == "reset" && a.size() == 2) {
    context.slow_log.reset();
    return debug::simple_reply("OK");
  }
  if (verb == "help" && a.size() == 2) {
    std::string reply = debug::array_header(std::size(kHelp));
    for (const std::string_view line : kHelp) reply += debug::simple_reply(line);
    return reply;
  }
  return error_reply(ErrorWord::err, "unknown subcommand or wrong number of arguments: try SLOWLOG HELP");
}

CommandBegun begin_cluster(const CommandContext& context, Arguments&) {
  std::string text;
  for (const MemberView& member : member_views(context.node)) {
    const bool leads = context.node.leader() != nullptr && context.node.leader()->name == member.name;
    text += printable(member.name) + " " + member.raft_address + " " + (member.voter ? "voter" : "learner") + " " +
            (leads ? "leader" : "follower");
    if (!member.status.empty()) text += " " + member.status;
    if (member.match_index) text += " match_index=" + std::to_string(*member.match_index);
    text += "\r\n";
  }
  return bulk_reply(text);
}

}  // namespace

const std::vector<CommandSpec>& command_specs() {
  using debug::Overlap;
  static const std::vector<CommandSpec> specs{
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
       finish_ok},
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
       finish_ok},
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
       finish_exists},
      {{.name = "dbsize", .arity = 1, .flags = "readonly fast", .parameters = "", .summary = "How many keys there are"},
       begin_dbsize,
       finish_dbsize},
      {{.name = "rpush",
        .arity = 3,
        .overlap = Overlap::write,
        .flags = "write denyoom",
        .first_key = 1,
        .last_key = 1,
        .key_step = 1,
        .parameters = "queue event",
        .summary = "Puts an event at the back; answers the queue's length"},
       begin_rpush,
       finish_rpush},
      {{.name = "lpop",
        .arity = 2,
        .overlap = Overlap::write,
        .flags = "write fast",
        .first_key = 1,
        .last_key = 1,
        .key_step = 1,
        .parameters = "queue",
        .summary = "Removes the front event and answers it, or nil"},
       begin_lpop,
       finish_lpop},
      {{.name = "lindex",
        .arity = 3,
        .flags = "readonly",
        .first_key = 1,
        .last_key = 1,
        .key_step = 1,
        .parameters = "queue 0",
        .summary = "The front event, or nil"},
       begin_lindex,
       finish_lindex},
      {{.name = "llen",
        .arity = 2,
        .flags = "readonly fast",
        .first_key = 1,
        .last_key = 1,
        .key_step = 1,
        .parameters = "queue",
        .summary = "How many events a queue holds"},
       begin_llen,
       finish_llen},
      {{.name = "info",
        .arity = -1,
        .flags = "loading stale",
        .parameters = "[section ...]",
        .summary = "How this node and its cluster fare"},
       begin_info,
       nullptr},
      {{.name = "config",
        .arity = -2,
        .flags = "admin loading stale",
        .parameters = "GET pattern | SET directive value | RESETSTAT",
        .summary = "Reads the directives, changes one until the next start, or counts from nothing again"},
       begin_config,
       nullptr},
      {{.name = "slowlog",
        .arity = -2,
        .flags = "admin loading stale",
        .parameters = "GET [count] | LEN | RESET | HELP",
        .summary = "The requests that took long"},
       begin_slowlog,
       nullptr},
      {{.name = "cluster", .arity = 1, .flags = "stale", .parameters = "", .summary = "The members, a line each"},
       begin_cluster,
       nullptr},
  };
  return specs;
}

std::vector<debug::Command> debug_commands() {
  std::vector<debug::Command> commands;
  for (const CommandSpec& spec : command_specs()) {
    commands.push_back(spec.command);
    commands.back().tag = static_cast<int>(commands.size()) - 1;
  }
  return commands;
}

void hide_secrets(const debug::Command& command, std::vector<std::string>& words) {
  size_t first = words.size();
  if (command.builtin == debug::Builtin::auth) first = 1;
  // Also of the form with several pairs, which is refused, but was sent.
  if (command.name == "config" && words.size() > 3 && debug::lower_case(words[1]) == "set")
    for (size_t i = 2; i + 1 < words.size() && first == words.size(); ++i)
      if (hides_value(words[i])) first = i + 1;
  for (size_t i = first; i < words.size(); ++i) words[i] = "(redacted)";
}

std::string outcome_reply(const node::Completion& completion, bool write) {
  const ErrorWord not_done = write ? ErrorWord::notapplied : ErrorWord::err;
  switch (completion.outcome) {
    case node::Outcome::not_leader:
    case node::Outcome::dropped:
      return error_reply(
          not_done, completion.sentence.empty() ? "no leader could take this in time" : printable(completion.sentence));
    case node::Outcome::overloaded:
      return error_reply(not_done, "too much is in progress (directive raft-max-uncommitted): try again");
    case node::Outcome::no_room:
      return error_reply(ErrorWord::oom, completion.sentence);
    case node::Outcome::shutting_down:
      return error_reply(not_done, "this node is shutting down");
    default:
      return error_reply(ErrorWord::unknown, "no answer in time: it may still take effect, at most once");
  }
}

}  // namespace wh
