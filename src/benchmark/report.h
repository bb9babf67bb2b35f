// The results of a test as text, one line, CSV or JSON. Pure.
#pragma once

#include <string>

#include "benchmark/measure.h"
#include "benchmark/options.h"

namespace wh::benchmark {

// What stands before the first test; empty: nothing.
std::string report_header(const Options& options);
std::string report(const Measure& measure, const Options& options);

}  // namespace wh::benchmark
