// For the files rows_SECTION.cc, each of which holds the rows of some sections of INFO, with their names in /metrics.
// These follow Prometheus's rules: base units, `_total` for counters, the standard names for the process.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "metrics/figures.h"

namespace wh::metrics {

std::span<const Figure> server_rows();
std::span<const Figure> client_rows();
std::span<const Figure> persistence_rows();
std::span<const Figure> stats_rows();
std::span<const Figure> raft_rows();
std::span<const Figure> process_rows();
std::span<const Figure> queue_rows();

// Short names, as most rows are one line.
namespace rows {

using S = Sources;
using Number = std::optional<int64_t>;
using Text = std::optional<std::string>;
using I = InfoSection;
using M = MetricType;
using U = Unit;

template <typename T>
Number number(T value) {
  return static_cast<int64_t>(value);
}

inline const raft::Raft* raft_of(const S& s) { return s.node.raft(); }
// A figure of the consensus core; 0 while there is none.
template <typename Read>
Number of_raft(const S& s, Read read) {
  return raft_of(s) == nullptr ? number(0) : number(read(*raft_of(s)));
}

}  // namespace rows
}  // namespace wh::metrics
