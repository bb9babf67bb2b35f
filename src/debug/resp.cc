#include "debug/resp.h"

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
  }
  return "ERR";
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

}  // namespace wh::debug
