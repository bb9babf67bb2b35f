// A text that many clients may ask for at once and that takes long to make, such as that of /metrics. Made at most once
// a turn of the loop, and at most kPerSecond times a second; other requests get the last one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"

namespace wh::metrics {

class SharedText {
 public:
  // At most this many are made in a second; after that the last one serves until the second is over.
  static constexpr unsigned kPerSecond = 100;

  // The text that `make`, a function without arguments, gives for this key; texts of different keys do not share.
  template <typename Make>
  Bytes get(std::string_view key, uint64_t turn, Millis now, const Make& make) {
    if (now >= second_ + 1000) {
      second_ = now;
      made_in_second_ = 0;
    }
    if (key == key_ && !text_.empty() && (turn == turn_ || made_in_second_ >= kPerSecond)) return text_;
    key_ = key;
    turn_ = turn;
    ++made_in_second_;
    text_ = Bytes(make());
    return text_;
  }
  // The text is no longer true: the next get() makes a new one.
  void forget() { text_ = {}; }

 private:
  std::string key_;
  Bytes text_;
  uint64_t turn_ = 0;
  Millis second_ = 0;
  unsigned made_in_second_ = 0;
};

}  // namespace wh::metrics
