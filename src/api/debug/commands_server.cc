// The commands about the node itself: INFO CONFIG SLOWLOG CLUSTER.
#include <charconv>
#include <cstdint>
#include <iterator>
#include <utility>

#include "api/debug/commands.h"
#include "api/member_view.h"
#include "base/log.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

using debug::Overlap;
using Arguments = std::vector<std::string>;

CommandBegun begin_info(Arguments& a) {
  a.erase(a.begin());
  return begun(Local{ShowInfo{std::move(a)}});
}
std::string finish_info(const Context&, const Answer& answer) {
  return debug::bulk_reply(std::get<Report>(answer.body).text.view());
}

CommandBegun begin_config(Arguments& a) {
  const std::string verb = debug::lower_case(a[1]);
  if (verb == "get" && a.size() == 3) return begun(Local{GetDirectives{std::move(a[2])}});
  if (verb == "set" && a.size() == 4) return begun(Local{SetDirective{std::move(a[2]), std::move(a[3])}});
  if (verb == "resetstat" && a.size() == 2) return begun(Local{ResetCounters{}});
  return malformed("CONFIG GET pattern, CONFIG SET directive value, or CONFIG RESETSTAT");
}
std::string finish_config(const Context& context, const Answer& answer) {
  const auto* found = std::get_if<Directives>(&answer.body);
  if (found == nullptr) return finish_done(context, answer);
  std::string reply = debug::map_header(found->values.size());
  for (const auto& [name, value] : found->values) reply += debug::bulk_reply(name) + debug::bulk_reply(value);
  return reply;
}

// Redis's entry of six: id, Unix time, microseconds, words, client, the client's name.
std::string slow_entry_reply(const SlowLog::Entry& entry) {
  std::string reply = debug::array_header(6) + debug::integer_reply(static_cast<int64_t>(entry.id)) +
                      debug::integer_reply(entry.unix_s) + debug::integer_reply(static_cast<int64_t>(entry.took_us)) +
                      debug::array_header(entry.arguments.size());
  for (const std::string& word : entry.arguments) reply += debug::bulk_reply(word);
  return reply + debug::bulk_reply(entry.client) + debug::bulk_reply(entry.surface);
}

std::string slow_help() {
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
  std::string reply = debug::array_header(std::size(kHelp));
  for (const std::string_view line : kHelp) reply += debug::simple_reply(line);
  return reply;
}

CommandBegun begin_slow_get(const Arguments& a) {
  int64_t count = 10;
  if (a.size() == 3) {
    const auto [end, error] = std::from_chars(a[2].data(), a[2].data() + a[2].size(), count);
    if (error != std::errc() || end != a[2].data() + a[2].size() || count < -1)
      return malformed("count should be greater than or equal to -1");
  }
  return begun(Local{ShowSlowRequests{count < 0 ? SIZE_MAX : static_cast<size_t>(count)}});
}

CommandBegun begin_slowlog(Arguments& a) {
  const std::string verb = debug::lower_case(a[1]);
  if (verb == "get" && a.size() <= 3) return begin_slow_get(a);
  if (verb == "len" && a.size() == 2) return begun(Local{CountSlowRequests{}});
  if (verb == "reset" && a.size() == 2) return begun(Local{ForgetSlowRequests{}});
  if (verb == "help" && a.size() == 2) return answered(slow_help());
  return malformed("unknown subcommand or wrong number of arguments: try SLOWLOG HELP");
}
std::string finish_slowlog(const Context& context, const Answer& answer) {
  if (std::holds_alternative<Count>(answer.body)) return finish_count(context, answer);
  const auto* slow = std::get_if<SlowRequests>(&answer.body);
  if (slow == nullptr) return finish_done(context, answer);
  std::string reply = debug::array_header(slow->entries.size());
  for (const SlowLog::Entry& entry : slow->entries) reply += slow_entry_reply(entry);
  return reply;
}

CommandBegun begin_cluster(Arguments&) { return begun(Local{ShowCluster{}}); }
std::string finish_cluster(const Context& context, const Answer&) {
  std::string text;
  for (const MemberView& member : member_views(context.node)) {
    const bool leads = context.node.leader() != nullptr && context.node.leader()->name == member.name;
    text += printable(member.name) + " " + member.raft_address + " " + (member.voter ? "voter" : "learner") + " " +
            (leads ? "leader" : "follower");
    if (!member.status.empty()) text += " " + member.status;
    if (member.match_index) text += " match_index=" + std::to_string(*member.match_index);
    text += "\r\n";
  }
  return debug::bulk_reply(text);
}

const CommandSpec kCommandsOfServer[] = {
    {{.name = "info",
      .arity = -1,
      .flags = "loading stale",
      .parameters = "[section ...]",
      .summary = "How this node and its cluster fare"},
     begin_info,
     finish_info},
    {{.name = "config",
      .arity = -2,
      .flags = "admin loading stale",
      .parameters = "GET pattern | SET directive value | RESETSTAT",
      .summary = "Reads the directives, changes one until the next start, or counts from nothing again"},
     begin_config,
     finish_config},
    {{.name = "slowlog",
      .arity = -2,
      .flags = "admin loading stale",
      .parameters = "GET [count] | LEN | RESET | HELP",
      .summary = "The requests that took long"},
     begin_slowlog,
     finish_slowlog},
    {{.name = "cluster", .arity = 1, .flags = "stale", .parameters = "", .summary = "The members, a line each"},
     begin_cluster,
     finish_cluster},
};

}  // namespace

std::span<const CommandSpec> server_commands() { return kCommandsOfServer; }

}  // namespace wh::api
