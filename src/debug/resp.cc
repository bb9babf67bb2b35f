#include "debug/resp.h"

#include <charconv>
#include <optional>

#include "base/log.h"

namespace wh::debug {
namespace {
std::string_view name_of(ErrorWord word) {
  switch (word) {
    case ErrorWord::err:
      return "ERR";
    case ErrorWord::noauth:
      return "NOAUTH";
    case ErrorWord::denied:
      return "DENIED";
    case ErrorWord::oom:
      return "OOM";
    case ErrorWord::notapplied:
      return "NOTAPPLIED";
    case ErrorWord::unknown:
      return "UNKNOWN";
    case ErrorWord::wrongpass:
      return "WRONGPASS";
    case ErrorWord::execabort:
      return "EXECABORT";
    case ErrorWord::noproto:
      return "NOPROTO";
  }
  return "ERR";
}

// What a line is in that version, with its end; nothing: the same.
std::optional<std::string> line_in(Protocol protocol, std::string_view line) {
  if (protocol == Protocol::resp3)
    return line == "$-1" || line == "*-1" ? std::optional<std::string>("_\r\n") : std::nullopt;
  if (line.front() != '%' && line.front() != '~') return std::nullopt;
  size_t elements = 0;
  std::from_chars(line.data() + 1, line.data() + line.size(), elements);
  return array_header(line.front() == '%' ? 2 * elements : elements);
}
}  // namespace

std::string simple_reply(std::string_view text) { return "+" + printable(text) + "\r\n"; }

std::string error_reply(ErrorWord word, std::string_view text) {
  std::string reply = "-";
  reply += name_of(word);
  reply += ' ';
  reply += printable(text);
  reply += "\r\n";
  return reply;
}

std::string integer_reply(int64_t value) { return ":" + std::to_string(value) + "\r\n"; }

std::string bulk_reply(std::string_view bytes) {
  std::string reply = "$" + std::to_string(bytes.size()) + "\r\n";
  reply.reserve(reply.size() + bytes.size() + 2);
  reply += bytes;
  reply += "\r\n";
  return reply;
}

std::string null_reply() { return "$-1\r\n"; }
std::string null_array_reply() { return "*-1\r\n"; }
std::string array_header(size_t elements) { return "*" + std::to_string(elements) + "\r\n"; }
std::string map_header(size_t pairs) { return "%" + std::to_string(pairs) + "\r\n"; }
std::string set_header(size_t elements) { return "~" + std::to_string(elements) + "\r\n"; }

std::string in_protocol(Protocol protocol, std::string reply) {
  std::string changed;
  size_t copied = 0;  // so much of the reply is in `changed`
  for (size_t at = 0, end = 0; at < reply.size() && (end = reply.find('\r', at)) != std::string::npos;) {
    const std::string_view line = std::string_view(reply).substr(at, end - at);
    const size_t next = end + 2;
    if (auto other = line_in(protocol, line)) {
      changed.append(reply, copied, at - copied);
      changed += *other;
      copied = next;
    }
    at = next;
    // The bytes of a bulk string are not looked at.
    size_t bytes = 0;
    if (line.front() == '$' && std::from_chars(line.data() + 1, line.data() + line.size(), bytes).ec == std::errc())
      at += bytes + 2;
  }
  if (copied == 0) return reply;
  return changed.append(reply, copied);
}

}  // namespace wh::debug
