// The process's log: one line a call, to a sink that the server sets. Levels and their names are Redis's. Control bytes
// and invalid UTF-8 are escaped here, so that no client can write a line of its own (HAZARDS K4).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace wh {

enum class LogLevel { debug, verbose, notice, warning };

using LogSink = std::function<void(LogLevel, std::string_view line)>;

// Sets where lines go and the lowest level that is kept. Not thread-safe: called by the thread that owns the loop.
void set_log_sink(LogSink sink);
void set_log_level(LogLevel level);
LogLevel log_level();
[[nodiscard]] bool log_enabled(LogLevel level);

// Writes one line (`message` has no newline). Without a sink, lines of notice and above go to standard error.
void log_line(LogLevel level, std::string_view message);

// printf's formatting, checked by the compiler.
[[gnu::format(printf, 2, 3)]] void logf(LogLevel level, const char* format, ...);

// Makes text safe to show: bytes below 0x20, 0x7f and invalid UTF-8 become \xNN.
std::string printable(std::string_view text);

// Allows at most one line per `interval_ms`, for lines that a peer or client could repeat without end; counts the rest.
class LogLimiter {
 public:
  explicit LogLimiter(uint64_t interval_ms) : interval_ms_(interval_ms) {}
  // Returns whether to write now; `suppressed()` then tells how many were suppressed since the last written line.
  bool allow(uint64_t now_ms) {
    if (last_ms_ != 0 && now_ms < last_ms_ + interval_ms_) {
      ++pending_;
      return false;
    }
    last_ms_ = now_ms == 0 ? 1 : now_ms;
    suppressed_ = pending_;
    pending_ = 0;
    return true;
  }
  [[nodiscard]] uint64_t suppressed() const { return suppressed_; }

 private:
  uint64_t interval_ms_;
  uint64_t last_ms_ = 0;
  uint64_t pending_ = 0;
  uint64_t suppressed_ = 0;
};

}  // namespace wh
