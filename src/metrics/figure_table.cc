// The table: the rows of all sections, in the order of /metrics.
#include <vector>

#include "metrics/rows.h"

namespace wh::metrics {

std::span<const Figure> figure_table() {
  static const std::vector<Figure> table = [] {
    std::vector<Figure> all;
    for (const auto& rows :
         {server_rows(), client_rows(), persistence_rows(), stats_rows(), raft_rows(), process_rows(), queue_rows()})
      all.insert(all.end(), rows.begin(), rows.end());
    return all;
  }();
  return table;
}

}  // namespace wh::metrics
