// Where the log's lines go: a file, or standard output. Writes one line at a time with date, level and process; never
// waits for a full pipe or a stuck terminal, but drops lines and counts them (HAZARDS K6). Writes a regular file on the
// thread that logs, which waits as long as the file system takes: so a process that ends right after, by an assertion
// or a failed disk, has logged why.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>

#include "base/log.h"
#include "base/recent_lines.h"
#include "base/result.h"
#include "config/options.h"

namespace wh::process {

// One line of the log, with its newline. `message` is printable (base/log.h); `dropped`: how many lines before this one
// were lost. `pid` and the times are those of the process that logs; plain lines show local time, logfmt UTC.
std::string log_text(config::LogFormat format, LogLevel level, int64_t unix_ms, pid_t pid, std::string_view message,
                     uint64_t dropped);

class LogOutput {
 public:
  LogOutput() = default;
  ~LogOutput();
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  // A file opened for the log; closed at the end of this object unless it was adopted.
  class File {
   public:
    File(int fd, bool unread) : fd_(fd), unread_(unread) {}
    ~File();
    File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), unread_(other.unread_) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] bool unread() const { return unread_; }

   private:
    friend class LogOutput;
    int fd_;
    bool unread_;
  };

  // Opens a file for appending (0600 when new); never waits for a FIFO's reader; accepts only files, FIFOs and
  // character devices. `/dev/stdout` and `/dev/stderr` mean this process's own descriptors. Runs on any thread.
  static Result<File> open_file(const std::string& path);
  // Opens the file; empty: standard output, whose descriptor is not kept open when the process `detaches` later.
  // Becomes base/log.h's sink.
  Status open(const std::string& path, LogLevel level, bool detaches = false);
  // Continues the log in this file, which open_file gave for path() after the old one was renamed or removed (SIGHUP).
  void adopt(File file);
  [[nodiscard]] const std::string& path() const { return path_; }  // empty: standard output
  void set_format(config::LogFormat format) { format_ = format; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }
  // The last lines, whether they were written or dropped.
  [[nodiscard]] std::shared_ptr<const RecentLines> recent() const { return recent_; }

 private:
  void write(LogLevel level, std::string_view line);

  void use(int fd);

  std::shared_ptr<RecentLines> recent_ = std::make_shared<RecentLines>();
  std::string path_;
  config::LogFormat format_ = config::LogFormat::plain;
  int fd_ = 1;
  bool owned_ = false;
  bool regular_ = false;
  bool socket_ = false;
  bool cut_ = false;  // the last line was written only in part
  uint64_t dropped_ = 0;
  uint64_t told_ = 0;
};

}  // namespace wh::process
