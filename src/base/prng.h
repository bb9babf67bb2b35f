// A small seeded random generator (splitmix64): the same seed gives the same numbers on every machine, so that a
// simulated run can be replayed. Production seeds it from getrandom (the caller's job: base knows no system calls for
// it).
#pragma once

#include <cstdint>

namespace wh {

__extension__ using Wide = unsigned __int128;

class Prng {
 public:
  explicit Prng(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound); bound 0 gives 0.
  uint64_t below(uint64_t bound) {
    if (bound == 0) return 0;
    return static_cast<uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }
  // Uniform in [low, high].
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  // True with a probability of `ppm` in a million.
  bool chance_ppm(uint32_t ppm) { return below(1'000'000) < ppm; }

 private:
  uint64_t state_;
};

}  // namespace wh
