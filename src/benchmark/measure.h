// What one test measured. Called by Run, printed by report.h. A plain value.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/histogram.h"

namespace wh::benchmark {

struct Measure {
  std::string name;
  uint64_t operations = 0;  // that succeeded
  uint64_t missing = 0;     // of these, how many found nothing (404, nil)
  uint64_t micros = 0;      // from the first request to the last answer
  Histogram took_us;
  uint64_t total_us = 0;  // of all latencies
  uint64_t least_us = UINT64_MAX;
  uint64_t errors = 0;
  std::map<std::string, uint64_t> reasons;  // of the errors; a few kinds
  uint64_t gap_us = 0;                      // the longest time without a success
  uint64_t gap_at_us = 0;                   // when it began, from the first request on
  uint64_t cpu_us = 0;                      // of this program
  bool ran_dry = false;                     // ended as nothing was left to take
  bool interrupted = false;
};

}  // namespace wh::benchmark
