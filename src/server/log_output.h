// Where the log's lines go: a file, or standard output. Writes one line at a time with date, level and process; never
// waits for a full pipe or a stuck terminal, but drops lines and counts them (HAZARDS K6).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/log.h"
#include "base/result.h"
#include "server/options.h"

namespace wh {

// One line of the log, with its newline. `message` is printable (base/log.h); `dropped`: how many lines before this one
// were lost. `pid` and the times are of the process that logs; plain lines show local time, logfmt UTC.
std::string log_text(LogFormat format, LogLevel level, int64_t unix_ms, pid_t pid, std::string_view message,
                     uint64_t dropped);

class LogOutput {
 public:
  LogOutput() = default;
  ~LogOutput();
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  // Opens the file for appending (0600 when new); empty: standard output. Becomes base/log.h's sink.
  Status open(const std::string& file, LogLevel level);
  // Opens the file by its name again, after it was renamed or removed (SIGHUP). On an error the log goes on where it
  // was. Does nothing with standard output.
  Status reopen();
  void set_format(LogFormat format) { format_ = format; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

 private:
  void write(LogLevel level, std::string_view line);

  void use(int fd);

  std::string file_;
  LogFormat format_ = LogFormat::plain;
  int fd_ = 1;
  bool owned_ = false;
  bool may_block_ = true;
  uint64_t dropped_ = 0;
  uint64_t told_ = 0;
};

}  // namespace wh
