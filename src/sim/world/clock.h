// A machine's own clock: it runs faster or slower than virtual time, and may jump forward, as a suspended virtual
// machine's does. It never goes back: nodes are told a monotonic clock. World has the wall clocks.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace wh::sim {

class Clock {
 public:
  [[nodiscard]] uint64_t us(uint64_t now_us) const { return shown_us_ + (now_us - since_us_) * rate_ppm_ / 1'000'000; }
  [[nodiscard]] Millis ms(uint64_t now_us) const { return us(now_us) / 1000 + 1'000; }
  // How long it takes until the clock shows this.
  [[nodiscard]] uint64_t until(uint64_t now_us, Millis shown_ms) const {
    const uint64_t wanted_us = shown_ms > 1'000 ? (shown_ms - 1'000) * 1'000 : 0;
    const uint64_t shows_us = us(now_us);
    if (wanted_us <= shows_us) return 0;
    return ((wanted_us - shows_us) * 1'000'000 + rate_ppm_ - 1) / rate_ppm_;
  }
  void set_rate(uint64_t now_us, uint64_t rate_ppm) {
    shown_us_ = us(now_us);
    since_us_ = now_us;
    rate_ppm_ = rate_ppm;
  }
  void jump(uint64_t by_us) { shown_us_ += by_us; }

 private:
  uint64_t shown_us_ = 0;
  uint64_t since_us_ = 0;
  uint64_t rate_ppm_ = 1'000'000;
};

}  // namespace wh::sim
