// MONITOR: shows the commands of this port, as it takes them up, to those that asked to see them.
#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "api/debug/commands.h"
#include "api/debug/debug_front.h"
#include "base/endpoint.h"
#include "debug/resp.h"

namespace wh::api {
namespace {

constexpr size_t kMostBytes = 1'024;       // of a word
constexpr size_t kMostLineBytes = 16'384;  // words behind it are counted

// In double quotes, with the escapes that redis-cli and Redis's own MONITOR use.
void append_quoted(std::string& line, std::string_view word) {
  constexpr char kDigits[] = "0123456789abcdef";
  line += '"';
  for (const char c : word.substr(0, kMostBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      (line += '\\') += c;
    else if (c == '\n')
      line += "\\n";
    else if (c == '\r')
      line += "\\r";
    else if (c == '\t')
      line += "\\t";
    else if (c == '\a')
      line += "\\a";
    else if (c == '\b')
      line += "\\b";
    else if (byte < 0x20 || byte > 0x7e)
      ((line += "\\x") += kDigits[byte >> 4]) += kDigits[byte & 15];
    else
      line += c;
  }
  if (word.size() > kMostBytes) line += "... (" + std::to_string(word.size() - kMostBytes) + " more bytes)";
  line += '"';
}

std::string line_of(const debug::Connection& client, const std::vector<std::string>& words) {
  using namespace std::chrono;
  const auto micros = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  const std::string fraction = std::to_string(micros % 1'000'000);
  std::string line = "+" + std::to_string(micros / 1'000'000) + "." + std::string(6 - fraction.size(), '0') + fraction;
  line += " [0 " + endpoint_text(client.stream().peer_address(), client.stream().peer_port()) + "]";
  size_t shown = 0;
  for (; shown < words.size() && line.size() < kMostLineBytes; ++shown) append_quoted(line += ' ', words[shown]);
  if (shown < words.size()) line += " ... (" + std::to_string(words.size() - shown) + " more words)";
  return line + "\r\n";
}

CommandBegun begin_monitor(std::vector<std::string>&) {
  CommandBegun call = begun(Local{ShowClients{}});
  call->for_client = [](debug::Connection& client, const Context&, const Answer&) {
    client.start_monitoring();
    return debug::simple_reply("OK");
  };
  return call;
}

const CommandSpec kMonitor[] = {
    {{.name = "monitor",
      .arity = 1,
      .flags = "admin loading stale",
      .parameters = "",
      .summary = "Shows the commands that come to this port, until RESET or QUIT",
      .group = "server"},
     begin_monitor,
     nullptr},
};

}  // namespace

std::span<const CommandSpec> monitor_commands() { return kMonitor; }

void DebugFront::show_to_monitors(debug::CommandId id, const debug::Command& command,
                                  const std::vector<std::string>& arguments) {
  if (service_.monitors.empty()) return;
  const debug::Connection* client = connections_.find(id.connection);
  if (client == nullptr) return;
  std::vector<std::string> words = arguments;
  hide_secrets(command, words);
  const std::string line = line_of(*client, words);
  const std::vector<uint64_t> monitors(service_.monitors.begin(), service_.monitors.end());
  for (const uint64_t monitor : monitors)
    if (debug::Connection* connection = connections_.find(monitor)) connection->show(line);
}

}  // namespace wh::api
