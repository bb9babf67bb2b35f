#include "debug/command_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.h"
#include "debug/resp.h"

namespace wh::debug {
namespace {

// Redis shows at most this much of a client's words in an error.
constexpr size_t kShownBytes = 128;

std::vector<Command> builtin_commands() {
  constexpr Overlap kNow = Overlap::immediate;
  return {
      {.name = "auth",
       .arity = -2,
       .overlap = kNow,
       .before_auth = true,
       .flags = "fast",
       .parameters = "[username] password",
       .summary = "Give the password",
       .builtin = Builtin::auth},
      {.name = "command",
       .arity = -1,
       .overlap = kNow,
       .flags = "fast",
       .parameters = "[COUNT | DOCS | INFO name ... | LIST]",
       .summary = "Describe the commands to programs",
       .builtin = Builtin::command},
      {.name = "discard",
       .arity = 1,
       .overlap = Overlap::write,
       .flags = "fast",
       .summary = "Forget what was queued since MULTI, and what is watched",
       .group = "transactions",
       .builtin = Builtin::discard},
      {.name = "echo",
       .arity = 2,
       .overlap = kNow,
       .flags = "fast",
       .parameters = "message",
       .summary = "Answer with the message",
       .builtin = Builtin::echo},
      {.name = "exec",
       .arity = 1,
       .overlap = Overlap::write,
       .flags = "write",
       .summary = "Run what was queued since MULTI as one step: all of it, or nothing",
       .group = "transactions",
       .builtin = Builtin::exec},
      {.name = "hello",
       .arity = -1,
       .overlap = kNow,
       .before_auth = true,
       .flags = "fast",
       .parameters = "[2|3 [AUTH username password] [SETNAME name]]",
       .summary = "Choose the version of RESP, give the password, name the connection",
       .group = "connection",
       .builtin = Builtin::hello},
      {.name = "help",
       .arity = -1,
       .overlap = kNow,
       .flags = "fast",
       .parameters = "[command]",
       .summary = "List the commands, or describe one",
       .builtin = Builtin::help},
      {.name = "multi",
       .arity = 1,
       .overlap = kNow,
       .flags = "fast",
       .summary = "Queue the commands up to EXEC, which runs them as one step",
       .group = "transactions",
       .builtin = Builtin::multi},
      {.name = "ping",
       .arity = -1,
       .overlap = kNow,
       .flags = "fast",
       .parameters = "[message]",
       .summary = "Answer PONG, or the message",
       .builtin = Builtin::ping},
      {.name = "quit",
       .arity = -1,
       .overlap = kNow,
       .before_auth = true,
       .flags = "fast",
       .summary = "Close the connection once all before it is answered",
       .builtin = Builtin::quit},
      {.name = "reset",
       .arity = 1,
       .overlap = Overlap::write,
       .before_auth = true,
       .flags = "fast",
       .summary = "Make the connection as new: no password, no name, RESP2, no transaction, nothing being refused",
       .builtin = Builtin::reset},
      {.name = "select",
       .arity = 2,
       .overlap = kNow,
       .flags = "fast",
       .parameters = "0",
       .summary = "Do nothing: there is one database",
       .builtin = Builtin::select},
      {.name = "unwatch",
       .arity = 1,
       .overlap = Overlap::write,
       .flags = "fast",
       .summary = "Forget the keys that are watched",
       .group = "transactions",
       .builtin = Builtin::unwatch},
  };
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (!word.empty()) words.push_back(word);
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return words;
}

// What Redis has and clients look for, and what to use in its place.
struct Absent {
  std::string_view names;  // separated by spaces; a star: all that begin so
  std::string_view instead;
};
constexpr Absent kAbsent[] = {
    {"hset hget* hdel hmget hmset hexists hincrby* hkeys hlen hvals hsetnx hscan hstrlen hrandfield",
     "there are no hashes: give each field a key of its own, as in KEY:FIELD"},
    {"sadd srem smembers sismember smismember scard spop srandmember smove sscan sinter* sunion* sdiff*",
     "there are no sets: give each member a key of its own, as in KEY:MEMBER, and list them with SCAN"},
    {"zadd zrange* zrem* zscore zmscore zcard zcount zincrby zrank zrevr* zpop* zscan bzpop*",
     "there are no sorted sets: keys are in byte order, and a queue delivers by priority and time"},
    {"xadd xread* xlen xrange xrevrange xgroup xack xdel xtrim",
     "there are no streams: use a queue, with RPUSH and LPOP or ADDJOB and GETJOB"},
    {"eval* fcall* function script",
     "there are no scripts: MULTI makes one step of several commands, and SET with NX, XX or IFEQ is one"},
    {"object", "nothing is known of how a key is stored: TYPE, TTL and STRLEN say what there is"},
    {"subscribe psubscribe ssubscribe unsubscribe punsubscribe publish spublish pubsub",
     "there are no channels: use a queue, with RPUSH and BLPOP"},
    {"flushdb flushall", "nothing removes all keys at once: use SCAN and UNLINK"},
};

// Empty: nothing is known of it.
std::string_view in_place_of(std::string_view name) {
  for (const Absent& absent : kAbsent)
    for (std::string_view one : words_of(absent.names)) {
      const bool begins = one.ends_with('*');
      if (begins) one.remove_suffix(1);
      if (begins ? name.starts_with(one) : name == one) return absent.instead;
    }
  return {};
}

std::string usage(const Command& command) {
  std::string out = upper_case(command.name);
  if (!command.parameters.empty()) out += " " + std::string(command.parameters);
  return out;
}

std::string describe(const Command& command) {
  std::vector<std::string_view> flags = words_of(command.flags);
  if (command.before_auth) flags.push_back("no_auth");
  std::string reply = array_header(10) + bulk_reply(command.name) + integer_reply(command.arity);
  reply += set_header(flags.size());
  for (const std::string_view flag : flags) reply += simple_reply(flag);
  reply += integer_reply(command.first_key) + integer_reply(command.last_key) + integer_reply(command.key_step);
  // No categories of access, tips, specifications of keys, subcommands.
  return reply + set_header(0) + array_header(0) + array_header(0) + array_header(0);
}

}  // namespace

CommandTable::CommandTable(std::vector<Command> commands) : commands_(std::move(commands)) {
  const std::vector<Command> own = builtin_commands();
  commands_.insert(commands_.end(), own.begin(), own.end());
  std::sort(commands_.begin(), commands_.end(), [](const Command& a, const Command& b) { return a.name < b.name; });
  for (size_t i = 0; i < commands_.size(); ++i) {
    WH_ASSERT(commands_[i].name == lower_case(commands_[i].name), "command names are in lower case");
    WH_ASSERT(i == 0 || commands_[i - 1].name != commands_[i].name, "a command is in the table twice");
  }
}

const Command* CommandTable::find(std::string_view name) const {
  const std::string wanted = lower_case(name.substr(0, kShownBytes));
  if (wanted.size() != name.size()) return nullptr;
  const auto found = std::lower_bound(commands_.begin(), commands_.end(), wanted,
                                      [](const Command& a, const std::string& b) { return a.name < b; });
  return found != commands_.end() && found->name == wanted ? &*found : nullptr;
}

std::string CommandTable::help_reply(const std::vector<std::string>& arguments) const {
  if (arguments.size() > 2) return error_reply(ErrorWord::err, "syntax error");
  if (arguments.size() == 2) {
    const Command* command = find(arguments[1]);
    if (command == nullptr)
      return error_reply(ErrorWord::err, "no command '" + arguments[1].substr(0, kShownBytes) + "'; HELP lists them");
    return array_header(2) + simple_reply(usage(*command)) + simple_reply(command->summary);
  }
  size_t width = 0;
  for (const Command& command : commands_) width = std::max(width, usage(command).size());
  std::string reply = array_header(commands_.size());
  for (const Command& command : commands_) {
    std::string line = usage(command);
    line.append(width + 2 - line.size(), ' ');
    line += command.summary;
    reply += simple_reply(line);
  }
  return reply;
}

std::string CommandTable::command_reply(const std::vector<std::string>& arguments) const {
  const std::string verb = arguments.size() > 1 ? lower_case(arguments[1]) : "";
  if (verb == "count" && arguments.size() == 2) return integer_reply(std::ssize(commands_));
  std::string reply;
  if (verb == "docs") {
    std::vector<const Command*> wanted;
    for (size_t i = 2; i < arguments.size(); ++i)
      if (const Command* command = find(arguments[i])) wanted.push_back(command);
    if (arguments.size() == 2)
      for (const Command& command : commands_) wanted.push_back(&command);
    reply = map_header(wanted.size());
    for (const Command* command : wanted) reply += docs_reply(*command);
    return reply;
  }
  if (verb == "list" && arguments.size() == 2) {
    reply = array_header(commands_.size());
    for (const Command& command : commands_) reply += bulk_reply(command.name);
    return reply;
  }
  if (verb == "info" && arguments.size() > 2) {
    reply = array_header(arguments.size() - 2);
    for (size_t i = 2; i < arguments.size(); ++i) {
      const Command* command = find(arguments[i]);
      reply += command == nullptr ? null_array_reply() : describe(*command);
    }
    return reply;
  }
  if (arguments.size() == 1 || (verb == "info" && arguments.size() == 2)) {
    reply = array_header(commands_.size());
    for (const Command& command : commands_) reply += describe(command);
    return reply;
  }
  return error_reply(ErrorWord::err,
                     "unknown subcommand or wrong number of arguments for '" + verb.substr(0, kShownBytes) + "'");
}

bool arity_fits(const Command& command, size_t count) {
  const auto words = static_cast<int64_t>(count);
  return command.arity >= 0 ? words == command.arity : words >= -command.arity;
}

std::string wrong_arity_reply(const Command& command) {
  return error_reply(ErrorWord::err, "wrong number of arguments for '" + std::string(command.name) + "' command");
}

std::string unknown_command_reply(const std::vector<std::string>& arguments) {
  std::string text = "unknown command '" + arguments[0].substr(0, kShownBytes) + "', with args beginning with:";
  size_t shown = 0;
  for (size_t i = 1; i < arguments.size() && shown < kShownBytes; ++i) {
    const std::string part = arguments[i].substr(0, kShownBytes - shown);
    text += " '" + part + "'";
    shown += part.size() + 3;
  }
  const std::string_view instead = in_place_of(lower_case(arguments[0]));
  return error_reply(ErrorWord::err,
                     text + "; " + (instead.empty() ? "HELP lists the commands" : std::string(instead)));
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string upper_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

}  // namespace wh::debug
