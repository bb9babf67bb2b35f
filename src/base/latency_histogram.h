// How often values of each size occurred, log-linear: below 64 each value has a bucket; above, each power of two is cut
// into 32 buckets of one width, so that a bucket's bounds differ by at most 1/32. Values above the last bucket count in
// it. One increment a value, no allocation. A plain value; owned by whoever measures.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace wh {

class LatencyHistogram {
 public:
  static constexpr uint64_t kLargest = (uint64_t{1} << 26) - 1;  // in microseconds, 67 seconds

  void add(uint64_t value) {
    ++counts_[bucket_of(std::min(value, kLargest))];
    ++count_;
    max_ = std::max(max_, value);
  }
  void clear() { *this = {}; }

  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] uint64_t max() const { return max_; }
  // A value that this many in a thousand, or in ten thousand, of the seen values do not exceed: the upper bound of a
  // bucket, at most 1/32 above the true value and never above the largest seen. 0 when no value was seen.
  [[nodiscard]] uint64_t permille(unsigned share) const { return permyriad(share * 10); }
  [[nodiscard]] uint64_t permyriad(unsigned share) const {
    if (count_ == 0) return 0;
    const uint64_t rank = std::max<uint64_t>(1, (count_ * share + 9'999) / 10'000);
    uint64_t total = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      total += counts_[i];
      if (total >= rank) return i + 1 == counts_.size() ? max_ : std::min(upper_bound(i), max_);
    }
    return max_;
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

  std::array<uint32_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace wh
