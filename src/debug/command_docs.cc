// COMMAND DOCS: what redis-cli completes and hints with. Made from the same texts as HELP.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "debug/command_table.h"
#include "debug/resp.h"

namespace wh::debug {
namespace {

// An argument as Redis describes it.
struct Argument {
  std::string name;
  std::string token;  // the word that stands before it, or alone
  bool optional = false;
  bool multiple = false;
};

bool is_upper(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// The next word, or the next group in brackets with its brackets.
std::string_view take_item(std::string_view& text) {
  size_t end = 0;
  int depth = 0;
  for (; end < text.size() && (depth > 0 || text[end] != ' '); ++end) {
    if (text[end] == '[') ++depth;
    if (text[end] == ']') --depth;
  }
  const std::string_view item = text.substr(0, end);
  text.remove_prefix(std::min(text.size(), end + 1));
  return item;
}

// A group without its brackets: `count`, `NOHANG`, `COUNT count`.
Argument optional_of(std::string_view inner) {
  Argument argument{.name = std::string(inner), .token = {}, .optional = true};
  const size_t space = inner.find(' ');
  if (!is_upper(inner.substr(0, space)) || inner.find('|') != std::string_view::npos) return argument;
  argument.token = inner.substr(0, space);
  argument.name = space == std::string_view::npos ? "" : inner.substr(space + 1);
  return argument;
}

// `queue event [event ...]`. Alternatives stay one text.
std::vector<Argument> arguments_of(std::string_view text) {
  std::vector<Argument> all;
  if (text.find(" | ") != std::string_view::npos && !text.starts_with('[')) return {{std::string(text), {}}};
  std::string token;
  while (!text.empty()) {
    const std::string_view item = take_item(text);
    if (item.empty()) continue;
    if (item.front() != '[') {
      if (is_upper(item)) {
        token = item;
        continue;
      }
      all.push_back({std::string(item), std::exchange(token, {})});
      continue;
    }
    const std::string_view inner = item.substr(1, item.size() - 2);
    if (!all.empty() && inner == all.back().name + " ...")
      all.back().multiple = true;
    else
      all.push_back(optional_of(inner));
  }
  return all;
}

std::string argument_reply(const Argument& argument) {
  const bool alone = argument.name.empty();
  std::vector<std::string_view> flags;
  if (argument.optional) flags.push_back("optional");
  if (argument.multiple) flags.push_back("multiple");
  const std::string name = bulk_reply(alone ? lower_case(argument.token) : argument.name);
  const size_t fields = 3 + (argument.token.empty() ? 0 : 1) + (flags.empty() ? 0 : 1);
  std::string reply = map_header(fields) + bulk_reply("name") + name + bulk_reply("display_text") + name +
                      bulk_reply("type") + bulk_reply(alone ? "pure-token" : "string");
  if (!argument.token.empty()) reply += bulk_reply("token") + bulk_reply(argument.token);
  if (flags.empty()) return reply;
  reply += bulk_reply("flags") + set_header(flags.size());
  for (const std::string_view flag : flags) reply += simple_reply(flag);
  return reply;
}

}  // namespace

std::string docs_reply(const Command& command) {
  const std::vector<Argument> arguments = arguments_of(command.parameters);
  std::string reply = bulk_reply(command.name) + map_header(arguments.empty() ? 3 : 4) + bulk_reply("summary") +
                      bulk_reply(command.summary) + bulk_reply("since") + bulk_reply("0.1.0") + bulk_reply("group") +
                      bulk_reply(command.group);
  if (arguments.empty()) return reply;
  reply += bulk_reply("arguments") + array_header(arguments.size());
  for (const Argument& argument : arguments) reply += argument_reply(argument);
  return reply;
}

}  // namespace wh::debug
