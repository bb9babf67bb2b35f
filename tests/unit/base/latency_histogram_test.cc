#include "base/latency_histogram.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "base/prng.h"

using wh::LatencyHistogram;

TEST_CASE("an empty histogram has no values") {
  const LatencyHistogram empty;
  CHECK(empty.count() == 0);
  CHECK(empty.max() == 0);
  CHECK(empty.permille(500) == 0);
}

TEST_CASE("small values are exact, and each share is the smallest value that reaches it") {
  LatencyHistogram values;
  for (uint64_t value = 0; value < 64; ++value) values.add(value);
  CHECK(values.count() == 64);
  CHECK(values.permille(0) == 0);
  CHECK(values.permille(500) == 31);
  CHECK(values.permille(1'000) == 63);
}

TEST_CASE("any value is shown at most a thirty-second too large, and never below what is true") {
  for (uint64_t value = 1; value <= LatencyHistogram::kLargest; value += 1 + value / 7) {
    LatencyHistogram one;
    one.add(value);
    one.add(LatencyHistogram::kLargest);  // so that the largest does not hide the bucket's bound
    const uint64_t shown = one.permille(500);
    CHECK(shown >= value);
    CHECK(shown <= value + value / 32);
  }
}

TEST_CASE("shares of many values agree with the sorted values") {
  wh::Prng prng(7);
  LatencyHistogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(prng.below(uint64_t{1} << (1 + prng.below(25))));
    histogram.add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const unsigned share : {1U, 100U, 500U, 900U, 990U, 999U, 1'000U}) {
    const uint64_t exact = values[std::max<size_t>(1, (values.size() * share + 999) / 1'000) - 1];
    CHECK(histogram.permille(share) >= exact);
    CHECK(histogram.permille(share) <= exact + exact / 32);
  }
  CHECK(histogram.max() == values.back());
}

TEST_CASE("what is above the last bucket is shown as the largest value seen; clear forgets all") {
  LatencyHistogram values;
  values.add(LatencyHistogram::kLargest * 3);
  CHECK(values.permille(990) == LatencyHistogram::kLargest * 3);
  values.clear();
  CHECK(values.count() == 0);
  CHECK(values.max() == 0);
}
