#include "raft/pace.h"

#include <doctest/doctest.h>

using namespace wh;
using namespace wh::raft;

namespace {
constexpr Millis kWait = 125;
constexpr uint64_t kMost = 8 << 20;

// A link that takes so many bytes a millisecond, and has some latency; as much as may be is always under way on it.
void saturate(Pace& pace, Millis& now, uint64_t bytes_a_ms, Millis latency, Millis duration,
              Millis* longest = nullptr) {
  const Millis end = now + duration;
  while (now < end) {
    const Millis sent = now;
    pace.limited();
    const Millis trip = latency + pace.bytes() / bytes_a_ms;
    now += std::max<Millis>(trip, 1);
    if (longest != nullptr) *longest = std::max(*longest, trip);
    pace.answered(now, sent, kWait, kMost);
  }
}
}  // namespace

TEST_CASE("on a fast link all that may be under way is soon allowed") {
  Pace pace;
  Millis now = 1'000;
  CHECK(pace.bytes() == Pace::kFirst);
  saturate(pace, now, 1 << 20, 0, 50);
  CHECK(pace.bytes() == kMost);
}

TEST_CASE("a long way is no slow link") {
  Pace pace;
  Millis now = 1'000;
  pace.answered(now, now - 200, kWait, kMost);
  saturate(pace, now, 100'000, 200, 10'000);
  CHECK(pace.bytes() >= 4 << 20);
}

TEST_CASE("on a link of 1 Mbit/s nothing waits for long behind what is under way, and the link is used") {
  Pace pace;
  Millis now = 1'000;
  pace.answered(now, now - 1, kWait, kMost);
  Millis longest = 0;
  saturate(pace, now, 125, 1, 60'000, &longest);
  CHECK(longest <= 2 * kWait);
  CHECK(pace.bytes() >= 125 * kWait / 2);
  CHECK(pace.bytes() <= 125 * kWait * 5 / 4);
}

TEST_CASE("a link that becomes slow is noticed, and one that becomes fast again") {
  Pace pace;
  Millis now = 1'000;
  saturate(pace, now, 1 << 20, 0, 50);
  saturate(pace, now, 100, 0, 200'000);
  CHECK(pace.bytes() <= 100 * kWait * 5 / 4);
  saturate(pace, now, 1 << 20, 0, 200);
  CHECK(pace.bytes() == kMost);
}

TEST_CASE("it does not grow where no more would be sent, nor below what always may be sent") {
  Pace pace;
  for (Millis now = 1'000; now < 2'000; now += 10) pace.answered(now, now - 1, kWait, kMost);
  CHECK(pace.bytes() == Pace::kFirst);
  for (Millis now = 2'000; now < 9'000; now += 10) pace.answered(now, now - 1'000, kWait, kMost);
  CHECK(pace.bytes() == Pace::kLeast);
}

TEST_CASE("answers that cannot be true, and those to what left before the last change, are not listened to") {
  Pace pace;
  pace.answered(1'000, 0, kWait, kMost);
  pace.answered(1'000, 1'001, kWait, kMost);
  CHECK(pace.bytes() == Pace::kFirst);
  pace.answered(1'000, 999, kWait, kMost);
  pace.answered(2'000, 1'000, kWait, kMost);
  CHECK(pace.bytes() == Pace::kFirst / 2);
  pace.answered(2'100, 1'001, kWait, kMost);
  CHECK(pace.bytes() == Pace::kFirst / 2);
}
