#include "base/log.h"

#include <vector>

#include <doctest/doctest.h>

#include "base/utf8.h"

TEST_CASE("HAZARDS K4: a client's bytes cannot start a line of their own") {
  CHECK(wh::printable("a\nb\x1b[31m\x7f") == "a\\x0ab\\x1b[31m\\x7f");
  CHECK(wh::printable("caf\xc3\xa9") == "caf\xc3\xa9");
  CHECK(wh::printable("\xff\xc3") == "\\xff\\xc3");
}

TEST_CASE("lines below the level are dropped") {
  std::vector<std::string> lines;
  wh::set_log_sink([&](wh::LogLevel, std::string_view line) { lines.emplace_back(line); });
  wh::logf(wh::LogLevel::debug, "unseen");
  wh::logf(wh::LogLevel::warning, "seen %d", 1);
  wh::set_log_sink(nullptr);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "seen 1");
}

TEST_CASE("a limiter lets one line through an interval and counts the rest") {
  wh::LogLimiter limiter(1000);
  CHECK(limiter.allow(5));
  CHECK_FALSE(limiter.allow(6));
  CHECK_FALSE(limiter.allow(900));
  CHECK(limiter.allow(1005));
  CHECK(limiter.suppressed() == 2);
}

TEST_CASE("UTF-8: overlong forms, surrogates and what is above U+10FFFF are refused") {
  CHECK(wh::is_utf8("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"));
  for (const char* bad : {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xe2\x82", "\xff"})
    CHECK_FALSE(wh::is_utf8(bad));
}
