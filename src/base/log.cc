#include "base/log.h"

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "base/hex.h"
#include "base/utf8.h"

namespace wh {
namespace {
LogSink g_sink;
LogLevel g_level = LogLevel::notice;
}  // namespace

void set_log_sink(LogSink sink) { g_sink = std::move(sink); }
void set_log_level(LogLevel level) { g_level = level; }
LogLevel log_level() { return g_level; }
bool log_enabled(LogLevel level) { return level >= g_level; }

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_sequence(text);
    const auto first = static_cast<uint8_t>(text.front());
    if (length == 0 || first < 0x20 || first == 0x7f) {
      out += "\\x";
      append_hex(out, first);
      text.remove_prefix(1);
    } else {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out;
}

void log_line(LogLevel level, std::string_view message) {
  if (!log_enabled(level)) return;
  const std::string line = printable(message);
  if (g_sink) {
    g_sink(level, line);
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
}

void logf(LogLevel level, const char* format, ...) {
  if (!log_enabled(level)) return;
  char buffer[2048];
  va_list arguments;
  va_start(arguments, format);
  const int size = std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  if (size < 0) return;
  log_line(level, std::string_view(buffer, std::min(static_cast<size_t>(size), sizeof buffer - 1)));
}

}  // namespace wh
