#include "base/timestamp.h"

#include <string>

#include <doctest/doctest.h>

#include "base/prng.h"

namespace wh {

TEST_CASE("RFC 3339: the same moment however it is written") {
  CHECK(parse_timestamp("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_timestamp("1970-01-01T00:00:00.001Z") == 1);
  CHECK(parse_timestamp("2026-11-30T17:05:00.250Z") == 1'796'058'300'250);
  CHECK(parse_timestamp("2026-11-30t18:05:00.25+01:00") == 1'796'058'300'250);
  CHECK(parse_timestamp("2026-11-30T11:35:00.2509999-05:30") == 1'796'058'300'250);
  CHECK(parse_timestamp("2026-11-30T17:05:00z") == 1'796'058'300'000);
  CHECK(parse_timestamp("2000-02-29T00:00:00Z") == 951'782'400'000);
  CHECK(parse_timestamp("9999-12-31T23:59:59.999Z") == 253'402'300'799'999);
  // The examples of RFC 3339, 5.8.
  CHECK(parse_timestamp("1985-04-12T23:20:50.52Z") == 482'196'050'520);
  CHECK(parse_timestamp("1996-12-19T16:39:57-08:00") == parse_timestamp("1996-12-20T00:39:57Z"));
  CHECK(parse_timestamp("1990-12-31T23:59:60Z") == parse_timestamp("1991-01-01T00:00:00Z"));
  CHECK(parse_timestamp("1990-12-31T15:59:60-08:00") == parse_timestamp("1991-01-01T00:00:00Z"));
  // Before 1970.
  CHECK(parse_timestamp("1937-01-01T12:00:27.87+00:20") == 0);
  CHECK(parse_timestamp("0000-01-01T00:00:00Z") == 0);
  CHECK(parse_timestamp("1970-01-01T00:00:00+23:59") == 0);
}

TEST_CASE("what is no RFC 3339 is no time") {
  for (const char* text : {"",
                           "Z",
                           "2026",
                           "2026-11-30",
                           "2026-11-30T17:05:00",
                           "2026-11-30 17:05:00Z",
                           "2026-11-30T17:05Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-02-29T00:00:00Z",
                           "1900-02-29T00:00:00Z",
                           "2026-04-31T00:00:00Z",
                           "2026-11-30T24:00:00Z",
                           "2026-11-30T17:60:00Z",
                           "2026-11-30T17:05:61Z",
                           "2026-11-30T17:05:00.Z",
                           "2026-11-30T17:05:00+0100",
                           "2026-11-30T17:05:00+24:00",
                           "2026-11-30T17:05:00+01:60",
                           "2026-11-30T17:05:00Zx",
                           " 2026-11-30T17:05:00Z",
                           "12026-11-30T17:05:00Z",
                           "-026-11-30T17:05:00Z",
                           "2026-11-30T17:05:00,5Z",
                           "2026-1a-30T17:05:00Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_timestamp(text).has_value());
  }
}

TEST_CASE("what is written is read again, and any bytes are read without harm") {
  CHECK(format_timestamp(0) == "1970-01-01T00:00:00.000Z");
  CHECK(format_timestamp(1'796'058'300'250) == "2026-11-30T17:05:00.250Z");
  CHECK(format_timestamp(253'402'300'799'999) == "9999-12-31T23:59:59.999Z");
  Prng random(7);
  for (int i = 0; i < 20'000; ++i) {
    const Millis time = random.below(253'402'300'800'000);
    CHECK(parse_timestamp(format_timestamp(time)) == time);
  }
  for (int i = 0; i < 20'000; ++i) {
    std::string text = format_timestamp(random.below(253'402'300'800'000));
    for (int changes = 0; changes < 2; ++changes)
      text[random.below(text.size())] = static_cast<char>(random.below(256));
    const auto time = parse_timestamp(text);
    if (time) CHECK(*time <= 253'402'387'200'000);
  }
}

}  // namespace wh
