#include "base/histogram.h"

#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

#include "base/prng.h"

namespace wh {

TEST_CASE("the bounds are 1, 2, 5 times the powers of ten") {
  CHECK(Histogram::kBounds[0] == 1);
  CHECK(Histogram::kBounds[1] == 2);
  CHECK(Histogram::kBounds[2] == 5);
  CHECK(Histogram::kBounds[3] == 10);
  CHECK(Histogram::kBounds.back() == 50'000'000);
  CHECK(std::is_sorted(Histogram::kBounds.begin(), Histogram::kBounds.end()));
}

TEST_CASE("a value counts in the first bucket whose bound it does not exceed") {
  Histogram h;
  for (const uint64_t value : {0, 1, 2, 3, 5, 6, 10}) h.add(value);
  CHECK(h.count() == 7);
  CHECK(h.sum() == 27);
  CHECK(h.max() == 10);
  CHECK(h.count_up_to(0) == 2);  // 0 and 1
  CHECK(h.count_up_to(1) == 3);
  CHECK(h.count_up_to(2) == 5);  // 3 and 5
  CHECK(h.count_up_to(3) == 7);
  CHECK(h.count_up_to(Histogram::kBounds.size() - 1) == 7);
}

TEST_CASE("what is above the last bound is counted, and only there") {
  Histogram h;
  h.add(50'000'000);
  h.add(50'000'001);
  CHECK(h.count_up_to(Histogram::kBounds.size() - 1) == 1);
  CHECK(h.count() == 2);
  CHECK(h.percentile(50) == 50'000'000);
  CHECK(h.percentile(100) == 50'000'001);
}

TEST_CASE("percentiles: never below the true value, at most two and a half times it, never above the largest") {
  CHECK(Histogram().percentile(99) == 0);
  Histogram one;
  one.add(7);
  CHECK(one.percentile(0) == 7);
  CHECK(one.percentile(50) == 7);
  CHECK(one.percentile(100) == 7);

  Prng prng(1);
  for (int round = 0; round < 50; ++round) {
    Histogram h;
    std::vector<uint64_t> values;
    const uint64_t count = 1 + prng.below(500);
    for (uint64_t i = 0; i < count; ++i) {
      values.push_back(1 + prng.below(uint64_t{1} << (1 + prng.below(24))));
      h.add(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const unsigned percent : {1U, 50U, 90U, 99U, 100U}) {
      const uint64_t exact = values[std::max<uint64_t>(1, (count * percent + 99) / 100) - 1];
      CAPTURE(percent);
      CHECK(h.percentile(percent) >= exact);
      CHECK(2 * h.percentile(percent) <= 5 * exact);
      CHECK(h.percentile(percent) <= values.back());
    }
  }
}

}  // namespace wh
