// How often values of each size occurred, on a fixed scale: 1, 2, 5, 10, 20, 50 and so on, up to 50 million, then one
// bucket for all above. In microseconds that is up to fifty seconds; it serves for sizes too. One increment a value, no
// allocation; a plain value that can be copied and handed from one thread to another. Owned by whoever measures.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace wh {

class Histogram {
 public:
  // Upper bounds, inclusive; one more bucket holds the values above the last.
  static constexpr std::array<uint64_t, 24> kBounds = [] {
    std::array<uint64_t, 24> bounds{};
    uint64_t decade = 1;
    for (size_t i = 0; i < bounds.size(); i += 3, decade *= 10) {
      bounds[i] = decade;
      bounds[i + 1] = 2 * decade;
      bounds[i + 2] = 5 * decade;
    }
    return bounds;
  }();

  void add(uint64_t value) {
    const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), value);
    ++counts_[static_cast<size_t>(bound - kBounds.begin())];
    ++count_;
    sum_ += value;
    max_ = std::max(max_, value);
  }

  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] uint64_t sum() const { return sum_; }
  [[nodiscard]] uint64_t max() const { return max_; }
  // How many values are at most kBounds[bucket].
  [[nodiscard]] uint64_t count_up_to(size_t bucket) const {
    uint64_t total = 0;
    for (size_t i = 0; i <= bucket; ++i) total += counts_[i];
    return total;
  }

  // A value that `percent` of the seen values do not exceed, as far as the buckets tell: never below the true one, and
  // never above the largest seen. 0 when no value was seen.
  [[nodiscard]] uint64_t percentile(unsigned percent) const {
    if (count_ == 0) return 0;
    // The rank of the wanted value, rounded up; the first for 0.
    const uint64_t rank = std::max<uint64_t>(1, count_ / 100 * percent + (count_ % 100 * percent + 99) / 100);
    uint64_t total = 0;
    for (size_t i = 0; i < kBounds.size(); ++i) {
      total += counts_[i];
      if (total >= rank) return std::min(kBounds[i], max_);
    }
    return max_;
  }

 private:
  std::array<uint64_t, kBounds.size() + 1> counts_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace wh
