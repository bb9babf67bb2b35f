#include "base/recent_lines.h"

#include <string>

#include <doctest/doctest.h>

#include "base/utf8.h"

using wh::LogLevel;
using wh::RecentLines;

TEST_CASE("lines of notice and above are kept in their order, and ids go on") {
  RecentLines lines;
  lines.add(LogLevel::notice, 1, "a");
  lines.add(LogLevel::verbose, 2, "not kept");
  lines.add(LogLevel::warning, 3, "b");
  lines.add(LogLevel::notice, 4, "c");
  const auto all = lines.after(0, LogLevel::notice);
  REQUIRE(all.size() == 3);
  CHECK(all[0].text == "a");
  CHECK(all[1].text == "b");
  CHECK(all[1].level == LogLevel::warning);
  CHECK(all[1].unix_ms == 3);
  CHECK(all[2].text == "c");
  CHECK(all[0].id < all[1].id);
  CHECK(all[1].id < all[2].id);
  REQUIRE(lines.after(all[1].id, LogLevel::notice).size() == 1);
  REQUIRE(lines.after(0, LogLevel::warning).size() == 1);
  CHECK(lines.after(all[2].id, LogLevel::notice).empty());
}

TEST_CASE("the oldest lines go, and notices push no warning out") {
  RecentLines lines;
  lines.add(LogLevel::warning, 0, "warning");
  for (size_t i = 0; i < 3 * RecentLines::kKept; ++i) lines.add(LogLevel::notice, 0, std::to_string(i));
  const auto all = lines.after(0, LogLevel::notice);
  CHECK(all.size() == RecentLines::kKept + 1);
  CHECK(all.front().text == "warning");
  CHECK(all.back().text == std::to_string(3 * RecentLines::kKept - 1));
}

TEST_CASE("a long line is cut, and stays text") {
  RecentLines lines;
  std::string text(RecentLines::kMaxLineBytes - 1, 'x');
  for (int i = 0; i < 10; ++i) text += "\xc3\xa4";
  lines.add(LogLevel::notice, 0, text);
  const std::string kept = lines.after(0, LogLevel::notice).at(0).text;
  CHECK(kept.size() == RecentLines::kMaxLineBytes - 1);
  CHECK(wh::is_utf8(kept));
}

TEST_CASE("ids go on above those of a process before, unless the clock was set back") {
  RecentLines before;
  for (int i = 0; i < 1'000; ++i) before.add(LogLevel::notice, 1'000 + i / 100, "a");
  RecentLines after;
  after.add(LogLevel::notice, 1'010, "b");
  CHECK(after.after(0, LogLevel::notice).front().id > before.after(0, LogLevel::notice).back().id);
}
