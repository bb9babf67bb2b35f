#include "process/log_output.h"

#include <doctest/doctest.h>

namespace wh::process {

TEST_CASE("logfmt: time in UTC, level, process, the message in quotes") {
  // 2026-11-27 12:00:00.007 UTC
  const int64_t at = 1'795'780'800'007;
  CHECK(log_text(config::LogFormat::logfmt, LogLevel::notice, at, 42, "elected leader of term 2", 0) ==
        "ts=2026-11-27T12:00:00.007Z level=notice pid=42 msg=\"elected leader of term 2\"\n");
  CHECK(log_text(config::LogFormat::logfmt, LogLevel::warning, at, 42, "a \"b\" c\\x0a d=e", 3) ==
        "ts=2026-11-27T12:00:00.007Z level=warning pid=42 msg=\"a \\\"b\\\" c\\\\x0a d=e\" dropped=3\n");
}

TEST_CASE("plain: as Redis writes it") {
  const std::string line = log_text(config::LogFormat::plain, LogLevel::warning, 1'795'780'800'007, 42, "disk", 0);
  CAPTURE(line);
  CHECK(line.starts_with("42 2"));
  CHECK(line.ends_with(" Nov 2026 " + line.substr(15, 8) + ".007 # disk\n"));
  CHECK(log_text(config::LogFormat::plain, LogLevel::notice, 0, 42, "disk", 2)
            .ends_with(" * (2 lines before this one were dropped: nobody read them) disk\n"));
}

}  // namespace wh::process
