// A list of at most N values, as a constant in a table can hold it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>

namespace wh {

template <typename T, size_t N>
class ShortList {
 public:
  constexpr ShortList() = default;
  // More than N do not compile in a constant.
  constexpr ShortList(std::initializer_list<T> values) {
    for (const T& value : values) add(value);
  }

  constexpr void add(const T& value) { values_.at(size_++) = value; }
  [[nodiscard]] constexpr const T* begin() const { return values_.data(); }
  [[nodiscard]] constexpr const T* end() const { return values_.data() + size_; }
  [[nodiscard]] constexpr size_t size() const { return size_; }
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
  [[nodiscard]] constexpr const T& front() const { return values_.front(); }

  // The values of one behind those of the other.
  friend constexpr ShortList operator+(ShortList first, const ShortList& second) {
    for (const T& value : second) first.add(value);
    return first;
  }

 private:
  std::array<T, N> values_{};
  size_t size_ = 0;
};

}  // namespace wh
