// How often values of each size occurred, log-linear: below 64 each value has a bucket; above, each power of two is cut
// into 32 buckets of one width, so that a bucket's bounds differ by at most 1/32. Values above the last bucket count in
// it. In microseconds that is up to 67 seconds; it serves for sizes too. One increment a value, no allocation; a plain
// value that can be copied and handed from one thread to another. Owned by whoever measures.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace wh {

class Histogram {
 public:
  static constexpr uint64_t kLargest = (uint64_t{1} << 26) - 1;

  void add(uint64_t value) {
    ++counts_[bucket_of(std::min(value, kLargest))];
    ++count_;
    sum_ += value;
    max_ = std::max(max_, value);
  }
  void clear() { *this = {}; }

  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] uint64_t sum() const { return sum_; }
  [[nodiscard]] uint64_t max() const { return max_; }

  // A value that this many in a hundred, a thousand or ten thousand of the seen values do not exceed: the upper bound
  // of a bucket, at most 1/32 above the true value and never above the largest seen. 0 when no value was seen.
  [[nodiscard]] uint64_t percentile(unsigned share) const { return permyriad(share * 100); }
  [[nodiscard]] uint64_t permille(unsigned share) const { return permyriad(share * 10); }
  [[nodiscard]] uint64_t permyriad(unsigned share) const {
    if (count_ == 0) return 0;
    // The rank of the wanted value, rounded up; the first for 0.
    const uint64_t rank = std::max<uint64_t>(1, count_ / 10'000 * share + (count_ % 10'000 * share + 9'999) / 10'000);
    uint64_t total = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      total += counts_[i];
      if (total >= rank) return i + 1 == counts_.size() ? max_ : std::min(upper_bound(i), max_);
    }
    return max_;
  }

  // For bounds from the smallest on: calls `out` with how many values are at most each. A value within 1/32 below its
  // bound may count in the next.
  template <size_t kBounds, typename Out>
  void count_up_to(const std::array<uint64_t, kBounds>& bounds, Out out) const {
    uint64_t total = 0;
    size_t i = 0;
    for (const uint64_t bound : bounds) {
      for (; i + 1 < counts_.size() && upper_bound(i) <= bound; ++i) total += counts_[i];
      out(bound, total);
    }
  }

 private:
  static constexpr unsigned kLinearBits = 6;  // below 2^6 each value has a bucket
  static constexpr unsigned kSubBits = 5;     // above, each power of two has 2^5
  static constexpr size_t kBuckets = (size_t{1} << kLinearBits) + (26 - kLinearBits) * (size_t{1} << kSubBits);

  static size_t bucket_of(uint64_t value) {
    const auto bits = static_cast<unsigned>(std::bit_width(value));
    if (bits <= kLinearBits) return static_cast<size_t>(value);
    const unsigned shift = bits - kSubBits - 1;
    const size_t octave = (size_t{bits} - kLinearBits - 1) << kSubBits;
    return (size_t{1} << kLinearBits) + octave + static_cast<size_t>((value >> shift) - (uint64_t{1} << kSubBits));
  }
  // The largest value of a bucket.
  static uint64_t upper_bound(size_t bucket) {
    if (bucket < (size_t{1} << kLinearBits)) return bucket;
    const size_t above = bucket - (size_t{1} << kLinearBits);
    const auto shift = static_cast<unsigned>(above >> kSubBits) + kLinearBits - kSubBits;
    const uint64_t sub = (uint64_t{1} << kSubBits) + (above & ((size_t{1} << kSubBits) - 1));
    return ((sub + 1) << shift) - 1;
  }

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace wh
