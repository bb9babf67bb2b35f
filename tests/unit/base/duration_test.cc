#include "base/duration.h"

#include <string>

#include <doctest/doctest.h>

using namespace wh;

TEST_CASE("a duration is a whole number and a unit; without one it counts seconds") {
  CHECK(parse_duration("0") == 0u);
  CHECK(parse_duration("5") == 5'000u);
  CHECK(parse_duration("250ms") == 250u);
  CHECK(parse_duration("1s") == 1'000u);
  CHECK(parse_duration("10m") == 600'000u);
  CHECK(parse_duration("12h") == 43'200'000u);
  CHECK(parse_duration("7d") == 604'800'000u);
}

TEST_CASE("what is no duration is none, nor is one beyond a hundred years") {
  for (const char* text : {"", "s", "-1s", "+1s", "1.5s", " 1s", "1 s", "1s ", "1S", "1w", "1us", "ms", "0x10", "1ms2"})
    CHECK_MESSAGE(!parse_duration(text), text);
  CHECK(parse_duration("36500d") == kLongestDuration);
  CHECK_FALSE(parse_duration("36501d"));
  CHECK_FALSE(parse_duration("18446744073709551615"));
  CHECK_FALSE(parse_duration("18446744073709551616ms"));
  CHECK_FALSE(parse_duration(std::string("1\0s", 3)));
}
