// Runs seed after seed and adds up the results: shared by the tests' program and `wormhole-server --simulate`. Also
// runs one seed in its own process, since a defect may well end in an assertion.
#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "sim/simulation.h"

namespace wh::sim {

struct Campaign {
  uint64_t first = 1;
  uint64_t count = 0;                                          // of seeds; 0: as many as the time allows
  uint64_t stride = 1;                                         // runs every stride-th seed only
  double seconds = 0;                                          // of real time; 0: without limit
  uint64_t max_failures = 5;                                   // ends after this many
  std::function<Options(uint64_t)> options_of = draw_options;  // for a seed
  const volatile std::sig_atomic_t* interrupted = nullptr;     // ends when this is set
};

struct Totals {
  uint64_t seeds = 0;
  uint64_t failed = 0;
  uint64_t events = 0;
  uint64_t operations = 0;
  uint64_t virtual_ms = 0;
  double seconds = 0;   // of real time
  uint64_t digest = 0;  // of the seeds' digests, in the seeds' order
  Situations seen;
  std::map<std::string, uint64_t> outcomes;

  void add(const RunResult& result);
  [[nodiscard]] double times_real() const;
  // "1000 seeds, 0 failed; 13,000,000 events, ...": one line without its newline.
  [[nodiscard]] std::string line() const;
};

// Runs it in this process. Calls `failed(seed, options, result)` for each failing seed, `progress(totals, seed)` after
// each seed; both may be empty.
Totals run_campaign(const Campaign& campaign,
                    const std::function<void(uint64_t, const Options&, const RunResult&)>& failed,
                    const std::function<void(const Totals&, uint64_t)>& progress);

// The result of one run in its own process.
struct Apart {
  std::string failure;  // empty: nothing failed; for an assertion, its text
  uint64_t events = 0;
  uint64_t virtual_ms = 0;
};
Apart run_apart(uint64_t seed, const Options& options);

}  // namespace wh::sim
