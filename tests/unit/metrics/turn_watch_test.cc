#include "metrics/turn_watch.h"

#include <vector>

#include <doctest/doctest.h>

namespace wh::metrics {
namespace {

struct Lines {
  Lines() {
    set_log_sink([this](LogLevel, std::string_view line) { all.emplace_back(line); });
  }
  ~Lines() { set_log_sink(nullptr); }
  std::vector<std::string> all;
};

}  // namespace

TEST_CASE("the longest turn is kept with what was done in it, and only in it") {
  const Lines lines;
  TurnWatch watch;
  TurnWork counted{.peer_messages = 100, .http_requests = 7};
  watch.turn_ended({.total_us = 300, .cpu_us = 250, .arrivals_us = 200, .hook_us = 90, .sends_us = 10}, counted, 1'000,
                   1);
  CHECK(watch.longest_work() ==
        "100 messages of members, 7 HTTP requests; 200 us on arrivals, 90 us in the node, 10 us on sending, "
        "250 us of the processor");
  counted.entries_applied = 3;
  watch.turn_ended({.total_us = 400}, counted, 1'000, 2);
  CHECK(watch.longest_work().starts_with("3 entries applied; "));
  CHECK(watch.longest_cpu_work().starts_with("100 messages of members, "));
  counted.commands = 5;
  watch.turn_ended({.total_us = 300, .cpu_us = 290}, counted, 1'000, 3);
  CHECK(watch.longest_work().starts_with("3 entries applied; "));
  CHECK(watch.longest_cpu_work().starts_with("5 commands; "));
  CHECK(lines.all.empty());
  watch.reset();
  CHECK(watch.longest_work().empty());
  CHECK(watch.longest_cpu_work().empty());
}

TEST_CASE("a turn beyond the limit is logged, repeated ones are counted") {
  const Lines lines;
  TurnWatch watch;
  watch.turn_ended({.total_us = 250'001}, {.reads = 9}, 250'000, 100);
  REQUIRE(lines.all.size() == 1);
  CHECK(lines.all[0].find("took 250 ms") != std::string::npos);
  CHECK(lines.all[0].find("9 reads") != std::string::npos);
  watch.turn_ended({.total_us = 250'000}, {.reads = 9}, 250'000, 200);
  watch.turn_ended({.total_us = 300'000}, {.reads = 9}, 250'000, 300);
  CHECK(lines.all.size() == 1);
  CHECK(watch.too_long() == 2);
  watch.turn_ended({.total_us = 300'000}, {.reads = 9}, 250'000, 20'000);
  REQUIRE(lines.all.size() == 2);
  CHECK(lines.all[1].find("(and 1 more)") != std::string::npos);
}

}  // namespace wh::metrics
