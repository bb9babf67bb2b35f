#include "base/histogram.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "base/prng.h"

namespace wh {

TEST_CASE("an empty histogram has no values") {
  const Histogram empty;
  CHECK(empty.count() == 0);
  CHECK(empty.sum() == 0);
  CHECK(empty.max() == 0);
  CHECK(empty.permille(500) == 0);
}

TEST_CASE("small values are exact, and each share is the smallest value that reaches it") {
  Histogram values;
  for (uint64_t value = 0; value < 64; ++value) values.add(value);
  CHECK(values.count() == 64);
  CHECK(values.sum() == 63 * 32);
  CHECK(values.permille(0) == 0);
  CHECK(values.permille(500) == 31);
  CHECK(values.percentile(50) == 31);
  CHECK(values.permille(1'000) == 63);
}

TEST_CASE("any value is shown at most a thirty-second too large, and never below what is true") {
  for (uint64_t value = 1; value <= Histogram::kLargest; value += 1 + value / 7) {
    Histogram one;
    one.add(value);
    one.add(Histogram::kLargest);  // so that the largest does not hide the bucket's bound
    const uint64_t shown = one.permille(500);
    CHECK(shown >= value);
    CHECK(shown <= value + value / 32);
  }
}

TEST_CASE("shares of many values agree with the sorted values") {
  Prng prng(7);
  for (const int count : {1, 3, 100, 20'000}) {
    Histogram histogram;
    std::vector<uint64_t> values;
    for (int i = 0; i < count; ++i) {
      values.push_back(prng.below(uint64_t{1} << (1 + prng.below(25))));
      histogram.add(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const unsigned share : {1U, 1'000U, 5'000U, 9'000U, 9'900U, 9'990U, 9'999U, 10'000U}) {
      const uint64_t exact = values[std::max<size_t>(1, (values.size() * share + 9'999) / 10'000) - 1];
      CHECK(histogram.permyriad(share) >= exact);
      CHECK(histogram.permyriad(share) <= exact + exact / 32);
    }
    CHECK(histogram.max() == values.back());
  }
}

TEST_CASE("counts up to bounds: within a thirty-second of the bound, and never fewer for a larger one") {
  Prng prng(9);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(prng.below(uint64_t{1} << (1 + prng.below(25))));
    histogram.add(values.back());
  }
  constexpr std::array<uint64_t, 9> kBounds{1, 10, 63, 100, 1'000, 5'000, 20'000, 1'000'000, 50'000'000};
  uint64_t before = 0;
  size_t calls = 0;
  histogram.count_up_to(kBounds, [&](uint64_t bound, uint64_t count) {
    const auto at_most = [&](uint64_t limit) {
      return static_cast<uint64_t>(
          std::count_if(values.begin(), values.end(), [&](uint64_t value) { return value <= limit; }));
    };
    CAPTURE(bound);
    CHECK(bound == kBounds[calls++]);
    CHECK(count <= at_most(bound));
    CHECK(count >= at_most(bound - bound / 32));
    CHECK(count >= before);
    before = count;
  });
  CHECK(calls == kBounds.size());
  CHECK(before == values.size());
}

TEST_CASE("what is above the last bucket is shown as the largest value seen; clear forgets all") {
  Histogram values;
  values.add(Histogram::kLargest * 3);
  CHECK(values.permille(990) == Histogram::kLargest * 3);
  values.clear();
  CHECK(values.count() == 0);
  CHECK(values.max() == 0);
}

}  // namespace wh
